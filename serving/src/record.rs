//! A connection's record: what its owner writes down for the server's other threads, and how these reach it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use common::{Cell, Marks};

use crate::connections::Counts;

/// A connection's record: its deadline and its counts, which only its owner writes, and its [`Cell`], by which it is woken.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) cell: Cell,
    /// In nanoseconds since the server's start.
    deadline: AtomicU64,
    pub(crate) counts: Counts,
}

const NEVER: u64 = u64::MAX;

impl Default for Record {
    /// Without a deadline.
    fn default() -> Self {
        let (cell, counts) = Default::default();
        Self { cell, deadline: AtomicU64::new(NEVER), counts }
    }
}

impl Record {
    /// Writes the deadline down.
    pub(crate) fn set_deadline(&self, deadline: Option<Instant>, start: Instant) {
        let nanoseconds = deadline.map_or(NEVER, |deadline| nanoseconds(deadline.duration_since(start)));
        self.deadline.store(nanoseconds, Ordering::Relaxed);
    }

    /// When the deadline is.
    pub(crate) fn deadline(&self, start: Instant) -> Option<Instant> {
        let nanoseconds = self.deadline.load(Ordering::Relaxed);
        (nanoseconds != NEVER).then(|| start + Duration::from_nanos(nanoseconds))
    }

    /// Wakes the connection if its deadline has passed, at this time since the server's start.
    pub(crate) fn sweep(&self, now: Duration) {
        if self.deadline.load(Ordering::Relaxed) <= nanoseconds(now) {
            self.cell.mark(Marks::EXPIRED);
        } else {
            self.cell.wake_again();
        }
    }
}

impl AsRef<Cell> for Record {
    fn as_ref(&self) -> &Cell {
        &self.cell
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(NEVER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_small() {
        assert!(size_of::<Record>() <= 64, "each client has one: {} bytes", size_of::<Record>());
    }
}
