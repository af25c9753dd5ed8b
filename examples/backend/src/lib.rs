//! A custom backend, written from scratch: [`Poll`], one thread that waits for all clients with `poll(2)`.
//!
//! ```sh
//! cargo run --release -p anyloop-example-backend -- backends
//! cargo run --release -p anyloop-example-backend -- serve --backend poll
//! cargo run --release -p anyloop-example-backend -- compare --quick --backends poll,threads,smol
//! ```
//!
//! `docs/write-a-backend.md` develops it step by step, starting with a server of one client at a time.

#![forbid(unsafe_code)]

mod worker;

use std::io;
use std::sync::Arc;
use std::thread;

use anyloop::backend::{
    AcceptLoop, BlockingHandlers, Capabilities, Failure, Notifier, STACK_SIZE, Server, Workers,
};
use anyloop::{Backend, Listener, Report, Service, Stop};

use crate::worker::Worker;

/// One thread that waits for all clients with `poll(2)`, as servers did before epoll. Handlers that may block are
/// called on other threads.
///
/// Choose it for some hundred clients on a system without a newer mechanism: the kernel checks all clients at each
/// wait, so the cost of a message grows with the number of idle clients.
#[derive(Clone, Copy, Debug, Default)]
pub struct Poll;

impl Backend for Poll {
    fn name(&self) -> &'static str {
        "poll"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new("one thread that polls all clients", Workers::Caller, BlockingHandlers::Offloaded)
    }

    fn serve(&self, listener: Listener, service: Arc<Service>, stop: &Stop) -> io::Result<Report> {
        let (server, acceptor) = Server::open(self, &listener, service, stop)?;
        let started = start(AcceptLoop::new(listener, acceptor), server.failure());
        server.close(started)
    }
}

/// Starts the thread that serves. It is not joined, since a handler may block it.
fn start(mut accept_loop: AcceptLoop, failure: Failure) -> io::Result<()> {
    let notifier = Notifier::new()?;
    accept_loop.acceptor().register(&notifier.waker());
    let worker = Worker::new(accept_loop, notifier);
    let thread = thread::Builder::new().name("poll".into()).stack_size(STACK_SIZE);
    thread.spawn(move || failure.watch(|| worker.work()))?;
    Ok(())
}

/// Compiles and runs the programs of the guide with the tests.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/write-a-backend.md")]
mod guide {}
