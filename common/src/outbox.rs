//! The output buffer of a worker.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::{Clock, Later, MAX_READ, Record};

/// The output buffer of a worker, which lends it to one connection at a time.
///
/// It accepts at most `max_reply` bytes for one message. If a message exceeds this limit, all its replies are withdrawn, and
/// the conversation ends with [`ErrorReply::Internal`](crate::ErrorReply::Internal).
///
/// ```
/// use std::io::Write;
///
/// use anyloop::protocol::Outbox;
///
/// let mut out = Outbox::new();
/// out.push(b"?\r\n");
/// out.patch(0, b"+");
/// write!(out, "{} items\r\n", 3)?;
/// assert_eq!(out.bytes(), b"+\r\n3 items\r\n");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Outbox {
    bytes: Vec<u8>,
    /// The index in `bytes` where the replies to the current message begin.
    start: usize,
    /// The maximum length of `bytes` during the current message.
    limit: usize,
    /// Why the turn ends after the current message: the flags below.
    interrupted: u8,
    /// Whether `bytes` were sealed by a [transform](crate::Transform).
    sealed: bool,
    scratch: Option<Box<Scratch>>,
    /// The clock of the server.
    clock: Option<Clock>,
    /// The record of the connection, during calls of its protocol.
    record: Option<Arc<Record>>,
    /// When the timer of the session expires, if it was set or cancelled.
    timer: Option<Option<Instant>>,
}

/// The current message has exceeded its limit.
const OVERFLOWED: u8 = 1;
/// The current message is answered later.
const LATER: u8 = 2;

/// Buffers that a worker lends to the transforms of its connections. They are allocated on first use.
#[derive(Debug, Default)]
struct Scratch {
    /// Opened input.
    plain: Vec<u8>,
    /// Sealed output that was not moved to the outbox yet.
    sealed: Vec<u8>,
}

/// The maximum capacity that an empty outbox keeps after a burst.
const RETAINED: usize = 128 * 1024;

impl Outbox {
    /// An empty outbox, without an allocation.
    pub const fn new() -> Self {
        Self {
            bytes: Vec::new(),
            start: 0,
            limit: usize::MAX,
            interrupted: 0,
            sealed: false,
            scratch: None,
            clock: None,
            record: None,
            timer: None,
        }
    }

    /// The time of the server's clock. Use it instead of `Instant::now`, so that tests can [advance](
    /// crate::testing::TestClient::advance) it.
    #[expect(clippy::disallowed_methods, reason = "without a server there is no other clock")]
    pub fn now(&self) -> Instant {
        self.clock.as_ref().map_or_else(Instant::now, Clock::now)
    }

    /// Sets the timer of the connection, which has only one, or cancels it with `None`. After this time
    /// [`Protocol::timer`](crate::Protocol::timer) is called once, at most a quarter of a second late.
    pub fn set_timer(&mut self, after: impl Into<Option<Duration>>) {
        self.timer = Some(after.into().and_then(|after| self.now().checked_add(after)));
    }

    /// Returns the [answer](Later) to the current message, which any thread can give later.
    ///
    /// # Panics
    /// If an answer is awaited already, or outside of a call by a connection.
    pub fn later(&mut self) -> Later {
        let Some(record) = &self.record else { panic!("no message is being answered") };
        let later = Later::new(record);
        self.interrupted |= LATER;
        later
    }

    /// Appends bytes.
    #[inline]
    pub fn push(&mut self, bytes: &[u8]) {
        if bytes.len() > self.limit - self.bytes.len() {
            self.interrupted |= OVERFLOWED;
        } else {
            self.bytes.extend_from_slice(bytes);
        }
    }

    /// The bytes in the outbox.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The number of bytes in the outbox.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether the outbox is empty.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Overwrites bytes that were pushed before, for example the length before a payload once it is known.
    ///
    /// # Panics
    /// If the outbox contains fewer than `at + bytes.len()` bytes.
    pub fn patch(&mut self, at: usize, bytes: &[u8]) {
        if !self.overflowed() {
            self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
        }
    }

    /// Records that the current message has exceeded its limit.
    pub(crate) fn refuse(&mut self) {
        self.interrupted |= OVERFLOWED;
    }

    /// Exchanges the record of a connection for what is there: lends it for a call of the protocol, and takes it back after
    /// the call.
    #[inline]
    pub(crate) fn swap_record(&mut self, record: &mut Option<Arc<Record>>) {
        std::mem::swap(&mut self.record, record);
    }

