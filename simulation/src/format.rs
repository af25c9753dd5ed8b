//! The formats of messages, as the clients write and read them, and a codec of the simulation's own.

use std::fmt;

use common::{Codec, Decoded, ErrorReply, Limits, Outbox};

/// How messages are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Format {
    /// The framing `line`.
    Line,
    /// The framing `length`.
    Length,
    /// The framing `raw`: whatever a read returns is a message.
    Raw,
    /// A codec with bytes to skip, bytes to unmask in place, and invalid messages.
    Tagged,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 4] = [Self::Line, Self::Length, Self::Raw, Self::Tagged];

    /// Appends a message.
    pub(crate) fn encode(self, message: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Line => out.extend(message.iter().chain(b"\n")),
            Self::Length => {
                out.extend_from_slice(&(message.len() as u32).to_be_bytes());
                out.extend_from_slice(message);
            }
            Self::Raw => out.extend_from_slice(message),
            Self::Tagged => {
                let [high, low] = (message.len() as u16).to_be_bytes();
                out.extend([TAG, high, low]);
                out.extend(message.iter().map(|byte| byte ^ MASK));
            }
        }
    }

    /// The text of an error reply.
    pub(crate) fn error_text(self, error: &ErrorReply) -> String {
        let text = match error {
            ErrorReply::Busy => "ERR busy",
            ErrorReply::TooLong { max } => return format!("ERR too-long max={max}"),
            ErrorReply::Malformed(why) => return format!("ERR malformed {why}"),
            ErrorReply::Incomplete => "ERR incomplete",
            ErrorReply::IdleTimeout => "ERR timeout idle",
            ErrorReply::MessageTimeout if self == Self::Line => "ERR timeout message: no line end",
            ErrorReply::MessageTimeout => "ERR timeout message",
            ErrorReply::AnswerTimeout => "ERR timeout answer",
            ErrorReply::ShuttingDown => "ERR shutting-down",
            ErrorReply::Internal => "ERR internal",
            ErrorReply::Rejected(why) => return format!("ERR {why}"),
            _ => "an error that the simulation doesn't know",
        };
        text.into()
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Line => "line",
            Self::Length => "length",
            Self::Raw => "raw",
            Self::Tagged => "tagged",
        })
    }
}

/// A message is a tag, a length of two bytes, and a payload whose bytes are masked. Dots before a tag are skipped, and any
/// other byte there is invalid.
pub(crate) struct Tagged {
    max: usize,
}

const TAG: u8 = b'#';
const SKIPPED: u8 = b'.';
const MASK: u8 = 0x2a;
const HEADER: usize = 3;

impl Tagged {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { max: limits.max_message }
    }
}

impl Codec for Tagged {
    fn decode(&mut self, input: &mut [u8]) -> Decoded {
        let used = input.iter().take_while(|&&byte| byte == SKIPPED).count();
        if used > 0 {
            return Decoded::Skipped { used };
        }
        if input.first().is_some_and(|&tag| tag != TAG) {
            return Decoded::Broken(ErrorReply::malformed("tag"));
        }
        let Some(&[_, high, low]) = input.first_chunk::<HEADER>() else { return Decoded::More };
        let length = usize::from(u16::from_be_bytes([high, low]));
        if length > self.max {
            return Decoded::Broken(ErrorReply::TooLong { max: self.max });
        }
        let used = HEADER + length;
        let Some(payload) = input.get_mut(HEADER..used) else { return Decoded::More };
        payload.iter_mut().for_each(|byte| *byte ^= MASK);
        Decoded::Message { payload: HEADER..used, used }
    }

    fn begin(&self, out: &mut Outbox) {
        out.push(&[TAG, 0, 0]);
    }

    fn end(&self, start: usize, out: &mut Outbox) {
        // A reply over the limit has no header, and is withdrawn.
        let Some(length) = out.len().checked_sub(start + HEADER) else { return };
        let masked: Vec<u8> = out.bytes()[start + HEADER..].iter().map(|byte| byte ^ MASK).collect();
        out.patch(start + 1, &(length as u16).to_be_bytes());
        out.patch(start + HEADER, &masked);
    }
}

#[cfg(test)]
mod tests {
    use common::Replies;

    use super::*;

    #[test]
    fn a_tagged_message_is_decoded_after_skipped_bytes_and_an_invalid_one_is_rejected() {
        let mut codec = Tagged::new(&Limits::default().with_max_message(3));
        let mut encoded = Vec::new();
        Format::Tagged.encode(b"abc", &mut encoded);
        let mut out = Outbox::new();
        Replies::new(&mut out, &codec).send(b"abc");
        assert_eq!(out.bytes(), encoded);
        for end in 0..6 {
            assert_eq!(codec.decode(&mut encoded[..end].to_vec()), Decoded::More);
        }
        assert_eq!(codec.decode(&mut encoded), Decoded::Message { payload: 3..6, used: 6 });
        assert_eq!(&encoded[3..], b"abc");
        assert_eq!(codec.decode(&mut b"..#".to_vec()), Decoded::Skipped { used: 2 });
        assert_eq!(codec.decode(&mut b"x".to_vec()), Decoded::Broken(ErrorReply::malformed("tag")));
        assert_eq!(codec.decode(&mut [TAG, 0, 4]), Decoded::Broken(ErrorReply::TooLong { max: 3 }));
    }
}
