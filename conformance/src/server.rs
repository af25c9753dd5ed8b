//! A backend that serves, on a thread of its own and a port of the system's choice.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use common::{Framing, Service};
use serving::{Report, Stop};
use socket2::{Domain, Socket, Type};

use crate::client::Client;
use crate::subject::Subject;

/// A backend that serves. When it is dropped it is stopped, and its receipt is checked; but if the case has
/// failed already, it is left to itself.
pub(crate) struct Server {
    address: SocketAddr,
    duplicate: Option<TcpListener>,
    stop: Stop,
    report: Option<Receiver<io::Result<Report>>>,
    patience: Duration,
    buffers: Option<usize>,
}

/// Enough for every crowd in the cases.
const BACKLOG: i32 = 4096;

impl Server {
    pub(crate) fn start(subject: &Subject, service: Service, buffers: Option<usize>) -> Self {
        let listener = listen(buffers).expect("a port on the loopback device");
        Self::start_on(subject, listener, service, buffers)
    }

    pub(crate) fn start_alone(subject: &Subject, service: Service) -> Self {
        let listener = listen(None).expect("a port on the loopback device");
        let mut server = Self::start_on(subject, listener, service, None);
        server.duplicate = None;
        server
    }

    pub(crate) fn start_on(
        subject: &Subject,
        listener: TcpListener,
        service: Service,
        buffers: Option<usize>,
    ) -> Self {
        let address = listener.local_addr().expect("the address of a listener");
        let duplicate = Some(listener.try_clone().expect("a duplicate of the listener"));
        let stop = Stop::new();
        let (backend, stopped) = (Arc::clone(subject.backend()), stop.clone());
        let (sender, report) = channel();
        let server = move || {
            // Nobody listens where the case has failed.
            let _ = sender.send(backend.serve(listener, Arc::new(service), &stopped));
        };
        thread::Builder::new().name("server".into()).spawn(server).expect("a thread for the server");
        Self { address, duplicate, stop, report: Some(report), patience: subject.patience(), buffers }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Another descriptor of its listener.
    pub(crate) fn listener(&self) -> &TcpListener {
        self.duplicate.as_ref().expect("a server that is not alone on its listener")
    }

    /// A client that speaks `line`.
    pub(crate) fn connect(&self) -> Client {
        self.connect_in(Framing::Line)
    }

    /// A client that speaks `framing`.
    pub(crate) fn connect_in(&self, framing: Framing) -> Client {
        Client::connect(self.address, framing, self.patience, self.buffers)
    }

    /// A client that speaks `line`, on a socket whose buffers are about so many bytes.
    pub(crate) fn connect_with_buffers(&self, bytes: usize) -> Client {
        Client::connect(self.address, Framing::Line, self.patience, Some(bytes))
    }

    /// A client that speaks `line` and has been greeted, so that it is being served.
    pub(crate) fn connect_greeted(&self) -> Client {
        let mut client = self.connect();
        client.hears("hello");
        client
    }

    /// Tells it to stop.
    pub(crate) fn drain(&self) {
        self.stop.drain();
    }

    /// Tells it to stop at once.
    pub(crate) fn stop_now(&self) {
        self.stop.now();
    }

    /// Waits for its end, whoever has caused it.
    pub(crate) fn result(mut self) -> io::Result<Report> {
        self.wait()
    }

    /// Waits for its end, and checks its receipt.
    pub(crate) fn report(mut self) -> Report {
        self.checked_report()
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
        let report = self.report.take().expect("a server ends once");
        match report.recv_timeout(self.patience) {
            Ok(result) => result,
            Err(RecvTimeoutError::Timeout) => panic!("the server does not end"),
            Err(RecvTimeoutError::Disconnected) => panic!("the server has panicked"),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if thread::panicking() {
            return self.stop.now();
        }
        if self.report.is_some() {
            self.drain();
            self.checked_report();
        }
    }
}

fn listen(buffers: Option<usize>) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    if let Some(bytes) = buffers {
        socket.set_recv_buffer_size(bytes)?;
        socket.set_send_buffer_size(bytes)?;
    }
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
