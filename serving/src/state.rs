//! What one call of `serve` shares among its workers, its acceptor and its maintenance thread.

use std::fmt;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::Socket;
use crate::accept_errors::LogLimiter;
use crate::blocking_threads::BlockingThreads;
use crate::connections::{Connections, Counter};
use crate::conversation::Conversation;
use crate::ending::Ending;
use crate::interrupt::Signalled;
use crate::record::Record;
use crate::statistics::Statistics;
use crate::{Clock, Notifier};
use common::{Address, Cell, Client, CloseReason, Connection, ErrorReply, Marks, Service};

/// What one call of `serve` shares among its workers, its acceptor and its maintenance thread.
pub(crate) struct State {
    pub(crate) service: Arc<Service>,
    /// The most connections at once: the service's limit, or what the backend can hold.
    pub(crate) max_connections: usize,
    pub(crate) clock: Clock,
    /// When the server was started.
    pub(crate) start: Instant,
    /// Wakes the maintenance thread.
    pub(crate) notifier: Arc<Notifier>,
    /// The threads that may have missed a signal.
    pub(crate) signalled: Arc<Signalled>,
    pub(crate) blocking_threads: Arc<BlockingThreads>,
    connections: Mutex<Connections>,
    /// Notified when no connection is left.
    empty: Condvar,
    /// Where the last statistics are shown to whoever has started the server.
    shown: Option<Arc<Mutex<Statistics>>>,
    phase: AtomicU8,
    /// Sockets that are to linger, which the maintenance thread fetches.
    lingering: Mutex<Vec<Socket>>,
    /// When it was last logged that clients can't be served.
    unserved: Mutex<LogLimiter>,
    /// Whether a client could not be accepted for want of descriptors.
    short_of_descriptors: AtomicBool,
    /// The acceptor's record, with the end of its pause for a deadline.
    pub(crate) acceptor: Record,
    pub(crate) ending: Ending,
    /// Whether the acceptor waits until a client leaves.
    acceptor_waits: AtomicBool,
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
        clock: Clock,
    ) -> io::Result<Arc<Self>> {
        let notifier = Notifier::new()?;
        let blocking_threads = BlockingThreads::new(service.blocking_thread_count());
        Ok(Arc::new(Self {
            service,
            max_connections,
            blocking_threads,
            start: clock.now(),
            clock,
            signalled: Signalled::new(&notifier),
            notifier,
            connections: Mutex::default(),
            empty: Condvar::new(),
            shown,
            phase: AtomicU8::new(Phase::Serving as u8),
            lingering: Mutex::default(),
            unserved: Mutex::default(),
            short_of_descriptors: AtomicBool::new(false),
            acceptor: Record::default(),
            ending: Ending::default(),
            acceptor_waits: AtomicBool::new(false),
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
        let mark = if phase == Phase::Cut { Marks::CUT } else { Marks::STOPPING };
        connections.records().for_each(|record| record.cell.mark(mark));
        drop(connections);
        self.acceptor.cell.mark(mark);
        if phase == Phase::Cut {
            self.ending.cut();
        }
    }

    /// Stops by itself, for want of something that it can't do without.
    pub(crate) fn fail(&self) {
        self.enter(Phase::Draining);
        self.notifier.notify();
    }

    /// Looks after the deadlines of all connections, and shows the statistics.
    pub(crate) fn sweep(&self) {
        let now = self.clock.now().saturating_duration_since(self.start);
        self.acceptor.sweep(now);
        let statistics = locked(&self.connections).sweep(now);
        self.show(statistics);
    }

    /// Counts a connection that was accepted, and opens it if there is room and the server does not stop.
    pub(crate) fn open_connection(
        self: &Arc<Self>,
        peer: Address,
        local: Address,
        number: u64,
    ) -> Result<Conversation, CloseReason> {
        let mut connections = locked(&self.connections);
        connections.count(|counted| counted.accepted += 1);
        if self.phase() != Phase::Serving {
            return Err(CloseReason::TooLate);
        }
        if connections.len() >= self.max_connections {
            return Err(CloseReason::Busy);
        }
        let (key, record) = connections.add().ok_or(CloseReason::Busy)?;
        drop(connections);
        let mut client =
            Client::with_cell(peer, number, Arc::clone(&record) as Arc<dyn AsRef<Cell> + Send + Sync>);
        client.local = local;
        let connection = Connection::new(Arc::clone(&self.service), client, self.clock.now());
        Ok(Conversation::new(connection, key, record, Arc::clone(self)))
    }

    /// Frees the place of a client that leaves.
    pub(crate) fn free(&self, key: u32) {
        locked(&self.connections).free(key);
        if self.acceptor_waits.load(Ordering::SeqCst) {
            self.acceptor.cell.mark(Marks::EXPIRED);
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

    /// How many connections are open.
    pub(crate) fn open(&self) -> u64 {
        locked(&self.connections).open()
    }

    /// Waits until no connection is left, at most for `timeout`. Returns how many are open.
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

    /// Whether there are as many connections as there may be. If so, the acceptor is woken when one of them ends.
    pub(crate) fn is_full(&self) -> bool {
        self.acceptor_waits.store(true, Ordering::SeqCst);
        let full = locked(&self.connections).len() >= self.max_connections;
        self.acceptor_waits.store(full, Ordering::SeqCst);
        full
    }

    /// Logs now and then that clients can't be served.
    pub(crate) fn log_unserved(&self, error: &io::Error) {
        if let Some(count) = locked(&self.unserved).count(self.clock.now()) {
            tracing::warn!(count, %error, "clients can't be served");
        }
    }

    /// Tells a client why it is not served, and closes its connection.
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

    /// Ends the output, and leaves the rest to the maintenance thread.
    pub(crate) fn linger(&self, socket: Socket) {
        socket.end_writing();
        locked(&self.lingering).push(socket);
        self.notifier.notify();
    }

    /// Asks the maintenance thread for the descriptors of sockets that linger.
    pub(crate) fn spare_descriptors(&self) {
        self.short_of_descriptors.store(true, Ordering::SeqCst);
        self.notifier.notify();
    }

    /// Whether they were asked for since the last time.
    pub(crate) fn wants_descriptors(&self) -> bool {
        self.short_of_descriptors.swap(false, Ordering::SeqCst)
    }

    /// The sockets that are to linger since the last time.
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
