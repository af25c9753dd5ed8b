//! What a connection keeps for itself: input that waits for its turn, output that the kernel did not take.

use std::time::{Duration, Instant};

use crate::core::Outbox;

/// Input that could not be used when it came: the beginning of a message, or messages that wait.
#[derive(Debug, Default)]
pub(super) struct Kept {
    bytes: Vec<u8>,
    used: usize,
}

impl Kept {
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len() - self.used
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Adds input. The memory grows by doubling, so that a message which comes byte by byte is copied a
    /// constant number of times, but not beyond `bound` as long as that suffices.
    pub(super) fn push(&mut self, input: &[u8], bound: usize) {
        if self.used > 0 {
            self.bytes.drain(..self.used);
            self.used = 0;
        }
        let needed = self.bytes.len() + input.len();
        if needed > self.bytes.capacity() {
            let capacity = needed.max((2 * self.bytes.capacity()).min(bound));
            self.bytes.reserve_exact(capacity - self.bytes.len());
        }
        self.bytes.extend_from_slice(input);
    }

    /// Takes everything out, to be looked at; [`put_back`](Self::put_back) returns what was not used.
    pub(super) fn take(&mut self) -> (Vec<u8>, usize) {
        (std::mem::take(&mut self.bytes), std::mem::take(&mut self.used))
    }

    /// Keeps `bytes` but for the first `used` of them. Nothing left means no memory held.
    pub(super) fn put_back(&mut self, bytes: Vec<u8>, used: usize) {
        if used < bytes.len() {
            *self = Self { bytes, used };
        }
    }
}

/// Output that the kernel did not take, and how its queue has moved since.
#[derive(Debug)]
pub(super) struct Unsent {
    bytes: Vec<u8>,
    sent: usize,
    /// How many bytes stood in the kernel's queue when last looked at.
    queued: u64,
    /// When a byte last left it.
    progress: Instant,
    /// When to look at the queue again.
    look: Instant,
}

/// When to look at the kernel's queue again: eight times within the timeout, and at least every hour. So
/// much later than it is made, progress is noticed at the worst.
fn next_look(now: Instant, timeout: Duration) -> Instant {
    now + (timeout / 8).min(Duration::from_secs(3600))
}

impl Unsent {
    pub(super) fn new(out: &mut Outbox, now: Instant) -> Self {
        let bytes = out.bytes().to_vec();
        out.clear();
        Self { bytes, sent: 0, queued: 0, progress: now, look: now }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    /// The kernel took `count` bytes, so it had got rid of others.
    pub(super) fn sent(&mut self, count: usize, now: Instant) {
        self.sent += count;
        self.progress = now;
    }

    pub(super) fn deadline(&self) -> Instant {
        self.look
    }

    /// Looks at the kernel's queue, in which `queued` bytes stand. Tells whether the peer has taken nothing for
    /// as long as `timeout`.
    pub(super) fn stalled(&mut self, queued: u64, now: Instant, timeout: Duration) -> bool {
        if queued < self.queued {
            self.progress = now;
        }
        self.queued = queued;
        self.look = next_look(now, timeout);
        let Some(end) = self.progress.checked_add(timeout) else { return false };
        self.look = self.look.min(end);
        now >= end
    }
}
