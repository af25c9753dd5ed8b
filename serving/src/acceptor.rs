//! The acceptor: which clients are served, and when to accept the next.

use std::io;
use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use crate::accept_errors::{Backoff, Fault, LogLimiter, fault};
use crate::conversation::Conversation;
use crate::state::{Phase, State};
use crate::{Socket, socket};
use common::{Address, CloseReason, Overload, WakeQueue};

/// Decides which clients a server serves. The accept loop of every backend, which is one of its own
/// ([`accept_all`](Self::accept_all), [`poll_accept_all`](Self::poll_accept_all), [`AcceptLoop`](crate::AcceptLoop))
/// or goes the same way, asks it what to do:
///
/// 1. Register the waker of whoever will wait ([`register`](Self::register)).
/// 2. [`what_now`](Self::what_now): accept, wait until woken, or end.
/// 3. Hand the result of `accept` to [`admit`](Self::admit).
///
/// When the server stops, it goes on to accept the clients in the listener's backlog, to tell them so.
#[derive(Debug)]
pub struct Acceptor {
    state: Arc<State>,
    /// The listener's.
    address: Address,
    backoff: Backoff,
    failures: LogLimiter,
    refusals: LogLimiter,
    broken: Option<io::Error>,
    /// How many clients were accepted.
    number: u64,
    /// Whether the next client may have connected before the listener was prepared.
    early: bool,
    /// Once the server stops: how many clients of the backlog may still be accepted, to be told so.
    backlog: usize,
}

/// What an accept loop is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepting {
    /// Accept a client.
    Accept,
    /// Wait until the registered waker is woken.
    Wait,
    /// End, and close the listener.
    Stopped,
}

/// What became of an attempt to accept.
#[derive(Debug)]
pub enum Admission {
    /// A client to be served.
    Client(Socket, Conversation),
    /// None to be served; ask what to do next.
    None,
    /// No client has connected: wait until the listener is readable or the registered waker is woken.
    WouldBlock,
}

/// When the server stops, so many clients that had connected before are told so, which is the usual bound of a backlog.
/// The connections that have not been accepted by then are reset when the listener is closed.
const BACKLOG: usize = 4096;

impl Acceptor {
    pub(crate) fn new(state: Arc<State>, address: Address) -> Self {
        let (backoff, failures, refusals) = Default::default();
        let backlog = if state.service.shared_listener { 0 } else { BACKLOG };
        let early = matches!(address, Address::Ip(_)); // only these have options to inherit
        Self { state, address, backoff, failures, refusals, broken: None, number: 0, early, backlog }
    }

    /// Has `waker` woken when the server stops, or when it is to accept again after a pause.
    pub fn register(&self, waker: &Waker) {
        self.state.acceptor.cell.register(waker);
    }

    /// As [`register`](Self::register), for a worker that has a queue: puts `slot` into it.
    pub fn register_slot(&self, queue: &Arc<WakeQueue>, slot: usize) {
        self.state.acceptor.cell.register_slot(queue, slot);
    }

    /// What to do.
    pub fn what_now(&mut self) -> Accepting {
        let phase = self.state.phase();
        if self.broken.is_some() || (phase != Phase::Serving && self.backlog == 0) {
            return Accepting::Stopped;
        }
        self.state.acceptor.cell.take_marks();
        let pause = self.backoff.until(self.now());
        self.state.acceptor.set_deadline(pause, self.state.start);
        let queue = self.state.service.limits.overload == Overload::Queue;
        match phase {
            Phase::Serving if queue && self.state.is_full() => Accepting::Wait,
            Phase::Serving | Phase::Draining if pause.is_some() => Accepting::Wait,
            Phase::Cut if pause.is_some() => Accepting::Stopped,
            _ => Accepting::Accept,
        }
    }

    /// Opens the conversation of a client that was accepted, or refuses it, or handles the error.
    pub fn admit(&mut self, accepted: io::Result<(Socket, Address)>) -> Admission {
        let stops = self.state.phase() != Phase::Serving;
        if stops {
            self.backlog = self.backlog.saturating_sub(1);
        }
        match accepted {
            Ok((socket, peer)) => {
                // They come in the order in which they connected.
                self.early = self.early && !socket::prepare_early(&socket, &self.state.service.limits);
                self.backoff.succeeded();
                self.number += 1;
                let local = match &self.address {
                    Address::Ip(_) => socket.address(), // the listener may be bound to all
                    address => address.clone(),
                };
                match self.state.open_connection(peer, local, self.number) {
                    Ok(conversation) => Admission::Client(socket, conversation),
                    Err(reason) => {
                        self.refuse(socket, reason);
                        Admission::None
                    }
                }
            }
            Err(error) => match fault(&error) {
                Fault::WouldBlock if stops => {
                    self.backlog = 0; // it is empty
                    Admission::None
                }
                Fault::Exhausted if stops && self.state.open() == 0 => {
                    self.backlog = 0; // no connection is left whose descriptor could become free
                    Admission::None
                }
                Fault::WouldBlock => Admission::WouldBlock,
                Fault::Broken => {
                    self.fail(error);
                    Admission::None
                }
                fault => {
                    self.failed(fault, &error);
                    Admission::None
                }
            },
        }
    }

    /// The listener can't be accepted from, or not be waited for: the server stops, and its end is this error.
    pub fn fail(&mut self, error: io::Error) {
        tracing::error!(%error, "the listener is broken; the server stops");
        self.broken.get_or_insert(error);
    }

    fn now(&self) -> Instant {
        self.state.clock.now()
    }

    fn refuse(&mut self, socket: Socket, reason: CloseReason) {
        self.state.say_refusal(socket, reason);
        self.state.ended(reason);
        if let Some(count) = self.refusals.count(self.now()) {
            let max = self.state.max_connections;
            tracing::warn!(count, %reason, max_connections = max, "clients were refused");
        }
    }

    fn failed(&mut self, fault: Fault, error: &io::Error) {
        let now = self.now();
        self.backoff.failed(fault, now);
        self.state.acceptor.set_deadline(self.backoff.until(now), self.state.start);
        if fault == Fault::Exhausted {
            self.state.count(|counted| counted.accept_errors += 1);
            self.state.spare_descriptors(); // and the maintenance thread sees when the pause ends
            if let Some(count) = self.failures.count(now) {
                tracing::error!(count, %error, "clients can't be accepted; trying again within a second");
            }
        }
    }
}

impl Drop for Acceptor {
    /// No client is accepted any more: the server stops, if it does not yet, and [`close`](crate::Server::close) goes on.
    fn drop(&mut self) {
        let early = self.state.phase() == Phase::Serving;
        if early {
            self.state.fail();
        }
        let unasked =
            || early.then(|| io::Error::other("the accepting has ended though the server was not to stop"));
        self.state.ending.tell(self.broken.take().or_else(unasked).map_or(Ok(()), Err));
    }
}
