//! The door: who is let in, and when to look for the next.

use std::io;
use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use crate::Socket;
use crate::accept_errors::{Backoff, Fault, Seldom, fault};
use crate::conversation::Conversation;
use crate::socket;
use crate::state::{Phase, State};
use common::{Address, Client, CloseReason, Overload};

/// The door of a server. The accept loop of every backend, which is one of its own
/// ([`accept_all`](Self::accept_all), [`poll_accept_all`](Self::poll_accept_all), [`accept_turn`](Self::accept_turn))
/// or goes the same way, asks it what to do:
///
/// 1. Register the waker of whoever will wait ([`register`](Self::register)).
/// 2. [`what_now`](Self::what_now): accept, wait until woken, or end.
/// 3. Hand the result of the accepting to [`admit`](Self::admit).
///
/// When the server stops it goes on to accept those who are in the listener's backlog, to tell them.
#[derive(Debug)]
pub struct Acceptor {
    state: Arc<State>,
    /// The listener's.
    address: Address,
    backoff: Backoff,
    failures: Seldom,
    refusals: Seldom,
    broken: Option<io::Error>,
    /// How many clients were accepted.
    number: u64,
    /// Whether the next client may have connected before the listener was prepared.
    early: bool,
    /// Once the server stops: how many clients may still be accepted, to be told so.
    left_to_tell: usize,
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
#[derive(Debug)]
pub enum Admission {
    /// A client to be served.
    Client(Socket, Conversation),
    /// Nobody to be served; ask what to do next.
    None,
    /// Nobody is there: wait until the listener can be read, or the registered waker is woken.
    Nobody,
}

/// When the server stops, so many clients that had connected before are told, which is the usual bound of a backlog.
/// Those who have not been accepted by then are reset when the listener is closed.
const MOST_TOLD: usize = 4096;

impl Acceptor {
    pub(crate) fn new(state: Arc<State>, address: Address) -> Self {
        let (backoff, failures, refusals) = Default::default();
        let left_to_tell = if state.service.shared_listener { 0 } else { MOST_TOLD };
        let early = matches!(address, Address::Ip(_)); // only these have options to inherit
        Self { state, address, backoff, failures, refusals, broken: None, number: 0, early, left_to_tell }
    }

    /// Who is to be woken when the server stops, or when there is somebody to accept after a pause.
    pub fn register(&self, waker: &Waker) {
        self.state.door.register(waker);
    }

    /// What to do.
    pub fn what_now(&mut self) -> Accepting {
        let phase = self.state.phase();
        if self.broken.is_some() || (phase != Phase::Serving && self.left_to_tell == 0) {
            return Accepting::Stopped;
        }
        self.state.door.take_marks();
        let pause = self.backoff.until(Instant::now());
        self.state.door.set_deadline(pause, self.state.epoch);
        let queue = self.state.service.limits.overload == Overload::Queue;
        match phase {
            Phase::Serving if queue && self.state.is_full() => Accepting::Wait,
            Phase::Serving | Phase::Draining if pause.is_some() => Accepting::Wait,
            Phase::Cut if pause.is_some() => Accepting::Stopped,
            _ => Accepting::Accept,
        }
    }

    /// Lets in who was accepted, or refuses them, or sees to what went wrong.
    pub fn admit(&mut self, accepted: io::Result<(Socket, Address)>) -> Admission {
        let stops = self.state.phase() != Phase::Serving;
        if stops {
            self.left_to_tell = self.left_to_tell.saturating_sub(1);
        }
        match accepted {
            Ok((socket, peer)) => {
                // They come in the order in which they connected.
                self.early = self.early && !socket::prepare_early(&socket, &self.state.service.limits);
                self.backoff.succeeded();
                self.number += 1;
                let mut client = Client::new(peer);
                client.local = match &self.address {
                    Address::Ip(_) => socket.address(), // the listener may be bound to all
                    address => address.clone(),
                };
                client.number = self.number;
                match self.state.enter_client(client) {
                    Ok(conversation) => Admission::Client(socket, conversation),
                    Err(reason) => {
                        self.refuse(socket, reason);
                        Admission::None
                    }
                }
            }
            Err(error) => match fault(&error) {
                Fault::Nobody if stops => {
                    self.left_to_tell = 0; // all have been told
                    Admission::None
                }
                Fault::Exhausted if stops && self.state.open() == 0 => {
                    self.left_to_tell = 0; // nobody is left whose descriptor could become free
                    Admission::None
                }
                Fault::Nobody => Admission::Nobody,
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

    fn refuse(&mut self, socket: Socket, reason: CloseReason) {
        self.state.say_refusal(socket, reason);
        self.state.ended(reason);
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
            self.state.count(|counted| counted.accept_errors += 1);
            self.state.spare_descriptors(); // and the watchman learns when the pause ends
            if let Some(count) = self.failures.often(now) {
                tracing::error!(count, %error, "clients can't be accepted; trying again within a second");
            }
        }
    }
}

impl Drop for Acceptor {
    /// Nobody accepts any more: the server stops, if it does not yet, and whoever [waits](crate::Server::close) for
    /// that is told.
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
