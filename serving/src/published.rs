//! What a server publishes while it runs, for its [`Running`](crate::Running).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::statistics::Statistics;

/// What a server publishes while it runs.
#[derive(Debug, Default)]
pub(crate) struct Published {
    statistics: Mutex<Statistics>,
    /// How often the maintenance thread has published the statistics.
    sweeps: AtomicU64,
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
    /// Publishes new statistics.
    pub(crate) fn publish(&self, statistics: Statistics) {
        *locked(&self.statistics) = statistics;
        self.sweeps.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn statistics(&self) -> Statistics {
        locked(&self.statistics).clone()
    }

    pub(crate) fn sweeps(&self) -> u64 {
        self.sweeps.load(Ordering::Relaxed)
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
