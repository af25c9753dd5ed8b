//! Why a conversation ended, and as what it is counted.

use std::fmt;

/// Why a conversation ended. Every one has exactly one reason, which is counted exactly once.
///
/// ```
/// use anyloop::{CloseReason, Outcome};
///
/// assert_eq!(CloseReason::IdleTimeout.outcome(), Outcome::TimedOut);
/// assert_eq!(CloseReason::IdleTimeout.to_string(), "idle_timeout");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseReason {
    /// The session ended it with [`Flow::Close`](crate::Flow::Close).
    Exit,
    /// The client ended it, between two messages; everything was answered.
    EndOfInput,
    /// The server stops; the client's complete messages were answered.
    Stopping,
    /// The server stops, and the conversation had not ended by the drain deadline.
    Cut,
    /// No message came for as long as the idle timeout.
    IdleTimeout,
    /// A message was begun, and not ended within the message timeout.
    MessageTimeout,
    /// The preamble and the handshake of a transform were not done within the message timeout.
    HandshakeTimeout,
    /// The client took no byte of its replies for as long as the write timeout.
    WriteTimeout,
    /// Refused at the door: as many clients as allowed were connected.
    Busy,
    /// Refused at the door: the system had no thread, or no memory, to serve it with.
    Unserved,
    /// Refused at the door: the server was stopping.
    TooLate,
    /// The preamble or the handshake of a transform failed.
    HandshakeFailed,
    /// The client ended it within a message.
    Incomplete,
    /// The client sent a message over the limit.
    TooLong,
    /// The client sent what is no message.
    Malformed,
    /// The session ended it with [`Flow::Fail`](crate::Flow::Fail).
    Rejected,
    /// The session panicked.
    Panicked,
    /// The session said more for one message than the limit allows.
    ReplyTooLong,
    /// The connection broke: reset, or its peer has vanished.
    Lost,
}

/// As what a conversation is counted in the receipt. [`CloseReason::outcome`] tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// It came to its natural end.
    Finished,
    /// It was ended by the server's stop, with everything answered.
    Drained,
    /// It was ended by the drain deadline.
    Cut,
    /// A deadline of its own ended it.
    TimedOut,
    /// It never began.
    Refused,
    /// An error ended it.
    Failed,
}

impl CloseReason {
    /// All of them, in the order of the receipt.
    pub const ALL: &'static [Self] = &[
        Self::Exit,
        Self::EndOfInput,
        Self::Stopping,
        Self::Cut,
        Self::IdleTimeout,
        Self::MessageTimeout,
        Self::HandshakeTimeout,
        Self::WriteTimeout,
        Self::Busy,
        Self::Unserved,
        Self::TooLate,
        Self::HandshakeFailed,
        Self::Incomplete,
        Self::TooLong,
        Self::Malformed,
        Self::Rejected,
        Self::Panicked,
        Self::ReplyTooLong,
        Self::Lost,
    ];

    /// As what it is counted.
    pub fn outcome(self) -> Outcome {
        match self {
            Self::Exit | Self::EndOfInput => Outcome::Finished,
            Self::Stopping => Outcome::Drained,
            Self::Cut => Outcome::Cut,
            Self::IdleTimeout | Self::MessageTimeout => Outcome::TimedOut,
            Self::HandshakeTimeout | Self::WriteTimeout => Outcome::TimedOut,
            Self::Busy | Self::Unserved | Self::TooLate => Outcome::Refused,
            Self::Incomplete | Self::TooLong | Self::Malformed | Self::Rejected => Outcome::Failed,
            Self::HandshakeFailed | Self::Panicked | Self::ReplyTooLong | Self::Lost => Outcome::Failed,
        }
    }

    /// Whether it ended where it was: nothing more is delivered.
    pub(crate) fn is_abrupt(self) -> bool {
        matches!(self, Self::WriteTimeout | Self::Cut | Self::Lost)
    }

    /// Its name in receipts and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Exit => "exit",
            Self::EndOfInput => "end_of_input",
            Self::Stopping => "stopping",
            Self::Cut => "cut",
            Self::IdleTimeout => "idle_timeout",
            Self::MessageTimeout => "message_timeout",
            Self::HandshakeTimeout => "handshake_timeout",
            Self::WriteTimeout => "write_timeout",
            Self::Busy => "busy",
            Self::Unserved => "unserved",
            Self::TooLate => "too_late",
            Self::HandshakeFailed => "handshake_failed",
            Self::Incomplete => "incomplete",
            Self::TooLong => "too_long",
            Self::Malformed => "malformed",
            Self::Rejected => "rejected",
            Self::Panicked => "panicked",
            Self::ReplyTooLong => "reply_too_long",
            Self::Lost => "lost",
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
