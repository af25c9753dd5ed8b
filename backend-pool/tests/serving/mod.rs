//! A pool that serves a handler, and its clients.
#![allow(dead_code, reason = "each test program uses a part of this module")]

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ::serving::{Backend, Report, Stop};
use anyloop_backend_pool::Pool;
use common::{Flow, Framing, Handler, Replies, Service, Session};

/// Answers each message with the result of a function.
pub(crate) struct Answers<F>(Arc<F>);

impl<F: Fn(&str) -> String + Send + Sync + 'static> Handler for Answers<F> {
    fn open(&self, _: &common::Client, _: &mut Replies<'_>) -> Box<dyn Session> {
        Box::new(Self(Arc::clone(&self.0)))
    }
}

impl<F: Fn(&str) -> String + Send + Sync + 'static> Session for Answers<F> {
    fn message(&mut self, message: &[u8], out: &mut Replies<'_>) -> Flow {
        out.send((self.0)(&String::from_utf8_lossy(message)).as_bytes());
        Flow::Continue
    }
}

/// A running pool.
pub(crate) struct Server {
    address: SocketAddr,
    stop: Stop,
    thread: Option<JoinHandle<io::Result<Report>>>,
}

/// A test fails after this time.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(20);

impl Server {
    /// Starts a pool with this number of workers.
    pub(crate) fn start(workers: usize, answer: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        let service = Service::framed(Arc::new(Answers(Arc::new(answer))), Framing::Line);
        let limits = service.limits.with_drain_timeout(Duration::from_millis(500));
        let service = service.with_limits(limits).with_workers(NonZeroUsize::new(workers));
        let stop = Stop::new();
        let thread = thread::spawn({
            let stop = stop.clone();
            move || Pool.serve(listener.into(), Arc::new(service), &stop)
        });
        Self { address, stop, thread: Some(thread) }
    }

    pub(crate) fn connect(&self) -> Client {
        let socket = TcpStream::connect(self.address).expect("a connection");
        socket.set_read_timeout(Some(TIMEOUT)).expect("a timeout");
        Client(BufReader::new(socket))
    }

    /// Drains the pool, and returns its result.
    pub(crate) fn stop(self) -> io::Result<Report> {
        self.stop.drain();
        self.wait()
    }

    /// Waits until the pool has ended, and returns its result.
    pub(crate) fn wait(mut self) -> io::Result<Report> {
        self.thread.take().expect("a thread").join().expect("no panic in serve")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.now();
    }
}

/// A client.
pub(crate) struct Client(BufReader<TcpStream>);

impl Client {
    pub(crate) fn send_line(&mut self, message: &str) {
        self.0.get_mut().write_all(format!("{message}\n").as_bytes()).expect("it is sent");
    }

    /// The next reply, or an empty string at the end.
    pub(crate) fn receive(&mut self) -> String {
        let mut reply = String::new();
        self.0.read_line(&mut reply).expect("a reply");
        reply.trim_end().to_owned()
    }

    pub(crate) fn end_input(&mut self) {
        self.0.get_mut().shutdown(Shutdown::Write).expect("a connected socket");
    }

    pub(crate) fn request(&mut self, message: &str) -> String {
        self.send_line(message);
        self.receive()
    }
}
