//! What a server publishes for those who observe it.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::Statistics;

/// What a server publishes for those who observe it. Nothing here is locked while clients are served.
#[derive(Debug, Default)]
pub(crate) struct Published {
    statistics: Mutex<Statistics>,
    /// How often the statistics were published.
    sweeps: AtomicU64,
    /// The most connections at once; 0 until the server has opened.
    max_connections: AtomicUsize,
    /// Whether the server drains or cuts its clients, also if nobody has requested it.
    is_stopping: AtomicBool,
    start: Mutex<Start>,
    started: Condvar,
}

/// How far the start of a server has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Start {
    #[default]
    Starting,
    Accepting,
    Ended,
}

impl Published {
    pub(crate) fn statistics(&self) -> Statistics {
        locked(&self.statistics).clone()
    }

    pub(crate) fn set_statistics(&self, statistics: Statistics) {
        *locked(&self.statistics) = statistics;
        self.sweeps.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn sweeps(&self) -> u64 {
        self.sweeps.load(Ordering::Relaxed)
    }

    /// The most connections at once. `None` until the server has opened.
    pub(crate) fn max_connections(&self) -> Option<usize> {
        Some(self.max_connections.load(Ordering::Relaxed)).filter(|&max| max > 0)
    }

    pub(crate) fn set_max_connections(&self, max: usize) {
        self.max_connections.store(max, Ordering::Relaxed);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Relaxed)
    }

    pub(crate) fn set_stopping(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
    }

    /// The server accepts clients from now on.
    pub(crate) fn accepting(&self) {
        self.set(Start::Accepting);
    }

    /// The server has ended.
    pub(crate) fn ended(&self) {
        self.set(Start::Ended);
    }

    /// Waits until the server accepts clients or has ended. Returns whether it accepts.
    pub(crate) fn wait_until_accepting(&self) -> bool {
        let is_starting = |start: &mut Start| *start == Start::Starting;
        let start = self.started.wait_while(locked(&self.start), is_starting);
        *start.unwrap_or_else(PoisonError::into_inner) == Start::Accepting
    }

    fn set(&self, start: Start) {
        *locked(&self.start) = start;
        self.started.notify_all();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
