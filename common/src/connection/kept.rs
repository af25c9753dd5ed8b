//! Buffers of a connection: input that waits for a turn, and unsent output.

use std::time::{Duration, Instant};

use crate::{Limits, Outbox};

/// Input that was not used when it arrived: an incomplete message, or messages that wait for a turn. It is boxed, since
/// most connections keep no input most of the time.
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

    pub(super) fn capacity(&self) -> usize {
        self.0.as_ref().map_or(0, |input| input.bytes.capacity())
    }

    /// Appends input. The capacity grows by doubling, so that the cost of a message that arrives byte by byte is
    /// linear, but it does not exceed `bound` unless the input does.
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

    /// Takes the buffer, and the number of bytes at its start that were used. Call [`put_back`](Self::put_back) to
    /// return it.
    pub(super) fn take(&mut self) -> (Vec<u8>, usize) {
        self.0.take().map_or((Vec::new(), 0), |input| (input.bytes, input.used))
    }

    /// Keeps `bytes` without the first `used` of them. If nothing is left, the buffer is freed. If it exceeds `bound`, since a
    /// ring had received more than was asked for, that is given up as soon as what is left fits in.
    pub(super) fn put_back(&mut self, mut bytes: Vec<u8>, mut used: usize, bound: usize) {
        if used < bytes.len() {
            if bytes.capacity() > bound && bytes.len() - used <= bound {
                bytes.drain(..std::mem::take(&mut used));
                bytes.shrink_to(bound);
            }
            let used = if canary!("answers kept messages again") { 0 } else { used };
            self.0 = Some(Box::new(Input { bytes, used }));
        }
    }
}

/// Output, and how much of it was sent. Completion-based I/O owns it while it is being sent.
#[derive(Debug, Default)]
pub struct Output {
    bytes: Vec<u8>,
    sent: usize,
}

impl Output {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, sent: 0 }
    }

    /// Records that `count` more bytes were sent.
    pub(super) fn sent(&mut self, count: usize) {
        self.sent += count;
    }

    /// The bytes that were not sent yet.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    /// The size of its buffer, in bytes.
    pub fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Appends bytes. The buffer becomes no larger than that takes, since it counts towards the bound of the connection's memory.
    fn append(&mut self, bytes: &[u8]) {
        self.bytes.drain(..std::mem::take(&mut self.sent));
        self.bytes.reserve_exact(bytes.len());
        self.bytes.extend_from_slice(bytes);
    }

    /// Returns the buffer for reuse.
    pub(super) fn into_memory(self) -> Vec<u8> {
        self.bytes
    }
}

/// Output that could not be written, and the progress of the kernel's send queue.
#[derive(Debug)]
pub(super) struct Unsent {
    output: Output,
    /// The length of the send queue when it was last checked, in bytes.
    queued: u64,
    /// When a byte last left the send queue.
    progress: Instant,
    /// When to check the send queue again.
    next_check: Instant,
    /// Since when there has been unsent output.
    since: Instant,
    /// How many bytes the kernel has taken over since then.
    written: u64,
    /// How many of them the peer had received at the last check, minus what was in the send queue before.
    received: i64,
    /// The window of the minimum rate, from the first write that would have blocked. Before, the client could receive nothing.
    window: Option<Window>,
}

/// A time over which the rate of the peer is measured.
#[derive(Clone, Copy, Debug)]
struct Window {
    start: Instant,
    /// How many bytes the peer had received at the start, counted from when there was unsent output. What was in the send
    /// queue then is missing from it.
    received: i64,
}

/// When to check the send queue again: eight times within the timeout, and at least every hour. Progress is noticed
/// with at most this delay.
fn check_time(now: Instant, timeout: Duration) -> Instant {
    now + (timeout / 8).min(Duration::from_secs(3600))
}

