//! The state of a server, which its workers, its acceptor and its maintenance thread share.

use std::fmt;
use std::io;
use std::sync::{Arc, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use crate::Accepted;
use crate::accept_errors::LogLimiter;
use crate::blocking_threads::BlockingThreads;
use crate::connections::Connections;
use crate::conversation::Conversation;
use crate::ending::Ending;
use crate::interrupt::Signalled;
use crate::published::Published;
use crate::statistics::Statistics;
use common::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use common::sync::{Condvar, Mutex, MutexGuard};
use common::{
    Address, Client, Clock, CloseReason, Connection, Counter, ErrorReply, Marks, Record, Service, canary,
};

/// The state of a server, which its workers, its acceptor and its maintenance thread share.
pub(crate) struct State {
    pub(crate) service: Arc<Service>,
    /// The most connections at once: the smaller one of the service's limit and the backend's.
    pub(crate) max_connections: usize,
    pub(crate) clock: Clock,
    /// When the server was started.
    pub(crate) start: Instant,
    /// Wakes the maintenance thread.
    pub(crate) maintenance: Waker,
    /// Threads that may have missed a signal.
    pub(crate) signalled: Arc<Signalled>,
    pub(crate) blocking_threads: Arc<BlockingThreads>,
    connections: Mutex<Connections>,
    /// Notified when no connection is left.
    empty: Condvar,
    /// Where the statistics are published for those who observe the server.
    published: Option<Arc<Published>>,
    phase: AtomicU8,
    /// Whether another server continues to accept from the same listener.
    is_listener_shared: AtomicBool,
    /// New lingering sockets, which the maintenance thread takes.
    lingering: Mutex<Vec<Box<dyn Accepted>>>,
    /// Limits the message that clients can't be served.
    unserved: Mutex<LogLimiter>,
    /// Whether accepting has failed for lack of descriptors.
    descriptors_requested: AtomicBool,
    /// The acceptor's record, whose deadline is the end of a pause in accepting.
    pub(crate) acceptor: Record,
    pub(crate) ending: Ending,
    /// Whether the acceptor waits until a connection ends.
    acceptor_waits: AtomicBool,
    /// Whether all conversations have ended. Then maintenance ends when no socket lingers.
    finishing: AtomicBool,
}

/// The phases of a server.
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
        published: Option<Arc<Published>>,
        clock: Clock,
        maintenance: Waker,
    ) -> Arc<Self> {
        let blocking_threads = BlockingThreads::new(service.blocking_thread_count());
        if let Some(published) = &published {
            published.set_max_connections(max_connections);
        }
        Arc::new(Self {
            is_listener_shared: AtomicBool::new(service.shared_listener),
            service,
            max_connections,
            blocking_threads,
            start: clock.now(),
            clock,
            signalled: Signalled::new(maintenance.clone()),
            maintenance,
            connections: Mutex::default(),
            empty: Condvar::new(),
            published,
            phase: AtomicU8::new(Phase::Serving as u8),
            lingering: Mutex::default(),
            unserved: Mutex::default(),
            descriptors_requested: AtomicBool::new(false),
            acceptor: Record::default(),
            ending: Ending::default(),
            acceptor_waits: AtomicBool::new(false),
            finishing: AtomicBool::new(false),
        })
    }

    pub(crate) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::SeqCst) {
            0 => Phase::Serving,
            1 => Phase::Draining,
            _ => Phase::Cut,
        }
    }

    /// Leaves the clients that were not accepted yet to another server.
    pub(crate) fn share_listener(&self) {
        self.is_listener_shared.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_listener_shared(&self) -> bool {
        self.is_listener_shared.load(Ordering::SeqCst)
    }

    /// Publishes that clients are accepted from now on.
    pub(crate) fn begin_accepting(&self) {
        if let Some(published) = &self.published {
            published.accepting();
        }
    }

    /// Enters a later phase, and marks all connections and the acceptor.
    pub(crate) fn enter(&self, phase: Phase) {
        let connections = locked(&self.connections);
        if self.phase.fetch_max(phase as u8, Ordering::SeqCst) >= phase as u8 {
            return;
        }
        if let Some(published) = &self.published {
            published.set_stopping();
        }
        let mark = if phase == Phase::Cut { Marks::CUT } else { Marks::STOPPING };
        connections.records().for_each(|record| record.cell.mark(mark));
        drop(connections);
        if !canary!("stops without telling the acceptor") {
            self.acceptor.cell.mark(mark);
        }
        if phase == Phase::Cut {
            self.ending.cut();
        }
    }

    fn since_start(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.start)
    }

    /// Ends maintenance once no socket lingers, since all conversations have ended.
    pub(crate) fn finish(&self) {
        self.blocking_threads.close();
        self.finishing.store(true, Ordering::SeqCst);
        self.maintenance.wake_by_ref();
    }

    pub(crate) fn is_finishing(&self) -> bool {
        self.finishing.load(Ordering::SeqCst)
    }

    /// Drains the server without a request, since a part of it has failed.
    pub(crate) fn fail(&self) {
        self.enter(Phase::Draining);
        self.maintenance.wake_by_ref();
    }

    /// Wakes the connections whose deadline has passed, and publishes the statistics.
    pub(crate) fn sweep(&self) {
        let now = self.since_start(self.clock.now());
        if !canary!("forgets the end of a pause") {
            self.acceptor.sweep(now);
        }
        let statistics = locked(&self.connections).sweep(now);
        self.publish(statistics);
    }

    /// Counts an accepted connection, and opens it unless the server is full or stopping.
    pub(crate) fn open_connection(
        self: &Arc<Self>,
        peer: Address,
        local: Address,
        number: u64,
    ) -> Result<Conversation, CloseReason> {
        let now = self.clock.now();
        let mut connections = locked(&self.connections);
        connections.count(|counted| counted.accepted += 1 + u64::from(canary!("counts a client twice")));
        // A client that was accepted when the listener was handed over is served by this server, as far as a drain does so.
        let is_late = self.phase() == Phase::Draining
            && self.is_listener_shared()
            && !canary!("refuses a client that came before the hand-over");
        if self.phase() != Phase::Serving && !is_late {
            return Err(CloseReason::TooLate);
        }
        let ahead = usize::from(canary!("refuses a client while there is room"));
        if connections.len() + ahead
            >= self.max_connections + usize::from(canary!("admits a client too many"))
        {
            return Err(CloseReason::Busy);
        }
        let record = connections.add(&self.service.limits, self.since_start(now)).ok_or(CloseReason::Busy)?;
        drop(connections);
        if is_late && !canary!("tells a late client nothing of the stop") {
            record.cell.mark(Marks::STOPPING);
        }
        let mut client = Client::with_record(peer, number, record);
        client.local = local;
        let connection = Connection::new(Arc::clone(&self.service), client, now);
        Ok(Conversation::new(connection, Arc::clone(self)))
    }

    /// Frees the place of a connection that is about to end for this reason.
    pub(crate) fn free(&self, record: &Record, reason: CloseReason) {
        let now = self.since_start(self.clock.now());
        locked(&self.connections).free(record, reason, now);
        if self.acceptor_waits.load(Ordering::SeqCst) && !canary!("frees a place without a wake-up") {
            self.acceptor.cell.mark(Marks::EXPIRED);
        }
    }

    /// Counts the end of a conversation.
    pub(crate) fn ended(&self, reason: CloseReason) {
        let mut connections = locked(&self.connections);
        connections.count(|counted| counted.end(reason, 1));
        if connections.open() == 0 {
            self.empty.notify_all();
        }
    }

    /// Changes the counts, unless counting has ended.
    pub(crate) fn count(&self, count: impl FnOnce(&mut Statistics)) {
        locked(&self.connections).count(count);
    }

    /// Adds the high bits of a connection's count to the server's counts.
    #[cold]
    pub(crate) fn carry(&self, counter: &Counter, value: u64, total: fn(&mut Statistics) -> &mut u64) {
        locked(&self.connections).carry(counter, value, total);
    }

    /// The number of open connections.
    pub(crate) fn open(&self) -> u64 {
        locked(&self.connections).open()
    }

    /// Waits until no connection is open, or for `timeout`. Returns the number of open connections.
    pub(crate) fn wait_until_empty(&self, timeout: Duration) -> u64 {
        let is_open = |connections: &mut Connections| connections.open() > 0;
        let waited = self.empty.wait_timeout_while(locked(&self.connections), timeout, is_open);
        waited.unwrap_or_else(PoisonError::into_inner).0.open()
    }

    /// Ends counting, and publishes and returns the final statistics.
    pub(crate) fn close(&self) -> Statistics {
        let open: Vec<_> = locked(&self.connections).records().map(Arc::clone).collect();
        open.iter().for_each(|record| record.cell.leave()); // outside the lock, since it wakes tasks
        let statistics = locked(&self.connections).close(self.since_start(self.clock.now()));
        self.publish(statistics.clone());
        statistics
    }

    /// The current statistics.
    pub(crate) fn statistics(&self) -> Statistics {
        locked(&self.connections).statistics()
    }

    fn publish(&self, statistics: Statistics) {
        if let Some(published) = &self.published {
            published.set_statistics(statistics);
        }
    }

    /// Whether the limit of connections is reached. If so, the acceptor is woken when one of them ends.
    pub(crate) fn is_full(&self) -> bool {
        self.acceptor_waits.store(true, Ordering::SeqCst);
        let full = locked(&self.connections).len() >= self.max_connections;
        self.acceptor_waits.store(full, Ordering::SeqCst);
        full
    }

    /// Logs that clients can't be served, at a limited rate.
    pub(crate) fn log_unserved(&self, error: &io::Error) {
        if let Some(count) = locked(&self.unserved).count(self.clock.now()) {
            tracing::warn!(count, %error, "clients can't be served");
        }
    }

    /// Sends a client the reason why it is not served, and closes the connection.
    pub(crate) fn send_refusal(&self, socket: impl Accepted, reason: CloseReason) {
        let error = match reason {
            CloseReason::TooLate => ErrorReply::ShuttingDown,
            _ => ErrorReply::Busy,
        };
        // A new socket has room for a line, so this fails only if the peer has disconnected.
        let sent = socket.send(self.service.refusal(&error).bytes()).unwrap_or(0);
        self.count(|counted| counted.bytes_out += sent as u64);
        self.linger(socket);
    }

    /// Shuts down the output, and passes the socket to the maintenance thread.
    pub(crate) fn linger(&self, socket: impl Accepted) {
        socket.end_writing();
        locked(&self.lingering).push(Box::new(socket));
        self.maintenance.wake_by_ref();
    }

    /// Asks the maintenance thread to close lingering sockets.
    pub(crate) fn request_descriptors(&self) {
        self.descriptors_requested.store(true, Ordering::SeqCst);
        self.maintenance.wake_by_ref();
    }

    /// Whether descriptors were requested since the last call.
    pub(crate) fn take_descriptors_request(&self) -> bool {
        self.descriptors_requested.swap(false, Ordering::SeqCst)
    }

    /// Takes the new lingering sockets.
    pub(crate) fn take_lingering(&self) -> Vec<Box<dyn Accepted>> {
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
