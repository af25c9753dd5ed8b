//! Virtual time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use common::Clock;

/// A clock that only advances when it is told to.
#[derive(Clone, Debug)]
pub(crate) struct VirtualClock {
    start: Instant,
    elapsed: Arc<AtomicU64>,
}

impl VirtualClock {
    pub(crate) fn new() -> Self {
        Self { start: Instant::now(), elapsed: Arc::default() }
    }

    /// The time since the start.
    pub(crate) fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.elapsed.load(Ordering::Relaxed))
    }

    pub(crate) fn now(&self) -> Instant {
        self.at(self.elapsed())
    }

    /// The moment at this time since the start.
    pub(crate) fn at(&self, elapsed: Duration) -> Instant {
        self.start + elapsed
    }

    pub(crate) fn advance(&self, time: Duration) {
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.elapsed.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    /// The clock of the server.
    pub(crate) fn clock(&self) -> Clock {
        let this = self.clone();
        Clock::new(move || this.now())
    }
}
