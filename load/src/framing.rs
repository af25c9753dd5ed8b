//! How messages are told from each other on the wire.

use std::fmt;
use std::io::{self, ErrorKind, Read};

use common::{Codec, Decoded, Limits, Line, Outbox};

use crate::messages::LONGEST;

/// How messages, and the replies to them, are told from each other.
#[derive(Clone, Copy)]
pub enum Framing {
    /// By line ends, as [`Line`] has it. The generator finds them by itself, as fast as that goes.
    Line,
    /// By a [`Codec`], the same that the server has.
    Codec {
        /// Its name.
        name: &'static str,
        /// Makes one for a connection.
        new: fn(&Limits) -> Box<dyn Codec>,
    },
}

/// A reply may be longer than its message, but not longer than this.
pub const LONGEST_REPLY: usize = 1024 * 1024 + 4096;

impl Framing {
    /// The framing of a codec, under a name.
    pub fn of<C: Codec>(name: &'static str) -> Self {
        Self::Codec { name, new: |limits| Box::new(C::new(limits)) }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Line => "line",
            Self::Codec { name, .. } => name,
        }
    }

    /// How long the payload of a message of this size is. A line is as long as it is sent, with its end; what
    /// a codec puts around a message comes on top.
    #[inline]
    pub fn payload(self, size: usize) -> usize {
        match self {
            Self::Line => size.saturating_sub(1),
            Self::Codec { .. } => size,
        }
    }

    /// The payload of a message that people have written as text.
    ///
    /// # Errors
    /// If the text is no message in this framing, or one that is too long: why, and what to write.
    pub fn encode(&self, text: &str) -> Result<Vec<u8>, String> {
        if text.len() > LONGEST {
            return Err(format!(
                "a message of {} bytes is too long; write one of at most {LONGEST} bytes",
                text.len()
            ));
        }
        if matches!(self, Self::Line) && text.contains('\n') {
            return Err(format!("`{}` is several lines; write each as a message", text.escape_debug()));
        }
        Ok(text.as_bytes().to_vec())
    }

    /// A codec for a connection of the generator's.
    pub fn codec(self) -> Box<dyn Codec> {
        let limits = Limits { max_message: LONGEST_REPLY, ..Limits::default() };
        match self {
            Self::Line => Box::new(Line::new(&limits)),
            Self::Codec { new, .. } => new(&limits),
        }
    }

    /// A message as it is sent.
    pub fn message(self, payload: &[u8]) -> Vec<u8> {
        let mut out = Outbox::new();
        push(&*self.codec(), &[payload], &mut out);
        out.bytes().to_vec()
    }

    /// The replies that come from `input`, which waits for them.
    pub fn replies<R: Read>(self, input: R) -> Replies<R> {
        Replies { input, codec: self.codec(), kept: Vec::new() }
    }
}

impl PartialEq for Framing {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl fmt::Debug for Framing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Adds a message that consists of several parts to what is sent.
pub fn push(codec: &dyn Codec, parts: &[&[u8]], out: &mut Outbox) {
    let start = out.len();
    codec.begin(out);
    parts.iter().for_each(|part| out.push(part));
    codec.end(start, out);
}

/// Replies that are waited for, one after the other.
pub struct Replies<R> {
    input: R,
    codec: Box<dyn Codec>,
    kept: Vec<u8>,
}

impl<R: Read> Replies<R> {
    /// The next reply.
    ///
    /// # Errors
    /// If the input ends or fails before, or if what comes is no reply (`InvalidData`).
    pub fn next(&mut self) -> io::Result<Vec<u8>> {
        loop {
            match self.codec.decode(&self.kept) {
                Decoded::Message { payload, used } => {
                    let reply = self.kept[payload].to_vec();
                    self.kept.drain(..used);
                    return Ok(reply);
                }
                Decoded::Broken(error) => {
                    return Err(io::Error::new(ErrorKind::InvalidData, error.to_string()));
                }
                Decoded::Skipped { used: used @ 1.. } => {
                    self.kept.drain(..used);
                    continue;
                }
                Decoded::Skipped { used: 0 } | Decoded::More => {}
            }
            let mut piece = [0; 4096];
            match self.input.read(&mut piece) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => {
                    self.codec.arrived(count);
                    self.kept.extend_from_slice(&piece[..count]);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use common::Length;

    use super::*;

    #[test]
    fn messages_are_framed_and_replies_found() {
        for (framing, sent) in
            [(Framing::Line, &b"hi\n"[..]), (Framing::of::<Length>("length"), b"\0\0\0\x02hi")]
        {
            assert_eq!(framing.message(b"hi"), sent, "{framing:?}");
            let twice = [sent, sent].concat();
            let mut replies =
                framing.replies(twice.chunks(1).fold(Box::new(io::empty()) as Box<dyn Read>, chain));
            assert_eq!((replies.next().unwrap(), replies.next().unwrap()), (b"hi".to_vec(), b"hi".to_vec()));
            assert_eq!(replies.next().unwrap_err().kind(), ErrorKind::UnexpectedEof);
        }
    }

    fn chain<'a>(before: Box<dyn Read + 'a>, piece: &'a [u8]) -> Box<dyn Read + 'a> {
        Box::new(before.chain(piece))
    }

    #[test]
    fn what_is_no_reply_is_an_error() {
        let mut replies = Framing::of::<Length>("length").replies(&[255; 4][..]);
        assert_eq!(replies.next().unwrap_err().kind(), ErrorKind::InvalidData);
    }

    #[test]
    fn a_size_is_with_the_line_end_and_without_a_codecs_bytes() {
        assert_eq!((Framing::Line.payload(32), Framing::of::<Length>("length").payload(32)), (31, 32));
    }
}
