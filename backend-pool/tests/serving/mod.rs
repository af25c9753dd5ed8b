//! A pool that serves a handler, and clients of it.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ::serving::{Backend, Report, Stop};
use anyloop_backend_pool::Pool;
use common::{Flow, Framing, Handler, Replies, Service, Session};

/// Answers each message with what the function makes of it.
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

/// A pool that serves.
pub(crate) struct Server {
    address: SocketAddr,
    stop: Stop,
    thread: Option<JoinHandle<io::Result<Report>>>,
}

/// How long is waited for what should come at once.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

impl Server {
    /// Has a pool of so many workers answer.
    pub(crate) fn start(workers: usize, answer: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        let service = Service::framed(Arc::new(Answers(Arc::new(answer))), Framing::Line);
        let limits = service.limits.with_drain_timeout(Duration::from_millis(500));
        let service = service.with_limits(limits).with_workers(NonZeroUsize::new(workers));
        let stop = Stop::new();
        let told = stop.clone();
        let thread = thread::spawn(move || Pool.serve(listener.into(), Arc::new(service), &told));
        Self { address, stop, thread: Some(thread) }
    }

    pub(crate) fn connect(&self) -> Client {
        let socket = TcpStream::connect(self.address).expect("a connection");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        Client(BufReader::new(socket))
    }

    /// Has it drain, and tells how it ended.
    pub(crate) fn stop(mut self) -> io::Result<Report> {
        self.stop.drain();
        self.thread.take().expect("a thread").join().expect("no panic in serve")
    }

    /// Tells how it ended by itself.
    pub(crate) fn ended(mut self) -> io::Result<Report> {
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
    pub(crate) fn say(&mut self, message: &str) {
        self.0.get_mut().write_all(format!("{message}\n").as_bytes()).expect("it is taken");
    }

    /// The next reply, or nothing at the end.
    pub(crate) fn hear(&mut self) -> String {
        let mut reply = String::new();
        self.0.read_line(&mut reply).expect("a reply");
        reply.trim_end().to_owned()
    }

    pub(crate) fn ends_input(&mut self) {
        self.0.get_mut().shutdown(Shutdown::Write).expect("an end");
    }

    pub(crate) fn asks(&mut self, message: &str) -> String {
        self.say(message);
        self.hear()
    }
}
