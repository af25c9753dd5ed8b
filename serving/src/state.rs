//! What one call of `serve` shares among its workers, its acceptor and its watchman.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rustix::net::send;
use slab::Slab;

use crate::accept_errors::Seldom;
use crate::bell::Bell;
use crate::blocking_threads::BlockingThreads;
use crate::conversation::Conversation;
use crate::ending::Ending;
use crate::ledger::Ledger;
use crate::socket;
use crate::watch::{CUT, STOPPING, Watch};
use common::{Client, CloseReason, Connection, ErrorReply, Service};

/// What one call of `serve` shares among its workers, its acceptor and its watchman.
pub(crate) struct State {
    pub(crate) service: Arc<Service>,
    /// The most connections at once: the service's limit, or what the backend can hold.
    pub(crate) max_connections: usize,
    pub(crate) epoch: Instant,
    pub(crate) ledger: Ledger,
    /// Wakes the watchman.
    pub(crate) bell: Arc<Bell>,
    pub(crate) blocking_threads: Arc<BlockingThreads>,
    watches: Mutex<Slab<Arc<Watch>>>,
    phase: AtomicU8,
    /// Sockets on their way to the watchman, who lingers over them.
    lingering: Mutex<Vec<OwnedFd>>,
    /// When it was last said that clients can't be served.
    unserved: Mutex<Seldom>,
    /// Whether a client could not be accepted for want of descriptors.
    short_of_descriptors: AtomicBool,
    /// The acceptor's, with the end of its pause for a deadline.
    pub(crate) door: Watch,
    pub(crate) ending: Ending,
    /// Whether the acceptor waits for somebody to leave.
    door_waits: AtomicBool,
}

/// How far the server is with its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Serving,
    Draining,
    Cut,
}

impl State {
    pub(crate) fn new(service: Arc<Service>, max_connections: usize) -> io::Result<Arc<Self>> {
        let blocking_threads = BlockingThreads::new(service.blocking_thread_count());
        Ok(Arc::new(Self {
            service,
            max_connections,
            blocking_threads,
            epoch: Instant::now(),
            ledger: Ledger::default(),
            bell: Bell::new()?,
            watches: Mutex::default(),
            phase: AtomicU8::new(Phase::Serving as u8),
            lingering: Mutex::default(),
            unserved: Mutex::default(),
            short_of_descriptors: AtomicBool::new(false),
            door: Watch::new(),
            ending: Ending::default(),
            door_waits: AtomicBool::new(false),
        }))
    }

    pub(crate) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::SeqCst) {
            0 => Phase::Serving,
            1 => Phase::Draining,
            _ => Phase::Cut,
        }
    }

    /// Goes on to a later phase, and tells everybody.
    pub(crate) fn enter(&self, phase: Phase) {
        let watches = locked(&self.watches);
        if self.phase.fetch_max(phase as u8, Ordering::SeqCst) >= phase as u8 {
            return;
        }
        let mark = if phase == Phase::Cut { CUT } else { STOPPING };
        watches.iter().for_each(|(_, watch)| watch.mark(mark));
        drop(watches);
        self.door.wake();
        if phase == Phase::Cut {
            self.ending.cut();
        }
    }

    /// Stops by itself, for want of something that it can't do without.
    pub(crate) fn fail(&self) {
        self.enter(Phase::Draining);
        self.bell.ring();
    }

    pub(crate) fn sweep(&self) {
        let now = self.epoch.elapsed();
        self.door.sweep(now);
        locked(&self.watches).iter().for_each(|(_, watch)| watch.sweep(now));
    }

    /// Lets a client in, if there is room and the server does not stop.
    pub(crate) fn enter_client(self: &Arc<Self>, client: Client) -> Result<Conversation, CloseReason> {
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

    /// Frees the place of a client that leaves.
    pub(crate) fn free(&self, key: u32) {
        locked(&self.watches).remove(key as usize);
        if self.door_waits.load(Ordering::SeqCst) {
            self.door.wake();
        }
    }

    /// Whether everybody who may be here is. If so, the acceptor is woken when somebody leaves.
    pub(crate) fn is_full(&self) -> bool {
        self.door_waits.store(true, Ordering::SeqCst);
        let full = locked(&self.watches).len() >= self.max_connections;
        self.door_waits.store(full, Ordering::SeqCst);
        full
    }

    /// Says now and then that clients can't be served.
    pub(crate) fn log_unserved(&self, error: &io::Error) {
        if let Some(count) = locked(&self.unserved).often(Instant::now()) {
            tracing::warn!(count, %error, "clients can't be served");
        }
    }

    /// Tells a client why it is not served, and lets it go.
    pub(crate) fn say_refusal(&self, socket: impl Into<OwnedFd>, reason: CloseReason) {
        let socket = socket.into();
        let error = match reason {
            CloseReason::TooLate => ErrorReply::ShuttingDown,
            _ => ErrorReply::Busy,
        };
        // A fresh socket takes a line at once; one that doesn't has no peer any more.
        let _ = send(&socket, self.service.refusal(&error).bytes(), socket::SEND);
        self.linger(socket);
    }

    /// Ends the output, and leaves the rest to the watchman.
    pub(crate) fn linger(&self, socket: OwnedFd) {
        socket::end_writing(socket.as_fd());
        locked(&self.lingering).push(socket);
        self.bell.ring();
    }

    /// Asks the watchman for the descriptors of sockets that linger.
    pub(crate) fn spare_descriptors(&self) {
        self.short_of_descriptors.store(true, Ordering::SeqCst);
        self.bell.ring();
    }

    /// Whether they were asked for since the last time.
    pub(crate) fn wants_descriptors(&self) -> bool {
        self.short_of_descriptors.swap(false, Ordering::SeqCst)
    }

    /// What the watchman has not fetched yet.
    pub(crate) fn fetch_lingering(&self) -> Vec<OwnedFd> {
        std::mem::take(&mut locked(&self.lingering))
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
