//! The door: who is let in, and when to look for the next.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use crate::core::{CloseReason, Overload};
use crate::serving::accept_errors::{Backoff, Fault, Seldom, fault};
use crate::serving::conversation::Conversation;
use crate::serving::socket;
use crate::serving::state::{Phase, State};

/// The door of a server. The accept loop of every backend asks it what to do:
///
/// 1. Register the waker of whoever will wait ([`register`](Self::register)).
/// 2. [`what_now`](Self::what_now): accept, wait until woken, or end.
/// 3. Hand the result of the accepting to [`admit`](Self::admit).
pub struct Acceptor {
    state: Arc<State>,
    backoff: Backoff,
    failures: Seldom,
    refusals: Seldom,
    broken: Option<io::Error>,
    /// Whether the next client may have connected before the listener was prepared.
    early: bool,
}

/// What an accept loop is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepting {
    /// Accept somebody.
    Accept,
    /// Wait until the registered waker is woken.
    Wait,
    /// End, and close the listener.
    Stopped,
}

/// What became of an attempt to accept.
pub enum Admission<S> {
    /// A client to be served.
    Client(S, Conversation),
    /// Nobody to be served; ask what to do next.
    None,
    /// Nobody is there: wait until the listener can be read, or the registered waker is woken.
    Nobody,
}

/// A loop that does other work as well accepts so many clients, and then sees to the others.
pub const ACCEPTS_IN_A_TURN: usize = 16;

impl Acceptor {
    pub(super) fn new(state: Arc<State>) -> Self {
        let (backoff, failures, refusals) = Default::default();
        Self { state, backoff, failures, refusals, broken: None, early: true }
    }

    /// Who is to be woken when the server stops, or when there is somebody to accept after a pause.
    pub fn register(&self, waker: &Waker) {
        self.state.door.register(waker);
    }

    /// What to do.
    pub fn what_now(&mut self) -> Accepting {
        if self.broken.is_some() || self.state.phase() != Phase::Serving {
            return Accepting::Stopped;
        }
        self.state.door.take_marks();
        let pause = self.backoff.until(Instant::now());
        self.state.door.set_deadline(pause, self.state.epoch);
        let queue = self.state.service.limits.overload == Overload::Queue;
        if pause.is_some() || (queue && self.state.is_full()) {
            return Accepting::Wait;
        }
        Accepting::Accept
    }

    /// Whether nobody may be accepted before it is certain that there is room: with `queue` a client that is too
    /// many is to wait in the kernel's backlog, so an I/O that accepts on its own must be asked for one at a time.
    pub fn accepts_singly(&self) -> bool {
        self.state.service.limits.overload == Overload::Queue
    }

    /// Lets in who was accepted, or refuses them, or sees to what went wrong.
    pub fn admit<S: AsFd + TryInto<OwnedFd>>(
        &mut self,
        accepted: io::Result<(S, SocketAddr)>,
    ) -> Admission<S> {
        match accepted {
            Ok((socket, client)) => {
                // They come in the order in which they connected.
                self.early = self.early && !socket::prepare_early(&socket, &self.state.service.limits);
                self.backoff.succeeded();
                self.state.ledger.accepted();
                match self.state.enter_client(client) {
                    Ok(conversation) => Admission::Client(socket, conversation),
                    Err(reason) => {
                        self.refuse(socket, reason);
                        Admission::None
                    }
                }
            }
            Err(error) => match fault(&error) {
                Fault::Nobody => Admission::Nobody,
                Fault::Broken => {
                    tracing::error!(%error, "the listener is broken; the server stops");
                    self.broken = Some(error);
                    Admission::None
                }
                fault => {
                    self.failed(fault, &error);
                    Admission::None
                }
            },
        }
    }

    /// How the accepting ended, once it has [stopped](Accepting::Stopped).
    ///
    /// # Errors
    /// What has broken the listener.
    pub fn close(&mut self) -> io::Result<()> {
        self.broken.take().map_or(Ok(()), Err)
    }

    fn refuse<S: TryInto<OwnedFd>>(&mut self, socket: S, reason: CloseReason) {
        self.state.ledger.ended(reason, 0);
        self.state.say_refusal(socket, reason);
        if let Some(count) = self.refusals.often(Instant::now()) {
            let max = self.state.max_connections;
            tracing::warn!(count, %reason, max_connections = max, "clients were refused");
        }
    }

    fn failed(&mut self, fault: Fault, error: &io::Error) {
        let now = Instant::now();
        self.backoff.failed(fault, now);
        self.state.door.set_deadline(self.backoff.until(now), self.state.epoch);
        if fault == Fault::Exhausted {
            self.state.ledger.accept_error();
            self.state.bell.ring(); // the watchman learns when the pause ends
            if let Some(count) = self.failures.often(now) {
                tracing::error!(count, %error, "clients can't be accepted; trying again within a second");
            }
        }
    }
}

impl Drop for Acceptor {
    /// Nobody accepts any more: the server stops, if it does not yet, and whoever
    /// [waits](crate::Server::close_after_workers) for that is told.
    fn drop(&mut self) {
        if self.state.phase() == Phase::Serving {
            self.state.fail();
        }
        let ended = self.close();
        self.state.ending.tell(ended);
    }
}
