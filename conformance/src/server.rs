//! A backend that serves, on a thread of its own and an address of its own.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use common::{Address, Framing, Service};
use serving::{Listener, Report, Running, Statistics, start};
use socket2::{Socket, Type};

use crate::client::{Client, resolve};
use crate::subject::{Subject, Transport};
use crate::transforms::turned;

/// A backend that serves. When it is dropped it is stopped, and its receipt is checked; but if the case has
/// failed already, it is left to itself.
pub(crate) struct Server {
    running: Running,
    duplicate: Option<Listener>,
    has_ended: bool,
    patience: Duration,
    buffers: Option<usize>,
    /// Whether its clients talk through a transform in every case.
    is_transformed: bool,
}

/// Enough for every crowd in the cases.
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
        let service = if subject.is_transformed() { turned(service) } else { service };
        let running =
            start(Arc::clone(subject.backend()), listener, service).expect("a thread for the server");
        let (patience, is_transformed) = (subject.patience(), subject.is_transformed());
        Self { running, duplicate, has_ended: false, patience, buffers, is_transformed }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> &Address {
        self.running.address()
    }

    /// What it has counted up to now.
    pub(crate) fn statistics(&self) -> Statistics {
        self.running.statistics()
    }

    /// Waits until it has counted this.
    pub(crate) fn has_counted(&self, what: &str, condition: impl Fn(&Statistics) -> bool) {
        let deadline = Instant::now() + self.patience;
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

    /// A client that speaks `line`.
    pub(crate) fn connect(&self) -> Client {
        self.connect_in(Framing::Line)
    }

    /// A client that speaks `framing`.
    pub(crate) fn connect_in(&self, framing: Framing) -> Client {
        Client::connect(self.address(), framing, self.patience, self.buffers).turns_if(self.is_transformed)
    }

    /// A client that speaks `line`, on a socket whose buffers are about so many bytes.
    pub(crate) fn connect_with_buffers(&self, bytes: usize) -> Client {
        Client::connect(self.address(), Framing::Line, self.patience, Some(bytes))
            .turns_if(self.is_transformed)
    }

    /// A client that speaks `line` and has been greeted, so that it is being served.
    pub(crate) fn connect_greeted(&self) -> Client {
        let mut client = self.connect();
        client.hears("hello");
        client
    }

    /// Tells it to stop.
    pub(crate) fn drain(&self) {
        self.running.stop();
    }

    /// Tells it to stop at once.
    pub(crate) fn stop_now(&self) {
        self.running.stop_now();
    }

    /// Waits for its end, whoever has caused it.
    pub(crate) fn result(mut self) -> io::Result<Report> {
        self.wait()
    }

    /// Waits for its end, and checks its receipt.
    pub(crate) fn report(mut self) -> Report {
        self.checked_report()
    }

    /// The same, and what it says afterwards that it has counted.
    pub(crate) fn report_and_statistics(mut self) -> (Report, Statistics) {
        (self.checked_report(), self.statistics())
    }

    /// Tells it to stop, waits for its end, and checks its receipt.
    pub(crate) fn stop(self) -> Report {
        self.drain();
        self.report()
    }

    fn checked_report(&mut self) -> Report {
        let report = self.wait().expect("the server ends without an error");
        assert_eq!(report.accepted, report.ended(), "the receipt does not add up: {report:?}");
        report
    }

    fn wait(&mut self) -> io::Result<Report> {
        self.has_ended = true;
        let deadline = Instant::now() + self.patience;
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
        Transport::Unix => subject.path_of_its_own(),
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
