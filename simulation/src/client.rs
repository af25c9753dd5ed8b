//! A simulated client: what it sends, how it ends, and what it reads.

use std::collections::VecDeque;
use std::fmt;

use crate::format::Format;
use crate::kernel::Wire;
use crate::operation::Operation;
use crate::options::Options;
use crate::preamble;
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

/// What follows the messages of a client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tail {
    #[default]
    None,
    /// A part of a message, or of a record.
    Part,
    PartOfRecord,
    /// A message over the limit.
    TooLong,
    /// What is no message.
    Malformed,
    /// What is no record, and the record that ends the input.
    BadRecord,
    EndRecord,
}

/// What the client does then, behind its number.
impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HalfClose => "ends its output",
            Self::Stay => "stays",
            Self::Close => "closes its socket",
            Self::Reset => "resets the connection",
            Self::Done => "has ended",
        })
    }
}

/// What follows, behind the number of messages.
impl fmt::Display for Tail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "",
            Self::Part => " and a part of one",
            Self::PartOfRecord => " and a part of a record",
            Self::TooLong => " and one over the limit",
            Self::Malformed => " and what is none",
            Self::BadRecord => " and what is no record",
            Self::EndRecord => " and the record that ends the input",
        })
    }
}

impl Tail {
    /// Whether the input may end within a message.
    pub(crate) fn is_incomplete(self) -> bool {
        matches!(self, Self::Part | Self::PartOfRecord | Self::TooLong)
    }
}

/// The input of a client, as it sends it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Input {
    /// Whether the preamble and the handshake are valid and complete.
    pub(crate) is_opening_valid: bool,
    /// Whether it is to be checked before anything receives it, and how it begins.
    pub(crate) is_to_be_checked: bool,
    pub(crate) start: Vec<u8>,
    pub(crate) tail: Tail,
    /// After how many bytes each message is whole.
    ends: Vec<usize>,
}

impl Input {
    /// How many messages are whole within this many bytes.
    pub(crate) fn whole(&self, bytes: usize) -> usize {
        self.ends.partition_point(|&end| end <= bytes)
    }
}

/// A simulated client.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) wire: usize,
    pub(crate) input: Input,
    /// What is still to be sent, and how many bytes were.
    outgoing: VecDeque<u8>,
    sent: usize,
    pub(crate) ending: Ending,
    opener: Option<Opener>,
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
        let mut messages: Vec<Vec<u8>> = Vec::new();
        let (mut plain, mut ends) = (Vec::new(), Vec::new());
        for number in 0..count {
            if options.format == Format::Tagged && tape.chance(20) {
                plain.extend_from_slice(b"...");
            }
            let message = message(wire, number, options, tape);
            options.format.encode(&message, &mut plain);
            ends.push(plain.len());
            messages.push(message);
        }
        let tail = draw_tail(options, tape);
        append_tail(tail, options, tape, &mut plain);
        let mut outgoing = Vec::new();
        let is_opening_valid = opening(wire, options, tape, &mut outgoing);
        let start = outgoing.len();
        if options.transform {
            records::seal(&plain, &mut outgoing);
            // Each record has a header of a byte.
            let all = outgoing.len();
            let sealed = |end: &usize| (start + end.div_ceil(records::MAX) * (records::MAX + 1)).min(all);
            ends = ends.iter().map(sealed).collect();
            match tail {
                Tail::PartOfRecord => outgoing.extend_from_slice(b"\x05ab"),
                Tail::BadRecord => outgoing.push(255),
                Tail::EndRecord => outgoing.push(0),
                _ => {}
            }
        } else {
            outgoing.extend_from_slice(&plain);
            ends.iter_mut().for_each(|end| *end += start);
        }
        // A client that sends a part of a message often waits, so that there are timeouts of messages.
        let stays = if tail.is_incomplete() { behavior.stays.max(128) } else { behavior.stays };
        let ending = match () {
            () if tape.chance(behavior.resets) => tape.pick(&[Ending::Reset, Ending::Close]),
            () if tape.chance(stays) => Ending::Stay,
            () => Ending::HalfClose,
        };
        let is_to_be_checked = options.check && !options.preamble.is_sent(wire);
        let start = outgoing[..outgoing.len().min(64)].to_vec();
        let client = Self {
            wire,
            input: Input { is_opening_valid, is_to_be_checked, start, tail, ends },
            outgoing: outgoing.into(),
            sent: 0,
            ending,
            opener: options.transform.then(Opener::default),
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
        self.input.whole(self.sent)
    }

    /// Ends its part of the conversation.
    pub(crate) fn end(&mut self, wire: &mut Wire) {
        match std::mem::replace(&mut self.ending, Ending::Done) {
            Ending::HalfClose => wire.client_ended = true,
            Ending::Close => wire.close_client(),
            Ending::Reset => wire.reset_by_client(),
            Ending::Stay | Ending::Done => {}
        }
    }

    /// Reads up to `count` bytes, and returns them, opened if there is a transform.
    pub(crate) fn read(&mut self, count: usize, wire: &mut Wire) -> Result<Vec<u8>, String> {
        let count = count.min(wire.received.len());
        let bytes: Vec<u8> = wire.received.drain(..count).collect();
        if bytes.is_empty() {
            self.read_reset = wire.aborted && !wire.end_received;
            self.read_end = !self.read_reset;
        }
        let Some(opener) = &mut self.opener else { return Ok(bytes) };
        let mut plain = Vec::new();
        if opener.open(&bytes, &mut plain) { Ok(plain) } else { Err("invalid records".into()) }
    }

    /// Whether the final output of the transform was received.
    pub(crate) fn has_final_output(&self) -> bool {
        self.opener.as_ref().is_some_and(|opener| opener.has_ended)
    }
}

