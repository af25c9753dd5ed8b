//! One client at a time, like the first server of a socket tutorial. The other clients wait in the kernel's backlog.
//!
//! This is the smallest backend, and the one to read first. Choose it to learn, or for a service with a single client.
//!
//! `SIGURG` wakes the thread when a deadline passes or the server stops, as described at [`Interrupt`]. A program that embeds
//! the server must not block this signal.

#![forbid(unsafe_code)]

use std::io;
use std::sync::Arc;

use common::Service;
use serving::{
    Acceptor, Backend, BlockingHandlers, Buffers, Capabilities, Interrupt, Listener, Report, Server, Stop,
    Workers, blocking,
};

/// One client at a time, on the caller's thread. [`start`](serving::start) has an example.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sequential;

impl Backend for Sequential {
    fn name(&self) -> &'static str {
        "sequential"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new("one client at a time", Workers::Caller, BlockingHandlers::OwnThread)
            .with_max_connections(1)
    }

    fn serve(&self, listener: Listener, service: Arc<Service>, stop: &Stop) -> io::Result<Report> {
        let (server, acceptor) = Server::open(self, &listener, service, stop)?;
        server.close(accept(listener, acceptor))
    }
}

/// Serves one client after the other until the server stops.
fn accept(listener: Listener, acceptor: Acceptor) -> io::Result<()> {
    let interrupt = Interrupt::of_this_thread()?;
    let mut buffers = Buffers::new();
    acceptor.accept_all(listener, Listener::accept_blocking, |socket, conversation| {
        blocking::serve(socket, conversation, &interrupt, &mut buffers);
    })
}