    /// Sets the clock of the server.
    #[inline]
    pub(crate) fn set_clock(&mut self, clock: &Clock) {
        if !self.clock.as_ref().is_some_and(|current| current.is(clock)) {
            self.clock = Some(clock.clone());
        }
    }

    /// Whether the turn ends after the current message, which has exceeded its limit or is answered later.
    #[inline]
    pub(crate) fn is_interrupted(&self) -> bool {
        self.interrupted != 0
    }

    /// Whether the current message is answered later. Clears the request.
    pub(crate) fn take_later(&mut self) -> bool {
        let later = self.interrupted & LATER != 0;
        self.interrupted &= !LATER;
        later
    }

    /// Whether the timer was set or cancelled.
    #[inline]
    pub(crate) fn sets_timer(&self) -> bool {
        self.timer.is_some()
    }

    /// When the timer expires, if it was set or cancelled. Clears the request.
    pub(crate) fn take_timer(&mut self) -> Option<Option<Instant>> {
        self.timer.take()
    }

    /// Begins the replies to the next message, which may have at most `max_reply` bytes.
    pub(crate) fn begin(&mut self, max_reply: usize) {
        debug_assert!(!self.overflowed(), "replies over the limit were withdrawn");
        self.start = self.bytes.len();
        // No allocation exceeds `usize::MAX / 2`, so the sum can't overflow.
        self.limit = self.start + max_reply.min(usize::MAX / 2);
        if canary!("forgets the limit of replies") {
            self.limit = usize::MAX;
        }
    }

    /// Whether the current message has exceeded its limit.
    pub(crate) fn overflowed(&self) -> bool {
        self.interrupted & OVERFLOWED != 0
    }

    /// Removes the replies to the current message.
    pub(crate) fn withdraw(&mut self) {
        if !canary!("sends replies that were withdrawn") {
            self.bytes.truncate(if canary!("withdraws earlier replies") { 0 } else { self.start });
        }
        self.interrupted = 0;
    }

    /// Removes the first `count` bytes, which were sent.
    pub(crate) fn sent(&mut self, count: usize) {
        if count >= self.bytes.len() {
            self.clear();
        } else if !canary!("repeats what a partial write has sent") {
            self.bytes.drain(..count);
        }
    }

    /// Returns the buffer, and replaces it with `spare`, which is empty.
    pub(crate) fn replace(&mut self, spare: Vec<u8>) -> Vec<u8> {
        let bytes = std::mem::replace(&mut self.bytes, spare);
        self.clear();
        bytes
    }

    /// Lends the buffer for plaintext, which is empty and has a capacity of [`MAX_READ`].
    pub(crate) fn take_plain(&mut self) -> Vec<u8> {
        let mut plain = std::mem::take(&mut self.scratch.get_or_insert_default().plain);
        plain.clear();
        plain.reserve_exact(MAX_READ);
        plain
    }

    /// Returns the buffer for plaintext.
    pub(crate) fn put_back_plain(&mut self, plain: Vec<u8>) {
        if plain.capacity() <= RETAINED {
            self.scratch.get_or_insert_default().plain = plain;
        }
    }

    /// Whether the content was sealed.
    pub(crate) fn is_sealed(&self) -> bool {
        self.sealed
    }

    /// The content to seal, and the buffer for the sealed bytes.
    pub(crate) fn unsealed(&mut self) -> (&[u8], &mut Vec<u8>) {
        (&self.bytes, &mut self.scratch.get_or_insert_default().sealed)
    }

    /// Replaces the content with the sealed bytes.
    pub(crate) fn seal(&mut self) {
        let Self { bytes, scratch: Some(scratch), .. } = self else { return self.clear() };
        std::mem::swap(bytes, &mut scratch.sealed);
        scratch.sealed.clear();
        scratch.sealed.shrink_to(RETAINED);
        self.start = 0;
        self.interrupted &= !OVERFLOWED;
        self.sealed = !self.bytes.is_empty();
    }

    /// Clears the outbox, and frees memory that exceeds the usual size.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(RETAINED);
        self.start = 0;
        self.limit = usize::MAX;
        self.interrupted &= !OVERFLOWED;
        self.sealed = false;
    }
}

impl io::Write for Outbox {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.push(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Write for Outbox {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text.as_bytes());
        Ok(())
    }
}
