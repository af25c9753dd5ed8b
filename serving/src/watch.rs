//! What a connection and the watchman have in common: a deadline, marks, and a waker.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use crate::connections::Counts;

/// What a connection and the watchman have in common. The connection keeps its deadline here; the watchman
/// sets a mark and wakes.
///
/// **Register the waker, look at the marks, then wait**: whoever keeps this order misses nothing.
#[derive(Debug)]
pub(crate) struct Watch {
    /// In nanoseconds since the server's start.
    deadline: AtomicU64,
    marks: AtomicU8,
    pub(crate) counts: Counts,
    waker: Mutex<Option<Waker>>,
}

/// The deadline has passed.
pub(crate) const EXPIRED: u8 = 1;
/// The server stops.
pub(crate) const STOPPING: u8 = 2;
/// The drain deadline has passed.
pub(crate) const CUT: u8 = 4;

const NEVER: u64 = u64::MAX;

impl Default for Watch {
    /// Without a deadline, a mark or a waker.
    fn default() -> Self {
        let (marks, counts, waker) = Default::default();
        Self { deadline: AtomicU64::new(NEVER), marks, counts, waker }
    }
}

impl Watch {
    /// Who is to be woken.
    pub(crate) fn register(&self, waker: &Waker) {
        let mut registered = self.waker.lock().unwrap_or_else(PoisonError::into_inner);
        if !registered.as_ref().is_some_and(|registered| registered.will_wake(waker)) {
            *registered = Some(waker.clone());
        }
    }

    /// Keeps the deadline.
    pub(crate) fn set_deadline(&self, deadline: Option<Instant>, epoch: Instant) {
        let nanoseconds = deadline.map_or(NEVER, |deadline| nanoseconds(deadline.duration_since(epoch)));
        self.deadline.store(nanoseconds, Ordering::Relaxed);
    }

    /// When the deadline is.
    pub(crate) fn deadline(&self, epoch: Instant) -> Option<Instant> {
        let nanoseconds = self.deadline.load(Ordering::Relaxed);
        (nanoseconds != NEVER).then(|| epoch + Duration::from_nanos(nanoseconds))
    }

    /// Whether there are marks to be taken.
    pub(crate) fn is_marked(&self) -> bool {
        self.marks.load(Ordering::SeqCst) != 0
    }

    /// Takes the marks.
    pub(crate) fn take_marks(&self) -> u8 {
        if self.is_marked() { self.marks.swap(0, Ordering::SeqCst) } else { 0 }
    }

    /// Sets marks, and wakes.
    pub(crate) fn mark(&self, marks: u8) {
        self.marks.fetch_or(marks, Ordering::SeqCst);
        self.wake();
    }

    /// Wakes if the deadline has passed, or if a mark was not taken: a wake-up may be lost on a thread that
    /// is just about to block.
    pub(crate) fn sweep(&self, now: Duration) {
        if self.deadline.load(Ordering::Relaxed) <= nanoseconds(now) {
            self.mark(EXPIRED);
        } else if self.is_marked() {
            self.wake();
        }
    }

    /// Wakes who is registered.
    pub(crate) fn wake(&self) {
        // Cloned, so that nobody's waker runs under the lock.
        let waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(NEVER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_is_small() {
        assert!(size_of::<Watch>() <= 48, "each client has one: {} bytes", size_of::<Watch>());
    }
}
