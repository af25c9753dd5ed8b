//! What one call of `serve` shares among its workers, its acceptor and its watchman.

use std::fmt;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::Socket;
use crate::accept_errors::Seldom;
use crate::bell::Bell;
use crate::blocking_threads::BlockingThreads;
use crate::connections::{Connections, Counter};
use crate::conversation::Conversation;
use crate::ending::Ending;
use crate::statistics::Statistics;
use crate::watch::{CUT, STOPPING, Watch};
use common::{Client, CloseReason, Connection, ErrorReply, Service};

/// What one call of `serve` shares among its workers, its acceptor and its watchman.
pub(crate) struct State {
    pub(crate) service: Arc<Service>,
    /// The most connections at once: the service's limit, or what the backend can hold.
    pub(crate) max_connections: usize,
    pub(crate) epoch: Instant,
    /// Wakes the watchman.
    pub(crate) bell: Arc<Bell>,
    pub(crate) blocking_threads: Arc<BlockingThreads>,
    connections: Mutex<Connections>,
    /// Told when nobody is left.
    empty: Condvar,
    /// Where the last statistics are shown to whoever has started the server.
    shown: Option<Arc<Mutex<Statistics>>>,
    phase: AtomicU8,
    /// Sockets on their way to the watchman, who lingers over them.
    lingering: Mutex<Vec<Socket>>,
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
    pub(crate) fn new(
        service: Arc<Service>,
        max_connections: usize,
        shown: Option<Arc<Mutex<Statistics>>>,
    ) -> io::Result<Arc<Self>> {
        let blocking_threads = BlockingThreads::new(service.blocking_thread_count());
        Ok(Arc::new(Self {
            service,
            max_connections,
            blocking_threads,
            epoch: Instant::now(),
            bell: Bell::new()?,
            connections: Mutex::default(),
            empty: Condvar::new(),
            shown,
            phase: AtomicU8::new(Phase::Serving as u8),
            lingering: Mutex::default(),
            unserved: Mutex::default(),
            short_of_descriptors: AtomicBool::new(false),
            door: Watch::default(),
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
        let connections = locked(&self.connections);
        if self.phase.fetch_max(phase as u8, Ordering::SeqCst) >= phase as u8 {
            return;
        }
        let mark = if phase == Phase::Cut { CUT } else { STOPPING };
        connections.watches().for_each(|watch| watch.mark(mark));
        drop(connections);
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

    /// Looks after the deadlines of all connections, and shows the statistics.
    pub(crate) fn sweep(&self) {
        let now = self.epoch.elapsed();
        self.door.sweep(now);
        let statistics = locked(&self.connections).sweep(now);
        self.show(statistics);
    }

    /// Counts a connection that was accepted, and lets it in if there is room and the server does not stop.
    pub(crate) fn enter_client(self: &Arc<Self>, client: Client) -> Result<Conversation, CloseReason> {
        let mut connections = locked(&self.connections);
        connections.count(|counted| counted.accepted += 1);
        if self.phase() != Phase::Serving {
            return Err(CloseReason::TooLate);
        }
        if connections.len() >= self.max_connections {
            return Err(CloseReason::Busy);
        }
        let (key, watch) = connections.add().ok_or(CloseReason::Busy)?;
        drop(connections);
        let connection = Connection::new(Arc::clone(&self.service), client, Instant::now());
        Ok(Conversation::new(connection, key, watch, Arc::clone(self)))
    }

    /// Frees the place of a client that leaves.
    pub(crate) fn free(&self, key: u32) {
        locked(&self.connections).free(key);
        if self.door_waits.load(Ordering::SeqCst) {
            self.door.wake();
        }
    }

    /// A conversation has ended.
    pub(crate) fn ended(&self, reason: CloseReason) {
        let mut connections = locked(&self.connections);
        connections.count(|counted| counted.end(reason, 1));
        if connections.open() == 0 {
            self.empty.notify_all();
        }
    }

    /// Counts something.
    pub(crate) fn count(&self, count: impl FnOnce(&mut Statistics)) {
        locked(&self.connections).count(count);
    }

    /// A connection's count has gone beyond its 32 bits.
    #[cold]
    pub(crate) fn carry(&self, counter: &Counter, value: u64, total: fn(&mut Statistics) -> &mut u64) {
        locked(&self.connections).carry(counter, value, total);
    }

    /// How many conversations are open.
    pub(crate) fn open(&self) -> u64 {
        locked(&self.connections).open()
    }

    /// Waits until nobody is left, at most for `timeout`. Tells how many conversations are open.
    pub(crate) fn wait_until_empty(&self, timeout: Duration) -> u64 {
        let is_open = |connections: &mut Connections| connections.open() > 0;
        let waited = self.empty.wait_timeout_while(locked(&self.connections), timeout, is_open);
        waited.unwrap_or_else(PoisonError::into_inner).0.open()
    }

    /// Ends the counting, shows the last statistics, and tells them.
    pub(crate) fn close(&self) -> Statistics {
        let statistics = locked(&self.connections).close();
        self.show(statistics.clone());
        statistics
    }

    fn show(&self, statistics: Statistics) {
        if let Some(shown) = &self.shown {
            *locked(shown) = statistics;
        }
    }

    /// Whether everybody who may be here is. If so, the acceptor is woken when somebody leaves.
    pub(crate) fn is_full(&self) -> bool {
        self.door_waits.store(true, Ordering::SeqCst);
        let full = locked(&self.connections).len() >= self.max_connections;
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
    pub(crate) fn say_refusal(&self, socket: Socket, reason: CloseReason) {
        let error = match reason {
            CloseReason::TooLate => ErrorReply::ShuttingDown,
            _ => ErrorReply::Busy,
        };
        // A fresh socket takes a line at once; one that doesn't has no peer any more.
        let said = (&socket).write(self.service.refusal(&error).bytes()).unwrap_or(0);
        self.count(|counted| counted.bytes_out += said as u64);
        self.linger(socket);
    }

    /// Ends the output, and leaves the rest to the watchman.
    pub(crate) fn linger(&self, socket: Socket) {
        socket.end_writing();
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
    pub(crate) fn fetch_lingering(&self) -> Vec<Socket> {
        std::mem::take(&mut locked(&self.lingering))
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut state = f.debug_struct("State");
        state.field("phase", &self.phase()).field("max_connections", &self.max_connections);
        state.finish_non_exhaustive()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
