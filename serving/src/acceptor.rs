//! The acceptor: decides which clients are served, and when to accept the next.

use std::io;
use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use crate::accept_errors::{Backoff, Fault, LogLimiter, fault};
use crate::conversation::Conversation;
use crate::state::{Phase, State};
use crate::{Accepted, Socket};
use common::{Address, CloseReason, Overload, WakeQueue, canary};

/// Decides which clients a server serves. Backends accept with [`accept_all`](Self::accept_all),
/// [`poll_accept_all`](Self::poll_accept_all) or [`AcceptLoop`](crate::AcceptLoop), or with a loop of the same kind:
///
/// 1. [Register](Self::register) the waker of the task or thread that will wait.
/// 2. Do what [`what_now`](Self::what_now) returns: accept, wait until woken, or end.
/// 3. Pass the result of `accept` to [`admit`](Self::admit).
///
/// When the server stops, the loop continues to accept the clients in the backlog of the listener, which receive
/// `ERR shutting-down`.
#[derive(Debug)]
pub struct Acceptor {
    state: Arc<State>,
    /// The address of the listener.
    address: Address,
    backoff: Backoff,
    failures: LogLimiter,
    refusals: LogLimiter,
    broken: Option<io::Error>,
    /// How many clients were accepted.
    number: u64,
    /// Whether the next client may have connected before the listener was prepared.
    early: bool,
    /// How many clients may still be accepted from the backlog after the server began to stop.
    backlog: usize,
    /// Whether the backend has begun to accept.
    has_begun: bool,
}

/// What an accept loop does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepting {
    /// Accept a client.
    Accept,
    /// Wait until the registered waker is woken.
    Wait,
    /// End, and close the listener.
    Stopped,
}

/// The result of an attempt to accept.
#[derive(Debug)]
pub enum Admission<S = Socket> {
    /// A client to serve.
    Client(S, Conversation),
    /// No client to serve. Continue with [`Acceptor::what_now`].
    None,
    /// No client has connected: wait until the listener is readable or the registered waker is woken.
    WouldBlock,
}

/// The most clients that are accepted from the backlog after the server began to stop: the usual limit of a backlog.
/// The rest are reset when the listener is closed.
const BACKLOG: usize = 4096;

impl Acceptor {
    pub(crate) fn new(state: Arc<State>, address: Address) -> Self {
        let (backoff, failures, refusals) = Default::default();
        let early = matches!(address, Address::Ip(_)); // Unix sockets inherit no options
        let (broken, number, has_begun) = Default::default();
        Self {
            state,
            address,
            backoff,
            failures,
            refusals,
            broken,
            number,
            early,
            backlog: BACKLOG,
            has_begun,
        }
    }

    /// Registers `waker` to be woken when the server stops, or when a pause in accepting ends.
    pub fn register(&self, waker: &Waker) {
        self.state.acceptor.cell.register(waker);
    }

    /// Like [`register`](Self::register), for a worker that has a queue: pushes `slot` to it.
    pub fn register_slot(&self, queue: &Arc<WakeQueue>, slot: usize) {
        self.state.acceptor.cell.register_slot(queue, slot);
    }

    /// What the accept loop does next.
    pub fn what_now(&mut self) -> Accepting {
        let phase = self.state.phase();
        if !self.has_begun {
            self.has_begun = true;
            self.state.begin_accepting();
        }
        let is_shared = self.state.is_listener_shared() && !canary!("goes on with a shared listener");
        let is_left = self.backlog == 0 || is_shared;
        let has_ended = is_left || canary!("leaves the backlog at the stop");
        if self.broken.is_some() || (phase != Phase::Serving && has_ended) {
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

    /// Whether the server is stopping. Then a loop must go on until [`what_now`](Self::what_now) returns
    /// [`Stopped`](Accepting::Stopped) or [`Wait`](Accepting::Wait), since nothing tells it that the backlog is empty but an attempt.
    pub fn is_stopping(&self) -> bool {
        self.state.phase() != Phase::Serving
    }

    /// Opens the conversation of an accepted client, refuses the client, or handles the error.
    pub fn admit<S: Accepted>(&mut self, accepted: io::Result<(S, Address)>) -> Admission<S> {
        let is_stopping = self.is_stopping();
        if is_stopping {
            self.backlog = self.backlog.saturating_sub(1);
        }
        match accepted {
            Ok((socket, peer)) => {
                // Clients are accepted in the order in which they connected, so only the first ones can be early.
                self.early = self.early && !socket.prepare(&self.state.service.limits);
                self.backoff.succeeded();
                self.number += 1;
                let local = match &self.address {
                    Address::Ip(_) => socket.local_address(), // the listener may be bound to a wildcard address
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
                Fault::WouldBlock if is_stopping => {
                    self.backlog = 0; // it is empty
                    Admission::None
                }
                Fault::Exhausted if is_stopping && self.state.open() == 0 => {
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

    /// Reports that the listener is broken. The server stops, and ends with this error.
    pub fn fail(&mut self, error: io::Error) {
        tracing::error!(%error, "the listener is broken; the server stops");
        self.broken.get_or_insert(error);
    }

    fn now(&self) -> Instant {
        self.state.clock.now()
    }

    fn refuse(&mut self, socket: impl Accepted, reason: CloseReason) {
        self.state.send_refusal(socket, reason);
        if !canary!("counts no end of a refused client") {
            self.state.ended(if canary!("counts late clients as busy") { CloseReason::Busy } else { reason });
        }
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
            self.state.count(|counted| counted.accept_error(error.raw_os_error().unwrap_or(0)));
            self.state.request_descriptors(); // also notifies the maintenance thread, which ends the pause
            if let Some(count) = self.failures.count(now) {
                tracing::error!(count, %error, "accepting clients failed; retrying within a second");
            }
        }
    }
}

impl Drop for Acceptor {
    /// Ends accepting, for which [`close`](crate::Server::close) waits. If no stop was requested, the server drains.
    fn drop(&mut self) {
        let is_unrequested = self.state.phase() == Phase::Serving;
        if is_unrequested {
            self.state.fail();
        }
        let unrequested =
            || is_unrequested.then(|| io::Error::other("accepting ended, but no stop was requested"));
        self.state.ending.accepting_ended(self.broken.take().or_else(unrequested).map_or(Ok(()), Err));
    }
}
