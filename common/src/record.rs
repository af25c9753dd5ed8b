//! The record of a connection, which it shares with other threads.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::mailbox::MailboxLimit;
use crate::{Cell, Limits, Marks};

/// The record of a connection, which it shares with other threads: its deadline and counts, which only its owner writes, and
/// the [`Cell`] with the marks, the wake-up of the owner, and the mailbox.
#[derive(Debug)]
pub struct Record {
    /// The marks, the wake-up of the owner, and the mailbox.
    pub cell: Cell,
    /// In nanoseconds since the start of the server.
    deadline: AtomicU64,
    /// What the owner has counted.
    pub counts: Counts,
    pub(crate) mailbox: MailboxLimit,
    key: u32,
}

/// The counts of an open connection. Only its owner writes them, once per advance and with plain stores.
#[derive(Debug, Default)]
pub struct Counts {
    /// The number of answered messages.
    pub messages: Counter,
    /// The number of bytes that were read.
    pub bytes_in: Counter,
    /// The number of bytes that were written.
    pub bytes_out: Counter,
}

/// The low 32 bits of a count. The owner adds the high bits to another count when they change.
#[derive(Debug, Default)]
pub struct Counter(AtomicU32);

impl Counter {
    /// The low 32 bits of the count.
    #[inline]
    pub fn get(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// Sets the low 32 bits of the count.
    #[inline]
    pub fn set(&self, value: u32) {
        self.0.store(value, Ordering::Relaxed);
    }
}

const NEVER: u64 = u64::MAX;

impl Default for Record {
    /// A record with the default limits.
    fn default() -> Self {
        Self::new(&Limits::default(), 0)
    }
}

impl Record {
    /// The record of a connection that has no deadline yet, which its server knows by `key`.
    pub fn new(limits: &Limits, key: u32) -> Self {
        let (cell, counts) = Default::default();
        let mailbox = MailboxLimit::new(limits.mailbox, limits.mailbox_full);
        Self { cell, deadline: AtomicU64::new(NEVER), counts, mailbox, key }
    }

    /// By which the server knows the connection.
    pub fn key(&self) -> u32 {
        self.key
    }

    /// Stores the deadline.
    pub fn set_deadline(&self, deadline: Option<Instant>, start: Instant) {
        let nanoseconds = deadline.map_or(NEVER, |deadline| nanoseconds(deadline.duration_since(start)));
        self.deadline.store(nanoseconds, Ordering::Relaxed);
    }

    /// The deadline, if there is one.
    pub fn deadline(&self, start: Instant) -> Option<Instant> {
        let nanoseconds = self.deadline.load(Ordering::Relaxed);
        (nanoseconds != NEVER).then(|| start + Duration::from_nanos(nanoseconds))
    }

    /// Wakes the connection if its deadline has passed. `now` counts from the start of the server.
    pub fn sweep(&self, now: Duration) {
        if self.deadline.load(Ordering::Relaxed) <= nanoseconds(now) {
            self.cell.mark(Marks::EXPIRED);
        } else {
            self.cell.wake_again();
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
    fn a_record_is_small() {
        assert!(size_of::<Record>() <= 72, "each client has one: {} bytes", size_of::<Record>());
    }
}
