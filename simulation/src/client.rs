//! A simulated client: what it sends and how it ends, and the parser of what it receives.

use std::collections::VecDeque;

use common::Framing;

use crate::kernel::Wire;
use crate::options::{Operation, Options};
use crate::records::{self, Opener};
use crate::tape::Tape;

/// How a client ends once it has sent everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It ends its output, and reads to the end.
    HalfClose,
    /// It stays until the server ends the conversation.
    Stay,
    /// It closes its socket.
    Close,
    /// It resets the connection.
    Reset,
    /// It has ended.
    Done,
}

/// A simulated client.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) wire: usize,
    framing: Framing,
    /// What is still to be sent.
    outgoing: VecDeque<u8>,
    /// How many bytes were sent, and after how many of them each message is whole.
    sent: usize,
    ends: Vec<usize>,
    pub(crate) ending: Ending,
    opener: Option<Opener>,
    plain: Vec<u8>,
    /// Whether it has read the end of the input, or a reset.
    pub(crate) read_end: bool,
    pub(crate) read_reset: bool,
    /// The chance that it doesn't read at a step.
    pub(crate) stalls: u8,
}

impl Client {
    /// Draws a client, and the messages that it sends.
    pub(crate) fn draw(wire: usize, options: &Options, tape: &mut Tape) -> (Self, Vec<Vec<u8>>) {
        let behavior = &options.behavior;
        let count = tape.below(behavior.messages + 1);
        let longest = behavior.longest.min(options.limits.max_message - 16);
        let mut messages: Vec<Vec<u8>> =
            (0..count).map(|number| message(wire, number, longest, options, tape)).collect();
        let (mut plain, mut ends) = (Vec::new(), Vec::new());
        for message in &messages {
            frame(options.framing, message, &mut plain);
            ends.push(plain.len());
        }
        let is_partial = tape.chance(behavior.partial);
        let is_too_long = is_partial && tape.chance(128);
        if is_too_long {
            frame(options.framing, &vec![b'z'; options.limits.max_message + 1], &mut plain);
        } else if is_partial {
            let mut part = Vec::new();
            frame(options.framing, b"partial", &mut part);
            plain.extend_from_slice(&part[..1 + tape.below(part.len() - 1)]);
        }
        let mut outgoing = plain;
        if options.transform {
            (outgoing, ends) = seal(&outgoing, &ends);
        }
        let ending = match () {
            () if tape.chance(behavior.resets) => tape.pick(&[Ending::Reset, Ending::Close]),
            () if tape.chance(behavior.stays) => Ending::Stay,
            () => Ending::HalfClose,
        };
        messages.shrink_to_fit();
        let client = Self {
            wire,
            framing: options.framing,
            outgoing: outgoing.into(),
            sent: 0,
            ends,
            ending,
            opener: options.transform.then(Opener::default),
            plain: Vec::new(),
            read_end: false,
            read_reset: false,
            stalls: behavior.stalls,
        };
        (client, messages)
    }

    /// Whether there is more to send.
    pub(crate) fn can_send(&self, wire: &Wire) -> bool {
        !self.outgoing.is_empty() && self.is_open(wire)
    }

    /// Whether it is to end now.
    pub(crate) fn can_end(&self, wire: &Wire) -> bool {
        self.outgoing.is_empty() && !matches!(self.ending, Ending::Done | Ending::Stay) && self.is_open(wire)
    }

    fn is_open(&self, wire: &Wire) -> bool {
        !wire.client_closed && !wire.client_ended && !wire.aborted && !wire.reset
    }

    /// Whether there is anything to read.
    pub(crate) fn can_read(&self, wire: &Wire) -> bool {
        let is_over = self.read_end || self.read_reset || wire.client_closed;
        !is_over && (!wire.received.is_empty() || wire.end_received || wire.aborted)
    }

