//! What a client is told when something is wrong.

use std::borrow::Cow;
use std::fmt;

/// What a client is told when something is wrong. How it is written is the protocol's affair; its
/// `Display` is what the built-in framings write.
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
    /// As many clients as allowed are connected, or nothing is left to serve one more with.
    Busy,
    /// A message is longer than `max` bytes.
    TooLong {
        /// The limit, in bytes of payload.
        max: usize,
    },
    /// What came is no message; the text says why.
    Malformed(Cow<'static, str>),
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
    /// A handler's own objection to a message, such as `not-utf8`. Control characters in it are written as spaces, so
    /// that an error reply stays one line whatever a client has sent.
    Rejected(Cow<'static, str>),
}

impl ErrorReply {
    /// What came is no message, for this reason.
    pub fn malformed(why: impl Into<Cow<'static, str>>) -> Self {
        Self::Malformed(why.into())
    }

    /// A handler's own objection to a message.
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
            Self::ShuttingDown => f.write_str("ERR shutting-down"),
            Self::Internal => f.write_str("ERR internal"),
            Self::Rejected(why) => write_line(f, "ERR ", why),
        }
    }
}

/// Writes a text behind its beginning, with spaces in place of control characters.
fn write_line(f: &mut fmt::Formatter<'_>, begin: &str, text: &str) -> fmt::Result {
    f.write_str(begin)?;
    let mut parts = text.split(char::is_control);
    f.write_str(parts.next().unwrap_or_default())?;
    parts.try_for_each(|part| write!(f, " {part}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_made_at_run_time_stays_one_line() {
        let rejected = |why: &str| ErrorReply::Rejected(why.to_owned().into()).to_string();
        assert_eq!(rejected("no room `a\r\nb\0`"), "ERR no room `a  b `");
        assert_eq!(rejected(""), "ERR ");
        assert_eq!(ErrorReply::malformed("length").to_string(), "ERR malformed length");
    }
}
