//! What a server publishes for those who observe it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::Statistics;

/// What a server publishes for those who observe it. Nothing here is locked while clients are served.
#[derive(Debug, Default)]
pub(crate) struct Published {
    statistics: Mutex<Statistics>,
    /// The most connections at once; 0 until the server has opened.
    max_connections: AtomicUsize,
    /// Whether the server drains or cuts its clients, also if nobody has requested it.
    is_stopping: AtomicBool,
}

impl Published {
    pub(crate) fn statistics(&self) -> Statistics {
        self.locked().clone()
    }

    pub(crate) fn set_statistics(&self, statistics: Statistics) {
        *self.locked() = statistics;
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

    fn locked(&self) -> MutexGuard<'_, Statistics> {
        self.statistics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
