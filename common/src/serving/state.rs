//! What one call of `serve` shares among its workers, its acceptor and its watchman.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rustix::net::send;
use slab::Slab;

use crate::core::{CloseReason, Connection, ErrorReply, Outbox, Service};
use crate::serving::bell::Bell;
use crate::serving::conversation::Conversation;
use crate::serving::ending::Ending;
use crate::serving::ledger::Ledger;
use crate::serving::socket;
use crate::serving::watch::{CUT, STOPPING, Watch};

/// What one call of `serve` shares among its workers, its acceptor and its watchman.
pub(super) struct State {
    pub(super) service: Arc<Service>,
    /// The most connections at once: the service's limit, or what the backend can hold.
    pub(super) max_connections: usize,
    pub(super) epoch: Instant,
    pub(super) ledger: Ledger,
    /// Wakes the watchman.
    pub(super) bell: Arc<Bell>,
    watches: Mutex<Slab<Arc<Watch>>>,
    phase: AtomicU8,
    /// Sockets on their way to the watchman, who lingers over them.
    lingering: Mutex<Vec<OwnedFd>>,
    /// The acceptor's, with the end of its pause for a deadline.
    pub(super) door: Watch,
    pub(super) ending: Ending,
    /// Whether the acceptor waits for somebody to leave.
    door_waits: AtomicBool,
}

/// How far the server is with its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Serving,
    Draining,
    Cut,
}

impl State {
    pub(super) fn new(service: Arc<Service>, max_connections: usize) -> io::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            service,
            max_connections,
            epoch: Instant::now(),
            ledger: Ledger::default(),
            bell: Bell::new()?,
            watches: Mutex::default(),
            phase: AtomicU8::new(Phase::Serving as u8),
            lingering: Mutex::default(),
            door: Watch::new(),
            ending: Ending::default(),
            door_waits: AtomicBool::new(false),
        }))
    }

    pub(super) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::SeqCst) {
            0 => Phase::Serving,
            1 => Phase::Draining,
            _ => Phase::Cut,
        }
    }

    /// Goes on to a later phase, and tells everybody.
    pub(super) fn enter(&self, phase: Phase) {
        let watches = locked(&self.watches);
        if self.phase.fetch_max(phase as u8, Ordering::SeqCst) >= phase as u8 {
            return;
        }
        let mark = if phase == Phase::Cut { CUT } else { STOPPING };
        watches.iter().for_each(|(_, watch)| watch.mark(mark));
        drop(watches);
        self.door.wake();
        if phase == Phase::Cut {
            self.ending.tell(Ok(()));
        }
    }

    /// Stops by itself, for want of something that it can't do without.
    pub(super) fn fail(&self) {
        self.enter(Phase::Draining);
        self.bell.ring();
    }

    pub(super) fn sweep(&self) {
        let now = self.epoch.elapsed();
        self.door.sweep(now);
        locked(&self.watches).iter().for_each(|(_, watch)| watch.sweep(now));
    }

    /// Lets a client in, if there is room and the server does not stop.
    pub(super) fn enter_client(self: &Arc<Self>, client: SocketAddr) -> Result<Conversation, CloseReason> {
        let mut watches = locked(&self.watches);
        if self.phase() != Phase::Serving {
            return Err(CloseReason::TooLate);
        }
        if watches.len() >= self.max_connections {
            return Err(CloseReason::Busy);
        }
        let watch = Arc::new(Watch::new());
        let Ok(key) = u32::try_from(watches.insert(Arc::clone(&watch))) else {
            return Err(CloseReason::Busy);
        };
        drop(watches);
        let connection = Connection::new(Arc::clone(&self.service), client, Instant::now());
        Ok(Conversation::new(connection, key, watch, Arc::clone(self)))
    }

    /// A client has left: its place is free before it can see that it was let go.
    pub(super) fn leave(&self, key: u32, reason: CloseReason, messages: u64) {
        locked(&self.watches).remove(key as usize);
        self.ledger.ended(reason, messages);
        if self.door_waits.load(Ordering::SeqCst) {
            self.door.wake();
        }
    }

    /// Whether everybody who may be here is. If so, the acceptor is woken when somebody leaves.
    pub(super) fn is_full(&self) -> bool {
        self.door_waits.store(true, Ordering::SeqCst);
        let full = locked(&self.watches).len() >= self.max_connections;
        self.door_waits.store(full, Ordering::SeqCst);
        full
    }

    /// Tells a client why it is not served, and lets it go.
    pub(super) fn say_refusal<S: TryInto<OwnedFd>>(&self, socket: S, reason: CloseReason) {
        let Ok(socket) = socket.try_into() else { return };
        let error = match reason {
            CloseReason::TooLate => ErrorReply::ShuttingDown,
            _ => ErrorReply::Busy,
        };
        let mut out = Outbox::new();
        self.service.application.refuse(&error, &self.service.limits, &mut out);
        // A fresh socket takes a line at once; one that doesn't has no peer any more.
        let _ = send(&socket, out.bytes(), socket::SEND);
        self.linger(socket);
    }

    /// Ends the output, and leaves the rest to the watchman.
    pub(super) fn linger(&self, socket: OwnedFd) {
        socket::end_writing(socket.as_fd());
        locked(&self.lingering).push(socket);
        self.bell.ring();
    }

    /// What the watchman has not fetched yet.
    pub(super) fn fetch_lingering(&self) -> Vec<OwnedFd> {
        std::mem::take(&mut locked(&self.lingering))
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