    /// Sends up to `count` bytes. Returns how many messages were sent in whole so far.
    pub(crate) fn send(&mut self, count: usize, wire: &mut Wire) -> usize {
        let count = count.min(self.outgoing.len());
        wire.inbound.extend(self.outgoing.drain(..count));
        self.sent += count;
        self.ends.partition_point(|&end| end <= self.sent)
    }

    /// Ends its part of the conversation.
    pub(crate) fn end(&mut self, wire: &mut Wire) {
        match std::mem::replace(&mut self.ending, Ending::Done) {
            Ending::HalfClose => wire.client_ended = true,
            Ending::Close if wire.received.is_empty() => {
                (wire.client_ended, wire.client_closed) = (true, true)
            }
            Ending::Close | Ending::Reset => {
                wire.client_closed = true;
                wire.fail();
            }
            Ending::Stay | Ending::Done => {}
        }
    }

    /// Reads up to `count` bytes, and returns the frames that are complete. `Err` if they are invalid.
    pub(crate) fn read(&mut self, count: usize, wire: &mut Wire) -> Result<Vec<Vec<u8>>, String> {
        let count = count.min(wire.received.len());
        let bytes: Vec<u8> = wire.received.drain(..count).collect();
        if bytes.is_empty() {
            self.read_reset = wire.aborted && !wire.end_received;
            self.read_end = !self.read_reset;
        }
        match &mut self.opener {
            Some(opener) => {
                if !opener.open(&bytes, &mut self.plain) {
                    return Err("invalid records".into());
                }
            }
            None => self.plain.extend_from_slice(&bytes),
        }
        let mut frames = Vec::new();
        while let Some((frame, used)) = unframe(self.framing, &self.plain) {
            frames.push(frame);
            self.plain.drain(..used);
        }
        Ok(frames)
    }

    /// Whether a part of a frame was received.
    pub(crate) fn has_part(&self) -> bool {
        !self.plain.is_empty()
    }

    /// Whether the final output of the transform was received, if there is one.
    pub(crate) fn was_closed(&self) -> bool {
        self.opener.as_ref().is_none_or(|opener| opener.has_ended)
    }
}

/// Composes a message.
fn message(client: usize, number: usize, longest: usize, options: &Options, tape: &mut Tape) -> Vec<u8> {
    let operation: Operation = options.operations[tape.below(options.operations.len())];
    let mut message = vec![operation.letter(), b'0' + tape.below(10) as u8];
    message.extend_from_slice(format!("{client}.{number}.").as_bytes());
    let filler = tape.below(longest);
    message.extend((0..filler).map(|position| b'A' + ((position * 7 + number) % 26) as u8));
    message
}

/// Encodes a message.
fn frame(framing: Framing, message: &[u8], out: &mut Vec<u8>) {
    match framing {
        Framing::Length => {
            out.extend_from_slice(&(message.len() as u32).to_be_bytes());
            out.extend_from_slice(message);
        }
        _ => {
            out.extend_from_slice(message);
            out.push(b'\n');
        }
    }
}

/// Decodes the first frame, and returns the number of bytes that it took.
fn unframe(framing: Framing, bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    match framing {
        Framing::Length => {
            let length = u32::from_be_bytes(*bytes.first_chunk()?) as usize;
            let frame = bytes.get(4..4 + length)?;
            Some((frame.to_vec(), 4 + length))
        }
        _ => {
            let end = bytes.iter().position(|&byte| byte == b'\n')?;
            Some((bytes[..end].to_vec(), end + 1))
        }
    }
}

/// Seals plaintext in records that don't depend on where its messages end, and returns after how many bytes each of them can
/// be opened in whole.
fn seal(plain: &[u8], ends: &[usize]) -> (Vec<u8>, Vec<usize>) {
    let mut sealed = records::hello();
    let handshake = sealed.len();
    records::seal(plain, &mut sealed);
    let total = sealed.len();
    let at = |end: usize| (handshake + (end.div_ceil(250)) * 251).min(total);
    let ends = ends.iter().map(|&end| at(end)).collect();
    (sealed, ends)
}
