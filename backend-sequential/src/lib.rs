//! One client at a time: the socket tutorial's first server. The others wait in the kernel's backlog until
//! the one before them has left.
//!
//! It is the smallest backend, and the one to read first. Choose it to learn, or for a service that only
//! ever has one client.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;

use common::{
    Accepting, Acceptor, Admission, Backend, Bell, BlockingHandlers, Buffers, Capabilities, Interrupt,
    Report, Server, Service, Stop, Workers, blocking,
};

/// One client at a time, on the caller's thread.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sequential;

impl Backend for Sequential {
    fn name(&self) -> &'static str {
        "sequential"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            model: "one client at a time",
            max_connections: Some(1),
            workers: Workers::Caller,
            blocking_handlers: BlockingHandlers::OwnThread,
            legacy: None,
        }
    }

    fn serve(&self, listener: TcpListener, service: Arc<Service>, stop: &Stop) -> io::Result<Report> {
        let (server, acceptor) = Server::open(self, &listener, service, stop)?;
        server.close(accept(listener, acceptor))
    }
}

/// Serves one client after the other, until the server stops.
fn accept(listener: TcpListener, mut acceptor: Acceptor) -> io::Result<()> {
    // A client that is waited for on this thread needs another waker than one that is being served on it:
    // the bell ends the wait for a client, the interrupt the wait for a message.
    let bell = Bell::new()?;
    acceptor.register(&bell.waker());
    let interrupt = Interrupt::of_this_thread()?;
    let mut buffers = Buffers::new();
    loop {
        match acceptor.what_now() {
            Accepting::Accept => match acceptor.admit(listener.accept()) {
                Admission::Client(socket, conversation) => {
                    blocking::converse(socket, conversation, &interrupt, &mut buffers);
                }
                Admission::None => {}
                Admission::Nobody => bell.wait_readable(&listener)?,
            },
            Accepting::Wait => bell.wait()?,
            Accepting::Stopped => return acceptor.close(),
        }
    }
}
