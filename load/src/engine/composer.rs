//! Generates messages, and verifies that replies echo them. A generated message contains its connection and its number.

mod recorded;
mod stamped;

use std::io::Write;

use common::Outbox;
use history::Recorder;

use crate::engine::in_flight::Sent;
use crate::engine::verify::Said;
use crate::expect::{Expect, Reply};
use crate::framing::{self, Framing, Kind, Parser};
use crate::messages::{Messages, Sizes};
pub(super) use recorded::End;
pub(super) use stamped::Stamped;
use stamped::Stamping;

/// Generates the messages of a worker's connections. A generated payload is the number of the message within its
/// connection and the number of the connection, each as eight hexadecimal digits with the lowest first, so that a short
/// message keeps the digits that change; then padding, up to its size.
pub(super) struct Composer<'a> {
    messages: &'a Messages,
    framing: Framing,
    /// The expected replies.
    pub(super) expect: &'a Expect,
    /// Padding is a slice of this table. The offset follows from connection and number, so that a reply that ends with
    /// the bytes of another message is detected, and no message needs to be stored.
    table: Box<[u8]>,
    random: fastrand::Rng,
    /// The current payload, if it has to be stored.
    payload: Vec<u8>,
    framed: Outbox,
    /// If generated messages carry their send time.
    stamping: Option<Stamping>,
    /// Records messages and replies, and the last reply that was expected, if the run has a history.
    recorder: Option<Recorder>,
    answer: Vec<u8>,
}

/// The number of payload bytes that identify message and connection.
pub(super) const IDENTITY: usize = 16;

/// The number of offsets at which padding can begin; the table is longer than the longest padding by this. With this
/// number, the table stays within the L1 and L2 caches.
const OFFSETS: usize = 1 << 14;

/// The characters of padding, uniformly distributed.
const ALPHABET: &[u8; 64] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/";

impl<'a> Composer<'a> {
    /// A composer for these messages and replies. `random` draws the messages' sizes.
    pub(super) fn new(
        messages: &'a Messages,
        framing: Framing,
        expect: &'a Expect,
        random: fastrand::Rng,
    ) -> Self {
        let longest = if messages.are_made() { messages.longest() } else { 0 };
        // The same for every run, so that two runs send the same bytes.
        let mut letters = fastrand::Rng::with_seed(0);
        let table = (0..longest + OFFSETS).map(|_| ALPHABET[letters.usize(..ALPHABET.len())]).collect();
        Self {
            messages,
            framing,
            expect,
            table,
            random,
            payload: Vec::new(),
            framed: Outbox::new(),
            stamping: None,
            recorder: None,
            answer: Vec::new(),
        }
    }

    /// Whether the messages are generated, so that they contain their numbers.
    pub(super) fn are_made(&self) -> bool {
        self.messages.are_made()
    }

    /// Adds the message of this number to `out`, in wire format. Returns the length of its payload.
    #[inline]
    pub(super) fn write(
        &mut self,
        connection: u32,
        number: u64,
        parser: Option<&Parser>,
        out: &mut Vec<u8>,
    ) -> usize {
        match self.messages {
            Messages::Made(sizes) => {
                let length = self.framing.payload(draw(sizes, &mut self.random));
                match self.stamping {
                    None => self.write_made(connection, number, length, parser, out),
                    Some(_) => self.write_stamped(connection, number, length, parser, out),
                }
                length
            }
            Messages::Own(messages) => {
                let payload = own(messages, number);
                wrap(&[payload], parser, &mut self.framed, out);
                payload.len()
            }
            Messages::By(hook) => {
                self.payload.clear();
                hook.write(connection, number, &mut self.payload);
                wrap(&[&self.payload], parser, &mut self.framed, out);
                self.payload.len()
            }
        }
    }

    /// Adds a message to `out` again; see [`payload`](Self::payload).
    pub(super) fn write_again(
        &mut self,
        connection: u32,
        (number, length): (u64, usize),
        kept: &[u8],
        parser: Option<&Parser>,
        out: &mut Vec<u8>,
    ) {
        match self.messages {
            Messages::Made(_) => self.write_made(connection, number, length, parser, out),
            Messages::Own(messages) => wrap(&[own(messages, number)], parser, &mut self.framed, out),
            Messages::By(_) => wrap(&[kept], parser, &mut self.framed, out),
        }
    }

