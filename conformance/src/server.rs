//! A server of the backend under test, with its own thread and address.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use common::{Address, Framing, Service, Transform};
use serving::{Listener, Report, Running, Statistics, start};
use socket2::{Socket, Type};

use crate::client::Client;
use crate::ends::Transforms;
use crate::socket::resolve;
use crate::subject::{Subject, Transport};

/// A server of the backend under test. On drop it is stopped and its report is checked; if the case has failed already,
/// it is stopped without a check.
pub(crate) struct Server {
    running: Running,
    duplicate: Option<Listener>,
    has_ended: bool,
    timeout: Duration,
    buffers: Option<usize>,
    /// The transforms of all connections, if there are any.
    transforms: Option<Transforms>,
}

/// A backlog that suffices for all cases.
const BACKLOG: i32 = 4096;

impl Server {
    pub(crate) fn start(subject: &Subject, service: Service, buffers: Option<usize>) -> Self {
        let listener = listen(subject, buffers).expect("an address on this machine");
        Self::start_on(subject, listener, service, buffers)
    }

    pub(crate) fn start_alone(subject: &Subject, service: Service) -> Self {
        let listener = listen(subject, None).expect("an address on this machine");
        let mut server = Self::start_on(subject, listener, service, None);
        server.duplicate = None;
        server
    }

    pub(crate) fn start_on(
        subject: &Subject,
        listener: Listener,
        service: Service,
        buffers: Option<usize>,
    ) -> Self {
        let duplicate = Some(listener.try_clone().expect("a duplicate of the listener"));
        let transforms = subject.transforms().cloned();
        let service = match &transforms {
            Some(transforms) => transforms.below(service),
            None => service,
        };
        let running =
            start(Arc::clone(subject.backend()), listener, service).expect("a thread for the server");
        Self { running, duplicate, has_ended: false, timeout: subject.timeout(), buffers, transforms }
    }

    /// The address that it listens on.
    pub(crate) fn address(&self) -> &Address {
        self.running.address()
    }

    /// Its statistics so far.
    pub(crate) fn statistics(&self) -> Statistics {
        self.running.statistics()
    }

    /// Waits until its statistics satisfy a condition.
    pub(crate) fn wait_for_statistics(&self, what: &str, condition: impl Fn(&Statistics) -> bool) {
        let deadline = Instant::now() + self.timeout;
        loop {
            let statistics = self.statistics();
            if condition(&statistics) {
                return;
            }
            assert!(Instant::now() < deadline, "{what}: {statistics}");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Another descriptor of its listener.
    pub(crate) fn listener(&self) -> &Listener {
        self.duplicate.as_ref().expect("a server that is not alone on its listener")
    }

    /// Connects a client with the framing `line`.
    pub(crate) fn connect(&self) -> Client {
        self.connect_in(Framing::Line)
    }

    /// Connects a client with this framing.
    pub(crate) fn connect_in(&self, framing: Framing) -> Client {
        Client::connect(self.address(), framing, self.timeout, self.buffers).transformed(self.transform())
    }

    /// Connects a client with the framing `line`, whose socket has buffers of about this size.
    pub(crate) fn connect_with_buffers(&self, bytes: usize) -> Client {
        Client::connect(self.address(), Framing::Line, self.timeout, Some(bytes))
            .transformed(self.transform())
    }

    /// The transform of a client, if there is one.
    fn transform(&self) -> Option<Box<dyn Transform>> {
        self.transforms.as_ref().map(Transforms::of_client)
    }

    /// Connects a client with the framing `line`, and receives the greeting, so that its session is open.
    pub(crate) fn connect_greeted(&self) -> Client {
        let mut client = self.connect();
        client.expect_reply("hello");
        client
    }

    /// Requests a stop.
    pub(crate) fn drain(&self) {
        self.running.stop();
    }

    /// Requests an immediate stop.
    pub(crate) fn stop_now(&self) {
        self.running.stop_now();
    }

    /// Waits for the server to end, for any reason.
    pub(crate) fn result(mut self) -> io::Result<Report> {
        self.wait()
    }

    /// Waits for the server to end, and checks its report.
    pub(crate) fn report(mut self) -> Report {
        self.checked_report()
    }

    /// Waits for the server to end, checks its report, and returns it with the final statistics.
    pub(crate) fn report_and_statistics(mut self) -> (Report, Statistics) {
        (self.checked_report(), self.statistics())
    }

    /// Requests a stop, waits for the server to end, and checks its report.
    pub(crate) fn stop(self) -> Report {
        self.drain();
        self.report()
    }

    fn checked_report(&mut self) -> Report {
        let report = self.wait().expect("the server ends without an error");
        assert_eq!(report.accepted, report.ended(), "the report does not add up: {report:?}");
        let pushes = report.pushes_delivered + report.pushes_dropped + report.pushes_refused;
        assert_eq!(report.pushed, pushes, "the pushes in the report do not add up: {report:?}");
        report
    }

    fn wait(&mut self) -> io::Result<Report> {
        self.has_ended = true;
        let deadline = Instant::now() + self.timeout;
        while !self.running.is_finished() {
            assert!(Instant::now() < deadline, "the server does not end");
            thread::sleep(Duration::from_millis(1));
        }
        self.running.wait()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if thread::panicking() {
            return self.stop_now();
        }
        if !self.has_ended {
            self.drain();
            self.checked_report();
        }
    }
}

fn listen(subject: &Subject, buffers: Option<usize>) -> io::Result<Listener> {
    let address = match subject.transport() {
        Transport::Tcp => SocketAddr::from(([127, 0, 0, 1], 0)).into(),
        Transport::Unix => subject.unique_path(),
    };
    let (domain, address) = resolve(&address)?;
    let socket = Socket::new(domain, Type::STREAM, None)?;
    if let Some(bytes) = buffers {
        socket.set_recv_buffer_size(bytes)?;
        socket.set_send_buffer_size(bytes)?;
    }
    socket.bind(&address)?;
    socket.listen(BACKLOG)?;
    OwnedFd::from(socket).try_into()
}