/// Composes a message.
fn message(client: usize, number: usize, options: &Options, tape: &mut Tape) -> Vec<u8> {
    let operation: Operation = options.operations[tape.below(options.operations.len())];
    let mut message = vec![operation.letter(), b'0' + tape.below(10) as u8];
    message.extend_from_slice(format!("{client}.{number}.").as_bytes());
    let limit = options.limits.max_message;
    let length = if options.format != Format::Raw && tape.chance(options.behavior.at_limit) {
        limit - tape.below(2)
    } else {
        (message.len() + tape.below(options.behavior.longest)).min(limit)
    };
    let filler = length.saturating_sub(message.len());
    message.extend((0..filler).map(|position| b'A' + ((position * 7 + number) % 26) as u8));
    message
}

/// Draws what follows the messages.
fn draw_tail(options: &Options, tape: &mut Tape) -> Tail {
    if !tape.chance(options.behavior.invalid) {
        return Tail::None;
    }
    let of_records = [Tail::PartOfRecord, Tail::BadRecord, Tail::EndRecord];
    match options.format {
        _ if options.transform && tape.chance(128) => tape.pick(&of_records),
        Format::Raw => Tail::None,
        Format::Tagged => tape.pick(&[Tail::Part, Tail::Part, Tail::TooLong, Tail::Malformed]),
        Format::Line | Format::Length => tape.pick(&[Tail::Part, Tail::Part, Tail::TooLong]),
    }
}

fn append_tail(tail: Tail, options: &Options, tape: &mut Tape, plain: &mut Vec<u8>) {
    match tail {
        Tail::Part => {
            let mut part = Vec::new();
            options.format.encode(b"partial", &mut part);
            plain.extend_from_slice(&part[..1 + tape.below(part.len() - 1)]);
        }
        Tail::TooLong => options.format.encode(&vec![b'z'; options.limits.max_message + 1], plain),
        Tail::Malformed => plain.push(b'?'),
        Tail::None | Tail::PartOfRecord | Tail::BadRecord | Tail::EndRecord => {}
    }
}

/// Appends the preamble and the client's part of the handshake. Returns whether they are valid and complete.
fn opening(client: usize, options: &Options, tape: &mut Tape, out: &mut Vec<u8>) -> bool {
    let is_invalid = tape.chance(options.behavior.invalid / 4);
    let start = out.len();
    if options.preamble.is_sent(client) {
        preamble::encode(client, out);
    }
    if options.transform {
        out.extend_from_slice(records::HELLO);
    }
    if is_invalid && let Some(place) = out.len().checked_sub(start + 1) {
        out[start + tape.below(place)] = b'!';
    }
    !is_invalid || out.len() == start
}