    /// The payload of a message that was written before. If a function wrote it, it is `kept`.
    pub(super) fn payload<'b>(
        &'b mut self,
        connection: u32,
        (number, length): (u64, usize),
        kept: &'b [u8],
    ) -> &'b [u8] {
        match self.messages {
            Messages::Made(_) => {
                let (identity, padding) = parts(&self.table, connection, number, length);
                self.payload.clear();
                self.payload.extend_from_slice(&identity[..length.min(IDENTITY)]);
                self.payload.extend_from_slice(padding);
                &self.payload
            }
            Messages::Own(messages) => own(messages, number),
            Messages::By(_) => kept,
        }
    }

    /// Returns whether this is the expected reply to a message, given how many of its connection were answered before
    /// it.
    #[inline]
    pub(super) fn is_right(
        &mut self,
        said: Said<'_>,
        connection: u32,
        answered: u64,
        sent: Sent,
        kept: &[u8],
    ) -> bool {
        match self.expect.read(said.content, answered) {
            Reply::Says(message) => self.is(message, connection, sent.id(), kept),
            Reply::Right => said.kind == Kind::Answer,
            Reply::Judged(hook) => {
                said.kind == Kind::Answer
                    && hook.is_right(self.payload(connection, sent.id(), kept), said.whole)
            }
            Reply::Wrong => false,
        }
    }

    /// Returns whether a text is the payload of this earlier message.
    #[inline]
    fn is(&self, text: &[u8], connection: u32, (number, length): (u64, usize), kept: &[u8]) -> bool {
        match self.messages {
            Messages::Made(_) if text.len() != length => false,
            Messages::Made(_) => {
                let (identity, padding) = parts(&self.table, connection, number, length);
                // The length is a constant, so that the comparison is inlined.
                match text.split_first_chunk::<IDENTITY>() {
                    Some((begin, rest)) => *begin == identity && rest == padding,
                    None => *text == identity[..length],
                }
            }
            Messages::Own(messages) => text == own(messages, number),
            Messages::By(_) => text == kept,
        }
    }

    /// The last payload that a function wrote.
    pub(super) fn last_written(&self) -> &[u8] {
        &self.payload
    }

    #[inline(always)] // called for each message
    fn write_made(
        &mut self,
        connection: u32,
        number: u64,
        length: usize,
        parser: Option<&Parser>,
        out: &mut Vec<u8>,
    ) {
        let (identity, padding) = parts(&self.table, connection, number, length);
        if parser.is_none() && length >= IDENTITY {
            // The common case, with copies of a constant length.
            out.reserve(length + 1);
            out.extend_from_slice(&identity);
            out.extend_from_slice(padding);
            out.push(b'\n');
            return;
        }
        let identity = &identity[..length.min(IDENTITY)];
        if matches!(self.framing, Framing::Resp) {
            // Writing to a `Vec` can't fail.
            let _ = write!(out, "*2\r\n$4\r\nECHO\r\n${length}\r\n");
            out.extend_from_slice(identity);
            out.extend_from_slice(padding);
            out.extend_from_slice(b"\r\n");
        } else {
            wrap(&[identity, padding], parser, &mut self.framed, out);
        }
    }
}

/// The numbers of message and connection in a payload; `None` if it is too short, or begins with other characters.
pub(super) fn parse(payload: &[u8]) -> Option<(u32, u32)> {
    let (sequence, rest) = payload.split_first_chunk()?;
    let connection = rest.first_chunk()?;
    let is_number = |of: &[u8; 8]| digits(number(*of)) == *of;
    (is_number(sequence) && is_number(connection)).then(|| (number(*sequence), number(*connection)))
}

/// The custom message with this number, in rotation.
#[inline]
fn own(messages: &[Vec<u8>], number: u64) -> &[u8] {
    // Few enough to be counted by either type.
    &messages[(number % messages.len() as u64) as usize]
}

/// The two parts of a payload: its identity, of which a short payload has only the beginning, and padding.
#[inline]
fn parts(table: &[u8], connection: u32, number: u64, length: usize) -> ([u8; IDENTITY], &[u8]) {
    let mut identity = [0; IDENTITY];
    // A number that is too large for its digits wraps around.
    identity[..8].copy_from_slice(&digits(number as u32));
    identity[8..].copy_from_slice(&digits(connection));
    let place = place(connection, number);
    (identity, &table[place..place + length.saturating_sub(IDENTITY)])
}

/// The pseudorandom offset in the table at which the padding of a message begins.
#[inline]
fn place(connection: u32, number: u64) -> usize {
    // The fractional bits of the golden ratio spread what differs in the lowest bits over the highest.
    const RATIO: u64 = 0x9e37_79b9_7f4a_7c15;
    let mixed = (u64::from(connection) << 32 ^ number).wrapping_mul(RATIO);
    ((mixed ^ mixed >> 32).wrapping_mul(RATIO) >> (u64::BITS - OFFSETS.ilog2())) as usize
}

/// Adds a payload in the given framing.
#[inline]
fn wrap(parts: &[&[u8]], parser: Option<&Parser>, framed: &mut Outbox, out: &mut Vec<u8>) {
    match parser {
        Some(Parser::Codec(codec)) => {
            framing::push(&**codec, parts, framed);
            out.extend_from_slice(framed.bytes());
            framed.clear();
        }
        Some(Parser::Resp(_) | Parser::Http(_)) => parts.iter().for_each(|part| out.extend_from_slice(part)),
        None => {
            parts.iter().for_each(|part| out.extend_from_slice(part));
            out.push(b'\n');
        }
    }
}

#[inline]
fn draw(sizes: &Sizes, random: &mut fastrand::Rng) -> usize {
    match sizes {
        Sizes::Fixed(size) => *size,
        Sizes::Uniform(least, most) => random.usize(*least..=*most),
        Sizes::List(sizes) => sizes[random.usize(..sizes.len())],
    }
}

/// The hexadecimal digits of a number, the lowest first. All eight are computed at once, since every message is written
/// and read with them: each nibble is moved into its own byte, and mapped to a digit or a letter there.
#[inline]
fn digits(number: u32) -> [u8; 8] {
    let mut halves = u64::from(number);
    halves = (halves | halves << 16) & 0x0000_ffff_0000_ffff;
    halves = (halves | halves << 8) & 0x00ff_00ff_00ff_00ff;
    halves = (halves | halves << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    let letters = (halves + 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101;
    let step = u64::from(b'a' - b'9' - 1);
    (halves + 0x3030_3030_3030_3030 + letters * step).to_le_bytes()
}

/// The number with these [`digits`]; any number if they are none.
#[inline]
fn number(digits: [u8; 8]) -> u32 {
    let digits = u64::from_le_bytes(digits);
    let letters = digits >> 6 & 0x0101_0101_0101_0101;
    let mut halves = (digits & 0x0f0f_0f0f_0f0f_0f0f).wrapping_add(letters * 9);
    halves = (halves | halves >> 4) & 0x00ff_00ff_00ff_00ff;
    halves = (halves | halves >> 8) & 0x0000_ffff_0000_ffff;
    (halves | halves >> 16) as u32
}

#[cfg(test)]
mod tests;
