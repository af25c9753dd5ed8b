//! What a client is told when something is wrong.

use std::fmt;

/// What a client is told when something is wrong. How it is written is the protocol's affair; its
/// `Display` is what the built-in framings write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorReply {
    /// As many clients as allowed are connected, or nothing is left to serve one more with.
    Busy,
    /// A message is longer than `max` bytes.
    TooLong {
        /// The limit, in bytes of payload.
        max: usize,
    },
    /// What came is no message; the text says why.
    Malformed(&'static str),
    /// The client ended its input within a message.
    Incomplete,
    /// No message came for too long.
    IdleTimeout,
    /// A message was begun and took too long to end.
    MessageTimeout,
    /// The server stops.
    ShuttingDown,
    /// The server's own fault: a panic, or a reply over the limit.
    Internal,
    /// A handler's own objection to a message, such as `not-utf8`.
    Rejected(&'static str),
}

impl fmt::Display for ErrorReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy => f.write_str("ERR busy"),
            Self::TooLong { max } => write!(f, "ERR too-long max={max}"),
            Self::Malformed(why) => write!(f, "ERR malformed {why}"),
            Self::Incomplete => f.write_str("ERR incomplete"),
            Self::IdleTimeout => f.write_str("ERR timeout idle"),
            Self::MessageTimeout => f.write_str("ERR timeout message"),
            Self::ShuttingDown => f.write_str("ERR shutting-down"),
            Self::Internal => f.write_str("ERR internal"),
            Self::Rejected(why) => write!(f, "ERR {why}"),
        }
    }
}
