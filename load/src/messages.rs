//! The messages to send: generated ones, and custom ones.

use std::fmt;
use std::sync::Arc;

use crate::expect::call;
use crate::framing::Framing;

/// The messages to send.
#[derive(Clone, Debug, PartialEq)]
pub enum Messages {
    /// Generated messages. Each contains its connection and its number, so that its reply can be verified.
    Made(Sizes),
    /// These payloads, sent by each connection in rotation from the first one. They are what
    /// [`Framing::encode`](crate::framing::Framing::encode) gives.
    Own(Arc<[Vec<u8>]>),
    /// The payloads that a function writes.
    By(MessageHook),
}

/// The length of messages in bytes: of lines with their end; in other framings of the payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sizes {
    /// All the same.
    Fixed(usize),
    /// Uniformly distributed from the first length to the last.
    Uniform(usize, usize),
    /// One of these, with equal probability.
    List(Vec<usize>),
}

/// The shortest generated message: a character and a line end.
const SHORTEST: usize = 2;

/// The longest message. Its reply may be some bytes longer.
pub const LONGEST: usize = 1024 * 1024;

impl Messages {
    /// Whether they are generated.
    pub fn are_made(&self) -> bool {
        matches!(self, Self::Made(_))
    }

    /// The first of them, in wire format; of generated messages, one of this size, counted as in [`Sizes`].
    pub fn example(&self, framing: Framing, size: usize) -> Vec<u8> {
        match self {
            Self::Made(_) => framing.message(&vec![b'h'; framing.payload(size)]),
            Self::Own(messages) => framing.frame(messages.first().map_or(&[], Vec::as_slice)),
            Self::By(hook) => {
                let mut payload = Vec::new();
                hook.write(0, 0, &mut payload);
                framing.frame(&payload)
            }
        }
    }

    /// The length of the longest of them: an upper bound for generated messages, the maximum of custom ones, and 0 for
    /// messages that a function writes.
    pub fn longest(&self) -> usize {
        match self {
            Self::Made(sizes) => sizes.bounds().1,
            Self::Own(messages) => messages.iter().map(Vec::len).max().unwrap_or(0),
            Self::By(_) => 0,
        }
    }

    /// Whether they can be sent.
    ///
    /// # Errors
    /// If not: why, and what to do.
    pub fn check(&self) -> Result<(), String> {
        match self {
            Self::Made(sizes) => sizes.check(),
            Self::Own(messages) if messages.is_empty() => {
                Err("there is no message to send; give at least one".to_owned())
            }
            Self::Own(_) | Self::By(_) => Ok(()),
        }
    }
}

impl Default for Messages {
    /// Lines of 32 bytes.
    fn default() -> Self {
        Self::Made(Sizes::Fixed(32))
    }
}

impl Sizes {
    /// Whether messages of these sizes can be made.
    ///
    /// # Errors
    /// If not: the valid sizes.
    pub fn check(&self) -> Result<(), String> {
        let (shortest, longest) = self.bounds();
        if shortest < SHORTEST || longest > LONGEST || shortest > longest {
            return Err(format!(
                "messages of {self} can't be made; choose sizes from {SHORTEST} to {LONGEST} bytes, line end included"
            ));
        }
        Ok(())
    }

    /// The shortest and the longest.
    pub fn bounds(&self) -> (usize, usize) {
        match self {
            Self::Fixed(size) => (*size, *size),
            Self::Uniform(least, most) => (*least, *most),
            Self::List(sizes) => {
                (sizes.iter().copied().min().unwrap_or(0), sizes.iter().copied().max().unwrap_or(0))
            }
        }
    }
}

impl fmt::Display for Messages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Made(sizes) => sizes.fmt(f),
            Self::Own(messages) if messages.len() == 1 => f.write_str("1 own message"),
            Self::Own(messages) => write!(f, "{} own messages in turn", messages.len()),
            Self::By(_) => f.write_str("messages of the command's own"),
        }
    }
}

impl fmt::Display for Sizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(size) => write!(f, "{size} B"),
            Self::Uniform(least, most) => write!(f, "{least} to {most} B"),
            Self::List(sizes) => write!(f, "{sizes:?} B"),
        }
    }
}

/// Writes the message of this number of this connection into an empty buffer.
type WriteMessage = dyn Fn(u32, u64, &mut Vec<u8>) + Send + Sync;

/// A function that writes messages.
#[derive(Clone)]
pub struct MessageHook(Arc<WriteMessage>);

impl MessageHook {
    /// Messages written by `write`. Its arguments are the number of the connection, the number of the message within
    /// that connection, both from 0, and an empty buffer for the payload. In the framings `resp` and `http` it has to
    /// write the whole request in wire format.
    pub fn new(write: impl Fn(u32, u64, &mut Vec<u8>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(write))
    }

    /// Appends a payload to the buffer.
    pub fn write(&self, connection: u32, number: u64, buffer: &mut Vec<u8>) {
        call("messages", || (self.0)(connection, number, buffer));
    }
}

impl PartialEq for MessageHook {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for MessageHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MessageHook")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_example_is_the_first_message_as_it_is_sent() {
        let own = Messages::Own([b"a b".to_vec(), b"c".to_vec()].into());
        let by = Messages::By(MessageHook::new(|connection, number, buffer| {
            buffer.extend_from_slice(format!("{connection}.{number}").as_bytes());
        }));
        let made = Messages::Made(Sizes::Uniform(3, 9));
        for (messages, framing, expected) in [
            (&own, Framing::Line, "a b\n"),
            (&own, Framing::Resp, "a b"),
            (&own, Framing::Http, "a b"),
            (&by, Framing::Line, "0.0\n"),
            (&made, Framing::Line, "hh\n"),
            (&made, Framing::Resp, "*2\r\n$4\r\nECHO\r\n$3\r\nhhh\r\n"),
        ] {
            assert_eq!(messages.example(framing, 3), expected.as_bytes(), "{messages:?} in {framing:?}");
        }
    }

    #[test]
    fn an_empty_list_of_messages_is_refused() {
        assert!(Messages::Own([].into()).check().unwrap_err().contains("no message to send"));
        assert_eq!(Messages::Own([Vec::new()].into()).check(), Ok(()));
        assert_eq!(Messages::default().check(), Ok(()));
        for (size, passes) in [(1, false), (2, true), (3, true)] {
            assert_eq!(Messages::Made(Sizes::Fixed(size)).check().is_ok(), passes);
        }
        for (size, passes) in [(LONGEST - 1, true), (LONGEST, true), (LONGEST + 1, false)] {
            assert_eq!(Messages::Made(Sizes::Fixed(size)).check().is_ok(), passes);
        }
    }
}
