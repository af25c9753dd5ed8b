//! Where replies go: [`Outbox`] takes bytes, [`Replies`] takes messages.

use std::borrow::Cow;
use std::fmt;
use std::io;

use crate::{Codec, ErrorReply, MAX_READ};

/// The bytes on their way to a client. It belongs to a worker, who lends it to one connection at a time.
///
/// It refuses more than the service's `max_reply` bytes for one message; what was said for that message is
/// then withdrawn, and the conversation ends with [`ErrorReply::Internal`].
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
    /// Where the replies to the message at hand begin.
    start: usize,
    /// How much `bytes` may hold by the end of the message at hand.
    limit: usize,
    /// Whether the message at hand has asked for more than that.
    overflowed: bool,
    /// Whether `bytes` are as a [transform](crate::Transform) has sealed them.
    sealed: bool,
    scratch: Option<Box<Scratch>>,
}

/// What a worker lends to the transforms of its connections. It takes memory when the first of them uses it.
#[derive(Debug, Default)]
struct Scratch {
    /// What was opened.
    plain: Vec<u8>,
    /// What was sealed, and is not in the outbox yet.
    sealed: Vec<u8>,
}

/// A worker gives the memory back when a burst has made its outbox larger than this.
const RETAINED: usize = 128 * 1024;

impl Outbox {
    /// An empty outbox that owns no memory yet.
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

    /// Adds bytes.
    #[inline]
    pub fn push(&mut self, bytes: &[u8]) {
        if bytes.len() > self.limit - self.bytes.len() {
            self.overflowed = true;
        } else {
            self.bytes.extend_from_slice(bytes);
        }
    }

    /// What it holds.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many bytes it holds.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Overwrites bytes that were pushed before: the length in front of a payload, once it is known.
    ///
    /// # Panics
    /// If fewer than `at + bytes.len()` bytes were pushed and taken.
    pub fn patch(&mut self, at: usize, bytes: &[u8]) {
        if !self.overflowed {
            self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
        }
    }

    /// Marks the message at hand as one that asked for more than it may.
    pub(crate) fn refuse(&mut self) {
        self.overflowed = true;
    }

    /// From here on, replies to another message are added, at most `max_reply` bytes of them.
    pub(crate) fn begin(&mut self, max_reply: usize) {
        debug_assert!(!self.overflowed, "what asked for too much was withdrawn");
        self.start = self.bytes.len();
        // No memory holds as much, so the sum needs no check.
        self.limit = self.start + max_reply.min(usize::MAX / 2);
    }

    /// Whether the message at hand has asked for more than it may.
    pub(crate) fn overflowed(&self) -> bool {
        self.overflowed
    }

    /// Forgets what was said for the message at hand.
    pub(crate) fn withdraw(&mut self) {
        self.bytes.truncate(self.start);
        self.overflowed = false;
    }

    /// Forgets the first `count` bytes: they were sent.
    pub(crate) fn sent(&mut self, count: usize) {
        if count >= self.bytes.len() {
            self.clear();
        } else {
            self.bytes.drain(..count);
        }
    }

    /// Moves what it holds out, with its memory, and goes on with that of `spare`, which is empty.
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

    /// Takes the buffer for plaintext back.
    pub(crate) fn put_back_plain(&mut self, plain: Vec<u8>) {
        if plain.capacity() <= RETAINED {
            self.scratch.get_or_insert_default().plain = plain;
        }
    }

    /// Whether it holds nothing but what was sealed.
    pub(crate) fn is_sealed(&self) -> bool {
        self.sealed
    }

    /// What was said, and where to put what it is sealed to.
    pub(crate) fn unsealed(&mut self) -> (&[u8], &mut Vec<u8>) {
        (&self.bytes, &mut self.scratch.get_or_insert_default().sealed)
    }

    /// Replaces what was said by what it was sealed to.
    pub(crate) fn seal(&mut self) {
        let Self { bytes, scratch: Some(scratch), .. } = self else { return self.clear() };
        std::mem::swap(bytes, &mut scratch.sealed);
        scratch.sealed.clear();
        scratch.sealed.shrink_to(RETAINED);
        self.start = 0;
        self.overflowed = false;
        self.sealed = !self.bytes.is_empty();
    }

    /// Empties it, and gives memory back if a burst has made it large.
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

/// Where a session says its replies: whole messages, each framed as the client's were.
///
/// ```
/// use anyloop::framing::Line;
/// use anyloop::protocol::Outbox;
/// use anyloop::{Limits, Replies};
///
/// let (mut outbox, codec) = (Outbox::new(), Line::new(&Limits::default()));
/// let mut out = Replies::new(&mut outbox, &codec); // a server makes them for each call of a session
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
    /// Replies that go into `outbox`, framed by `codec`.
    pub fn new(outbox: &'a mut Outbox, codec: &'a dyn Codec) -> Self {
        Self { outbox, codec }
    }

    /// Sends one reply.
    pub fn send(&mut self, reply: &[u8]) {
        self.send_parts(&[reply]);
    }

    /// Sends one reply that consists of several parts.
    pub fn send_parts(&mut self, parts: &[&[u8]]) {
        let start = self.outbox.len();
        self.codec.begin(self.outbox);
        for part in parts {
            self.outbox.push(part);
        }
        self.codec.end(start, self.outbox);
    }

    /// Sends one reply, written as `write!` does: `out.write(format_args!("{count} items"))`.
    pub fn write(&mut self, reply: fmt::Arguments<'_>) {
        let start = self.outbox.len();
        self.codec.begin(self.outbox);
        // An outbox takes or counts everything; only a `Display` of the caller's own can fail here, and
        // then the reply is as long as it got.
        let _ = fmt::Write::write_fmt(self.outbox, reply);
        self.codec.end(start, self.outbox);
    }

    /// Objects to a message, in the protocol's way: `out.reject("not-utf8")` sends `ERR not-utf8`.
    pub fn reject(&mut self, why: impl Into<Cow<'static, str>>) {
        self.codec.error(&ErrorReply::Rejected(why.into()), self.outbox);
    }
}
