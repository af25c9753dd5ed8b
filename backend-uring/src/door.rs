//! The door: the listener, with the worker that accepts.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use common::{Accepting, Acceptor, Admission, Bell, Conversation};
use rustix::io::Errno;
use rustix::net::getpeername;

use crate::ring::Ring;

/// The listener, with the worker that accepts. When it is dropped the listener is closed, and then the server
/// told.
pub(crate) struct Door {
    listener: TcpListener,
    acceptor: Acceptor,
    /// Whether the kernel accepts, and whether it has been told not to.
    accepting: bool,
    cancelled: bool,
}

impl Door {
    /// # Errors
    /// If the listener is none.
    pub(crate) fn new(listener: TcpListener, acceptor: Acceptor) -> io::Result<Self> {
        listener.set_nonblocking(false)?; // else the kernel fails rather than waits
        Ok(Self { listener, acceptor, accepting: false, cancelled: false })
    }

    /// Has `bell` rung when there is news of the door.
    pub(crate) fn register(&self, bell: &Arc<Bell>) {
        self.acceptor.register(&bell.waker());
    }

    /// The kernel has accepted somebody, or failed to; `more` if it goes on.
    pub(crate) fn accepted(
        &mut self,
        client: io::Result<OwnedFd>,
        more: bool,
    ) -> Option<(TcpStream, Conversation)> {
        self.accepting = more;
        let client = match client {
            // Who has gone already has no address any more. That is no failure to accept.
            Ok(socket) => Ok(with_address(socket)?),
            Err(error) if Errno::from_io_error(&error) == Some(Errno::CANCELED) => return None,
            Err(error) => Err(error),
        };
        match self.acceptor.admit(client) {
            Admission::Client(socket, conversation) => Some((socket, conversation)),
            Admission::None | Admission::Nobody => None,
        }
    }

    /// Has the kernel accept or not, as it should be. Tells whether the server goes on.
    pub(crate) fn see_to(&mut self, ring: &mut Ring) -> bool {
        let wanted = self.acceptor.what_now();
        match wanted {
            Accepting::Accept if !self.accepting => {
                (self.accepting, self.cancelled) = (true, false);
                ring.accept(&self.listener, !self.acceptor.accepts_singly());
            }
            Accepting::Wait | Accepting::Stopped if self.accepting && !self.cancelled => {
                self.cancelled = true;
                ring.cancel_accept();
            }
            Accepting::Accept | Accepting::Wait | Accepting::Stopped => {}
        }
        wanted != Accepting::Stopped || self.accepting
    }
}

/// The client with its address, which the kernel doesn't tell where it accepts many.
fn with_address(socket: OwnedFd) -> Option<(TcpStream, SocketAddr)> {
    let address = getpeername(&socket).ok().flatten()?.try_into().ok()?;
    Some((socket.into(), address))
}
