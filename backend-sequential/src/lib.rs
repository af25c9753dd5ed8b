//! One client at a time: the socket tutorial's first server. The others wait in the kernel's backlog until
//! the one before them has left.
//!
//! It is the smallest backend, and the one to read first. Choose it to learn, or for a service that only
//! ever has one client.
//!
//! The thread is woken by `SIGURG` when a deadline passes or the server stops, as [`Interrupt`] explains; a program
//! that embeds it leaves that signal alone.

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

/// Serves one client after the other, until the server stops.
fn accept(listener: Listener, acceptor: Acceptor) -> io::Result<()> {
    let interrupt = Interrupt::of_this_thread()?;
    let mut buffers = Buffers::new();
    acceptor.accept_all(listener, Listener::accept_blocking, |socket, conversation| {
        blocking::serve(socket, conversation, &interrupt, &mut buffers);
    })
}
