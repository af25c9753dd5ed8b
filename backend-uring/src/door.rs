//! The door: the listener, with the worker that accepts.

use std::io;
use std::sync::Arc;

use serving::{Accepting, Acceptor, Conversation, Listener, Member, Socket};

use crate::ring::Ring;

/// The listener, with the worker that accepts. When it is dropped the listener is closed, and then the server
/// told.
///
/// The ring only waits for clients. They are accepted by calls that don't block, as by the other backends: what the
/// kernel would accept by itself depends on whether the listener blocks, which somebody who shares it may change, and
/// it would not tell their addresses.
pub(crate) struct Door {
    listener: Listener,
    acceptor: Acceptor,
    /// Whether the ring tells of clients before it, and whether it was told not to.
    watched: bool,
    cancelled: bool,
}

impl Door {
    pub(crate) fn new(listener: Listener, acceptor: Acceptor) -> Self {
        Self { listener, acceptor, watched: false, cancelled: false }
    }

    /// Has `worker` woken when there is news of the door.
    pub(crate) fn register(&self, worker: &Arc<Member>) {
        self.acceptor.register(&worker.waker());
    }

    /// The ring has told of clients, or failed to wait for them.
    pub(crate) fn told(&mut self, result: io::Result<()>) {
        self.watched = false;
        if let Err(error) = result
            && !self.cancelled
        {
            self.acceptor.fail(error);
        }
    }

    /// Lets in who stands before it, up to so many that others have their turn as well, and has the ring tell of more
    /// as long as there may be more. Tells whether the server goes on.
    pub(crate) fn accept(&mut self, ring: &mut Ring, admit: impl FnMut(Socket, Conversation)) -> bool {
        match self.acceptor.accept_turn(|| self.listener.accept_blocking(), admit) {
            Accepting::Accept if !self.watched => {
                self.watched = true;
                ring.watch_listener(&self.listener);
                true
            }
            // A watch that is left while nobody may be accepted tells once, and is not renewed.
            Accepting::Accept | Accepting::Wait => true,
            // As long as the ring waits for the listener, that is not closed.
            Accepting::Stopped if self.watched => {
                if !std::mem::replace(&mut self.cancelled, true) {
                    ring.cancel_listener();
                }
                true
            }
            Accepting::Stopped => false,
        }
    }
}
