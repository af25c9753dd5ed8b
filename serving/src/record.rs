//! The record of a connection, which it shares with the other threads of the server.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use common::{Cell, Marks};

use crate::connections::Counts;

/// The record of a connection: its deadline and counts, which only its owner writes, and the [`Cell`] that wakes the owner.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) cell: Cell,
    /// In nanoseconds since the start of the server.
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
    /// Stores the deadline.
    pub(crate) fn set_deadline(&self, deadline: Option<Instant>, start: Instant) {
        let nanoseconds = deadline.map_or(NEVER, |deadline| nanoseconds(deadline.duration_since(start)));
        self.deadline.store(nanoseconds, Ordering::Relaxed);
    }

    /// The deadline, if there is one.
    pub(crate) fn deadline(&self, start: Instant) -> Option<Instant> {
        let nanoseconds = self.deadline.load(Ordering::Relaxed);
        (nanoseconds != NEVER).then(|| start + Duration::from_nanos(nanoseconds))
    }

    /// Wakes the connection if its deadline has passed. `now` counts from the start of the server.
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
        assert!(size_of::<Record>() <= 56, "each client has one: {} bytes", size_of::<Record>());
    }
}
