//! Errors that are reported to clients.

use std::borrow::Cow;
use std::fmt;

/// An error that is reported to a client. The protocol determines its format; the built-in framings send the text of
/// its `Display`.
///
/// ```
/// use anyloop::ErrorReply;
///
/// assert_eq!(ErrorReply::Busy.to_string(), "ERR busy");
/// assert_eq!(ErrorReply::TooLong { max: 64 }.to_string(), "ERR too-long max=64");
/// assert_eq!(ErrorReply::malformed("checksum").to_string(), "ERR malformed checksum");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorReply {
    /// The maximal number of clients is connected, or the system has no resources for another one.
    Busy,
    /// A message is longer than `max` bytes.
    TooLong {
        /// The limit, in bytes of payload.
        max: usize,
    },
    /// The input is not a valid message, for the given reason.
    Malformed(Cow<'static, str>),
    /// The client ended its input within a message.
    Incomplete,
    /// No message began within the idle timeout.
    IdleTimeout,
    /// A message was not complete within the message timeout.
    MessageTimeout,
    /// A [later](crate::Later) answer was not given within the answer timeout.
    AnswerTimeout,
    /// The server is stopping.
    ShuttingDown,
    /// The server failed: a panic, a reply that exceeds the limit, or an answer that was dropped.
    Internal,
    /// A handler rejected a message for the given reason, such as `not-utf8`. Control characters in it are replaced
    /// with spaces, so that an error reply is always one line.
    Rejected(Cow<'static, str>),
}

impl ErrorReply {
    /// Returns [`Malformed`](Self::Malformed) with this reason.
    pub fn malformed(why: impl Into<Cow<'static, str>>) -> Self {
        Self::Malformed(why.into())
    }

    /// Returns [`Rejected`](Self::Rejected) with this reason.
    pub fn rejected(why: impl Into<Cow<'static, str>>) -> Self {
        Self::Rejected(why.into())
    }
}

impl fmt::Display for ErrorReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy => f.write_str("ERR busy"),
            Self::TooLong { max } => write!(f, "ERR too-long max={max}"),
            Self::Malformed(why) => write_line(f, "ERR malformed ", why),
            Self::Incomplete => f.write_str("ERR incomplete"),
            Self::IdleTimeout => f.write_str("ERR timeout idle"),
            Self::MessageTimeout => f.write_str("ERR timeout message"),
            Self::AnswerTimeout => f.write_str("ERR timeout answer"),
            Self::ShuttingDown => f.write_str("ERR shutting-down"),
            Self::Internal => f.write_str("ERR internal"),
            Self::Rejected(why) => write_line(f, "ERR ", why),
        }
    }
}

/// Writes `prefix` and `text`, with control characters in `text` replaced with spaces.
fn write_line(f: &mut fmt::Formatter<'_>, prefix: &str, text: &str) -> fmt::Result {
    f.write_str(prefix)?;
    let mut parts = text.split(char::is_control);
    f.write_str(parts.next().unwrap_or_default())?;
    parts.try_for_each(|part| write!(f, " {part}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_in_a_reason_become_spaces() {
        let rejected = |why: &str| ErrorReply::Rejected(why.to_owned().into()).to_string();
        assert_eq!(rejected("no room `a\r\nb\0`"), "ERR no room `a  b `");
        assert_eq!(rejected(""), "ERR ");
        assert_eq!(ErrorReply::malformed("length").to_string(), "ERR malformed length");
    }
}
