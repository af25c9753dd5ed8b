//! What a connection keeps for itself: input that waits for its turn, output that the kernel did not take.

use std::time::{Duration, Instant};

use crate::Outbox;

/// Input that could not be used when it came: the beginning of a message, or messages that wait. It is boxed,
/// since most connections keep nothing most of the time.
#[derive(Debug, Default)]
pub(super) struct Kept(Option<Box<Input>>);

#[derive(Debug, Default)]
struct Input {
    bytes: Vec<u8>,
    used: usize,
}

impl Kept {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(super) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |input| input.bytes.len() - input.used)
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.0.as_ref().map_or(0, |input| input.bytes.capacity())
    }

    /// Adds input. The memory grows by doubling, so that a message which comes byte by byte is copied a
    /// constant number of times, but not beyond `bound` as long as that suffices.
    pub(super) fn push(&mut self, input: &[u8], bound: usize) {
        if input.is_empty() {
            return;
        }
        let Input { bytes, used } = &mut **self.0.get_or_insert_default();
        bytes.drain(..std::mem::take(used));
        let needed = bytes.len() + input.len();
        if needed > bytes.capacity() {
            let capacity = needed.max((2 * bytes.capacity()).min(bound));
            bytes.reserve_exact(capacity - bytes.len());
        }
        bytes.extend_from_slice(input);
    }

    /// Takes everything out, to be looked at; [`put_back`](Self::put_back) returns what was not used.
    pub(super) fn take(&mut self) -> (Vec<u8>, usize) {
        self.0.take().map_or((Vec::new(), 0), |input| (input.bytes, input.used))
    }

    /// Keeps `bytes` but for the first `used` of them. Nothing left means no memory held.
    pub(super) fn put_back(&mut self, bytes: Vec<u8>, used: usize) {
        if used < bytes.len() {
            self.0 = Some(Box::new(Input { bytes, used }));
        }
    }
}

/// Output, and how much of it was sent. A ring owns it while it is being sent.
#[derive(Debug, Default)]
pub struct Output {
    bytes: Vec<u8>,
    sent: usize,
}

impl Output {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, sent: 0 }
    }

    /// The kernel took `count` bytes of it.
    pub(super) fn sent(&mut self, count: usize) {
        self.sent += count;
    }

    /// What is left to be sent.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    /// The memory, to be used again.
    pub(super) fn into_memory(self) -> Vec<u8> {
        self.bytes
    }
}

/// Output that the kernel did not take, and how its queue has moved since.
#[derive(Debug)]
pub(super) struct Unsent {
    output: Output,
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
    pub(super) fn new(output: Output, now: Instant) -> Self {
        Self { output, queued: 0, progress: now, look: now }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.output.bytes()
    }

    /// Adds what was said since.
    pub(super) fn push(&mut self, out: &mut Outbox) {
        self.output.bytes.extend_from_slice(out.bytes());
        out.clear();
    }

    /// The kernel took `count` bytes, so it had got rid of others.
    pub(super) fn sent(&mut self, count: usize, now: Instant) {
        self.output.sent += count;
        self.progress = now;
    }

    /// Lends what is to be sent.
    pub(super) fn lend(&mut self) -> Output {
        std::mem::take(&mut self.output)
    }

    /// Takes back what was lent, before what was said since.
    pub(super) fn take_back(&mut self, mut lent: Output) {
        lent.bytes.extend_from_slice(self.output.bytes());
        self.output = lent;
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
