//! The reasons why conversations end, and how they are counted.

use std::fmt;

/// The reason why a conversation ended. Each conversation has exactly one, and is counted once.
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
    /// The session returned [`Flow::Close`](crate::Flow::Close).
    Exit,
    /// The client ended its input between two messages, and all messages were answered.
    EndOfInput,
    /// The server stopped, and all complete messages of the client were answered.
    Stopping,
    /// The server stopped, and the conversation had not ended by the drain deadline.
    Cut,
    /// A [`Handle`](crate::Handle::close) ended it.
    Closed,
    /// No message began within the idle timeout.
    IdleTimeout,
    /// A message began and was not complete within the message timeout.
    MessageTimeout,
    /// The preamble and the handshake of a transform were not complete within the message timeout.
    HandshakeTimeout,
    /// A [later](crate::Later) answer was not given within the answer timeout.
    AnswerTimeout,
    /// The client received no byte of its replies within the write timeout, or fewer than the
    /// [minimum rate](crate::Limits::min_rate) asks for.
    WriteTimeout,
    /// The client was refused, since the maximal number of clients was connected.
    Busy,
    /// The client was refused, since the system had no thread or no memory for it.
    Unserved,
    /// The client was refused, since the server was stopping.
    TooLate,
    /// The preamble or the handshake of a transform failed.
    HandshakeFailed,
    /// The client ended its input within a message.
    Incomplete,
    /// The client's input ended without the end that a [transform](crate::Transform::announces_end) requires, such as the
    /// `close_notify` of TLS. It may have been cut off by somebody else.
    Truncated,
    /// The client sent a message that exceeds the limit.
    TooLong,
    /// The client sent an invalid message.
    Malformed,
    /// The session returned [`Flow::Fail`](crate::Flow::Fail).
    Rejected,
    /// The session panicked.
    Panicked,
    /// A [later](crate::Later) answer was dropped.
    Unanswered,
    /// The replies to one message exceeded the limit.
    ReplyTooLong,
    /// More messages were pushed to the client than fit into its [mailbox](crate::Limits::mailbox).
    MailboxFull,
    /// The connection was reset, or the peer became unreachable.
    Lost,
}

/// The category of a [`CloseReason`] in the statistics, as [`CloseReason::outcome`] returns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// The client or the session ended it, without an error.
    Finished,
    /// The server's stop ended it, and everything was answered.
    Drained,
    /// The drain deadline ended it.
    Cut,
    /// One of its timeouts ended it.
    TimedOut,
    /// The client was refused, so no session was opened.
    Refused,
    /// An error ended it.
    Failed,
}

impl CloseReason {
    /// All reasons, in the order of the statistics.
    pub const ALL: &'static [Self] = &[
        Self::Exit,
        Self::EndOfInput,
        Self::Stopping,
        Self::Cut,
        Self::Closed,
        Self::IdleTimeout,
        Self::MessageTimeout,
        Self::HandshakeTimeout,
        Self::AnswerTimeout,
        Self::WriteTimeout,
        Self::Busy,
        Self::Unserved,
        Self::TooLate,
        Self::HandshakeFailed,
        Self::Incomplete,
        Self::Truncated,
        Self::TooLong,
        Self::Malformed,
        Self::Rejected,
        Self::Panicked,
        Self::Unanswered,
        Self::ReplyTooLong,
        Self::MailboxFull,
        Self::Lost,
    ];

    /// The category that the reason is counted as.
    pub fn outcome(self) -> Outcome {
        match self {
            Self::Exit | Self::EndOfInput | Self::Closed => Outcome::Finished,
            Self::Stopping => Outcome::Drained,
            Self::Cut => Outcome::Cut,
            Self::IdleTimeout | Self::MessageTimeout => Outcome::TimedOut,
            Self::HandshakeTimeout | Self::AnswerTimeout | Self::WriteTimeout => Outcome::TimedOut,
            Self::Busy | Self::Unserved | Self::TooLate => Outcome::Refused,
            Self::Incomplete | Self::Truncated | Self::TooLong => Outcome::Failed,
            Self::Malformed | Self::Rejected => Outcome::Failed,
            Self::HandshakeFailed | Self::Panicked | Self::Unanswered => Outcome::Failed,
            Self::ReplyTooLong | Self::MailboxFull | Self::Lost => Outcome::Failed,
        }
    }

    /// Whether the conversation ends immediately, with unsent output discarded.
    pub(crate) fn is_abrupt(self) -> bool {
        matches!(self, Self::WriteTimeout | Self::MailboxFull | Self::Cut | Self::Lost)
    }

    /// The name of the reason in statistics and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Exit => "exit",
            Self::EndOfInput => "end_of_input",
            Self::Stopping => "stopping",
            Self::Cut => "cut",
            Self::Closed => "closed",
            Self::IdleTimeout => "idle_timeout",
            Self::MessageTimeout => "message_timeout",
            Self::HandshakeTimeout => "handshake_timeout",
            Self::AnswerTimeout => "answer_timeout",
            Self::WriteTimeout => "write_timeout",
            Self::Busy => "busy",
            Self::Unserved => "unserved",
            Self::TooLate => "too_late",
            Self::HandshakeFailed => "handshake_failed",
            Self::Incomplete => "incomplete",
            Self::Truncated => "truncated",
            Self::TooLong => "too_long",
            Self::Malformed => "malformed",
            Self::Rejected => "rejected",
            Self::Panicked => "panicked",
            Self::Unanswered => "unanswered",
            Self::ReplyTooLong => "reply_too_long",
            Self::MailboxFull => "mailbox_full",
            Self::Lost => "lost",
        }
    }
}

impl Outcome {
    /// The name of the outcome in statistics and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Drained => "drained",
            Self::Cut => "cut",
            Self::TimedOut => "timed_out",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