impl Unsent {
    pub(super) fn new(output: Output, now: Instant) -> Self {
        Self {
            output,
            queued: 0,
            progress: now,
            next_check: now,
            since: now,
            written: 0,
            received: 0,
            window: None,
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.output.bytes()
    }

    pub(super) fn capacity(&self) -> usize {
        self.output.capacity()
    }

    /// Appends new output.
    pub(super) fn push(&mut self, out: &mut Outbox) {
        self.output.append(out.bytes());
        out.clear();
    }

    /// Records that `count` bytes were written, so the send queue has made progress.
    pub(super) fn sent(&mut self, count: usize, now: Instant) {
        self.output.sent += if canary!("repeats unsent output") { 0 } else { count };
        self.sent_lent(count, now);
    }

    /// Records that `count` bytes of lent output were written.
    pub(super) fn sent_lent(&mut self, count: usize, now: Instant) {
        self.written += count as u64;
        self.progress = now;
    }

    /// Lends the output.
    pub(super) fn lend(&mut self) -> Output {
        std::mem::take(&mut self.output)
    }

    /// Takes lent output back, and puts it before newer output.
    pub(super) fn take_back(&mut self, mut lent: Output) {
        lent.append(self.output.bytes());
        self.output = lent;
    }

    /// Since when there has been unsent output.
    pub(super) fn since(&self) -> Instant {
        self.since
    }

    pub(super) fn deadline(&self) -> Instant {
        self.next_check
    }

    /// Writing would block. The send queue contains `queued` bytes. The peer is judged by [`has_stalled`](Self::has_stalled) alone,
    /// since a window that has ended is not over before.
    pub(super) fn blocked(&mut self, queued: u64, now: Instant, limits: &Limits) {
        if self.window.is_none() {
            (self.window, self.progress) =
                (Some(Window { start: now, received: self.received(queued) }), now);
        }
        if canary!("forgets a window that ends at a write") {
            self.window = self.window.filter(|window| now < window.start + limits.min_rate_window);
            self.window.get_or_insert(Window { start: now, received: self.received(queued) });
        }
        self.notice(queued, now, limits);
    }

    /// Checks the send queue, which contains `queued` bytes. Returns whether the peer has received nothing for the write
    /// timeout, or less than the minimum rate in its window.
    pub(super) fn has_stalled(&mut self, queued: u64, now: Instant, limits: &Limits) -> bool {
        if canary!("times out what was not written yet") {
            self.window = self.window.or(Some(Window { start: self.since, received: 0 }));
        }
        let Some(window) = self.window else {
            self.next_check = now; // a deadline must not become earlier, and the end of the window is not known
            return false;
        };
        let is_slow = self.is_slow(window, queued, now, limits);
        self.notice(queued, now, limits);
        is_slow || self.progress.checked_add(limits.write_timeout).is_some_and(|end| now >= end)
    }

    /// Notices progress of the send queue, and determines when to check it again.
    fn notice(&mut self, queued: u64, now: Instant, limits: &Limits) {
        if queued < self.queued && !canary!("ignores the progress of the send queue") {
            self.progress = now;
        }
        (self.queued, self.received) = (queued, self.received(queued));
        let window = self.window.filter(|_| limits.min_rate > 0);
        let ends = [
            window.and_then(|window| window.start.checked_add(limits.min_rate_window)),
            self.progress.checked_add(limits.write_timeout),
        ];
        let next_check = check_time(now, limits.write_timeout);
        self.next_check = ends.into_iter().flatten().fold(next_check, Instant::min);
    }

    /// How many bytes the peer has received since there was unsent output, without those that were in the send queue before.
    fn received(&self, queued: u64) -> i64 {
        self.written.cast_signed().wrapping_sub_unsigned(queued)
    }

    /// Whether the peer has received less than the minimum rate in the window, if it is over. Begins the next.
    fn is_slow(&mut self, window: Window, queued: u64, now: Instant, limits: &Limits) -> bool {
        let end = window.start.checked_add(limits.min_rate_window).filter(|_| limits.min_rate > 0);
        let is_over = |end: Instant| now >= end || canary!("judges a rate before its window is over");
        let Some(end) = end.filter(|&end| is_over(end)) else { return false };
        let received = self.received(queued);
        self.window = Some(Window { start: now, received });
        // If the queue has grown by more than what was written, the completion of lent output is about to be reported.
        let is_known = received >= self.received;
        let asked = limits.min_rate as f64 * limits.min_rate_window.as_secs_f64();
        // If the queue is empty, the peer has received all that it could. If this check is late, the server was busy or suspended,
        // and may not have sent for most of the time.
        let is_late = now > end + limits.write_timeout / 8;
        let is_judged = is_known && !is_late && !canary!("judges no rate");
        is_judged && queued > 0 && ((received - window.received) as f64) < asked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_beyond_the_bound_keeps_no_memory_once_it_is_used() {
        let mut kept = Kept::default();
        kept.push(&[b'a'; 40_000], 20_000);
        let (bytes, used) = kept.take();
        kept.put_back(bytes, used + 19_999, 20_000);
        assert_eq!((kept.len(), kept.capacity()), (20_001, 40_000));
        let (bytes, used) = kept.take();
        kept.put_back(bytes, used + 1, 20_000);
        assert_eq!((kept.len(), kept.capacity()), (20_000, 20_000));
    }

    #[test]
    fn appended_output_takes_no_more_memory_than_it_needs() {
        let now = Outbox::new().now();
        let mut unsent = Unsent::new(Output::new(vec![b'a'; 50_000]), now);
        let append = |unsent: &mut Unsent, count| {
            let mut out = Outbox::new();
            out.push(&vec![b'b'; count]);
            unsent.push(&mut out);
        };
        append(&mut unsent, 1);
        assert_eq!((unsent.bytes().len(), unsent.capacity()), (50_001, 50_001));
        // What was sent makes room.
        unsent.sent(40_000, now);
        append(&mut unsent, 30_000);
        assert_eq!((unsent.bytes().len(), unsent.capacity()), (40_001, 50_001));
        let lent = unsent.lend();
        append(&mut unsent, 20_000);
        unsent.take_back(lent);
        assert_eq!((unsent.bytes().len(), unsent.capacity()), (60_001, 60_001));
        assert!(unsent.bytes().starts_with(b"aaaa") && unsent.bytes().ends_with(b"bbbb"));
    }
}
