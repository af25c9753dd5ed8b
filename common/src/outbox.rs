//! Buffers for replies: [`Outbox`] for bytes, [`Replies`] for messages.

use std::borrow::Cow;
use std::fmt;
use std::io;

use crate::{Codec, ErrorReply, MAX_READ};

/// The output buffer of a worker, which lends it to one connection at a time.
///
/// It accepts at most `max_reply` bytes for one message. If a message exceeds this limit, all its replies are
/// withdrawn, and the conversation ends with [`ErrorReply::Internal`].
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
    /// Whether the current message has exceeded it.
    overflowed: bool,
    /// Whether `bytes` were sealed by a [transform](crate::Transform).
    sealed: bool,
    scratch: Option<Box<Scratch>>,
}

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
            overflowed: false,
            sealed: false,
            scratch: None,
        }
    }

    /// Appends bytes.
    #[inline]
    pub fn push(&mut self, bytes: &[u8]) {
        if bytes.len() > self.limit - self.bytes.len() {
            self.overflowed = true;
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
        if !self.overflowed {
            self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
        }
    }

    /// Records that the current message has exceeded its limit.
    pub(crate) fn refuse(&mut self) {
        self.overflowed = true;
    }

    /// Begins the replies to the next message, which may have at most `max_reply` bytes.
    pub(crate) fn begin(&mut self, max_reply: usize) {
        debug_assert!(!self.overflowed, "replies over the limit were withdrawn");
        self.start = self.bytes.len();
        // No allocation exceeds `usize::MAX / 2`, so the sum can't overflow.
        self.limit = self.start + max_reply.min(usize::MAX / 2);
    }

    /// Whether the current message has exceeded its limit.
    pub(crate) fn overflowed(&self) -> bool {
        self.overflowed
    }

    /// Removes the replies to the current message.
    pub(crate) fn withdraw(&mut self) {
        self.bytes.truncate(self.start);
        self.overflowed = false;
    }

    /// Removes the first `count` bytes, which were sent.
    pub(crate) fn sent(&mut self, count: usize) {
        if count >= self.bytes.len() {
            self.clear();
        } else {
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
        self.overflowed = false;
        self.sealed = !self.bytes.is_empty();
    }

    /// Clears the outbox, and frees memory that exceeds the usual size.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(RETAINED);
        self.start = 0;
        self.limit = usize::MAX;
        self.overflowed = false;
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

/// The replies of a session to one client: whole messages, in the framing of the client.
///
/// ```
/// use anyloop::framing::Line;
/// use anyloop::protocol::Outbox;
/// use anyloop::{Limits, Replies};
///
/// let (mut outbox, codec) = (Outbox::new(), Line::new(&Limits::default()));
/// let mut out = Replies::new(&mut outbox, &codec); // a server creates them for each call of a session
/// out.send(b"one");
/// out.send_parts(&[b"t", b"wo"]);
/// out.write(format_args!("{}", 3));
/// out.reject("not-a-number");
/// assert_eq!(outbox.bytes(), b"one\ntwo\n3\nERR not-a-number\n");
/// ```
pub struct Replies<'a> {
    outbox: &'a mut Outbox,
    codec: &'a dyn Codec,
}

impl fmt::Debug for Replies<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replies").field("outbox", &self.outbox).finish_non_exhaustive()
    }
}

impl<'a> Replies<'a> {
    /// Replies that are framed by `codec` and written to `outbox`.
    pub fn new(outbox: &'a mut Outbox, codec: &'a dyn Codec) -> Self {
        Self { outbox, codec }
    }

    /// Sends one reply.
    pub fn send(&mut self, reply: &[u8]) {
        self.send_parts(&[reply]);
    }

    /// Sends one reply, the concatenation of `parts`.
    pub fn send_parts(&mut self, parts: &[&[u8]]) {
        let start = self.outbox.len();
        self.codec.begin(self.outbox);
        for part in parts {
            self.outbox.push(part);
        }
        self.codec.end(start, self.outbox);
    }

    /// Sends one reply with formatted text: `out.write(format_args!("{count} items"))`.
    pub fn write(&mut self, reply: fmt::Arguments<'_>) {
        let start = self.outbox.len();
        self.codec.begin(self.outbox);
        // An outbox never fails. If a `Display` of the caller fails, the reply ends there.
        let _ = fmt::Write::write_fmt(self.outbox, reply);
        self.codec.end(start, self.outbox);
    }

    /// Sends an error reply that rejects a message, in the format of the framing: `out.reject("not-utf8")` sends `ERR
    /// not-utf8`.
    pub fn reject(&mut self, why: impl Into<Cow<'static, str>>) {
        self.codec.error(&ErrorReply::Rejected(why.into()), self.outbox);
    }
}
