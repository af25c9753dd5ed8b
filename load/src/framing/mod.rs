//! Message framings on the wire.

mod http;
mod parser;
mod resp;
mod text;

use std::fmt;

use common::{Codec, Limits, Line, Outbox};

pub use parser::ReplyReader;
pub(crate) use parser::{Found, Kind, Parser, kind_of};

use crate::messages::LONGEST;

/// How messages and replies are delimited.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum Framing {
    /// By line ends, like [`Line`]. The generator has an optimized parser for them.
    Line,
    /// By a [`Codec`], the same as the server's.
    Codec {
        /// Its name.
        name: &'static str,
        /// Makes one for a connection.
        new: &'static (dyn Fn(&Limits) -> Box<dyn Codec> + Send + Sync),
    },
    /// The Redis protocol, versions 2 and 3.
    Resp,
    /// HTTP/1.1 with keep-alive connections.
    Http,
}

/// The maximal length of a reply in lines or of a codec, in bytes. It may be longer than its message.
pub const LONGEST_REPLY: usize = 1024 * 1024 + 4096;

/// The maximal length of a reply in `resp` or `http`, in bytes, with its head.
pub const LONGEST_DOCUMENT: usize = 16 * 1024 * 1024;

impl Framing {
    /// The framing of a codec, under a name. `new` is leaked: it stays in memory until the program ends.
    pub fn of<C: Codec>(name: &'static str, new: impl Fn(&Limits) -> C + Send + Sync + 'static) -> Self {
        Self::Codec { name, new: Box::leak(Box::new(move |limits: &Limits| Box::new(new(limits)) as _)) }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Line => "line",
            Self::Codec { name, .. } => name,
            Self::Resp => "resp",
            Self::Http => "http",
        }
    }

    /// The payload length of a message of this size. The size of a line includes its line end; the bytes that other
    /// framings add are not included.
    #[inline]
    pub fn payload(self, size: usize) -> usize {
        match self {
            Self::Line => size.saturating_sub(1),
            Self::Codec { .. } | Self::Resp | Self::Http => size,
        }
    }

    /// The payload of a message that is written as text: in `resp` the words as redis-cli splits them, made a
    /// command; in `http` a method, a path and perhaps a body, such as `GET /` or `POST /items {"count": 1}`, made a
    /// request; in `line` and in the framing of a codec the text itself.
    ///
    /// # Errors
    /// If the text is not a message in this framing, or its message is longer than [`LONGEST`] bytes: the reason, and
    /// what to write.
    pub fn encode(self, text: &str) -> Result<Vec<u8>, String> {
        let payload = match self {
            Self::Line if text.contains('\n') => {
                return Err(format!("`{}` is several lines; write each as a message", shown(text)));
            }
            Self::Line | Self::Codec { .. } => text.as_bytes().to_vec(),
            Self::Resp => resp::command(&text::words(text)?),
            Self::Http => text::request(text)?,
        };
        let length = payload.len() + usize::from(self == Self::Line);
        if length > LONGEST {
            return Err(format!(
                "`{}` makes a message of {length} bytes; write one of at most {LONGEST} bytes",
                shown(text)
            ));
        }
        Ok(payload)
    }

    /// A message with this payload, as it is sent. In `resp` and `http` that is the payload.
    pub fn frame(self, payload: &[u8]) -> Vec<u8> {
        match self {
            Self::Line => [payload, b"\n"].concat(),
            Self::Codec { .. } => {
                let mut out = Outbox::new();
                push(&*self.codec(), &[payload], &mut out);
                out.bytes().to_vec()
            }
            Self::Resp | Self::Http => payload.to_vec(),
        }
    }

    /// A message that the server echoes, with this payload, in wire format: in `resp` that is `ECHO`.
    pub fn message(self, payload: &[u8]) -> Vec<u8> {
        match self {
            Self::Resp => resp::command(&[&b"ECHO"[..], payload]),
            _ => self.frame(payload),
        }
    }

    /// Whether a reply is an error that refuses its message. `reply` is the payload of the reply, or in `resp` and
    /// `http` the whole reply.
    pub fn is_error(self, reply: &[u8]) -> bool {
        self.parser().kind(reply) != Kind::Answer
    }

    /// A blocking reader of replies from `input`.
    pub fn replies<R: std::io::Read>(self, input: R) -> ReplyReader<R> {
        ReplyReader::new(self.parser(), input)
    }

    /// The reply parser of a connection.
    pub(crate) fn parser(self) -> Parser {
        match self {
            Self::Line | Self::Codec { .. } => Parser::Codec(self.codec()),
            Self::Resp => Parser::Resp(resp::Resp::new(LONGEST_DOCUMENT)),
            Self::Http => Parser::Http(http::Http::new(LONGEST_DOCUMENT)),
        }
    }

    /// Whether the reply to a message announces a body without sending it (`HEAD`).
    #[inline]
    pub(crate) fn asks_for_head(self, message: &[u8]) -> bool {
        matches!(self, Self::Http) && message.starts_with(b"HEAD ")
    }

    /// The encoder of a connection's messages, if the framing is a codec.
    pub(crate) fn codec(self) -> Box<dyn Codec> {
        let limits = Limits::default().with_max_message(LONGEST_REPLY);
        match self {
            Self::Codec { new, .. } => new(&limits),
            Self::Line | Self::Resp | Self::Http => Box::new(Line::new(&limits)),
        }
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
pub(crate) fn push(codec: &dyn Codec, parts: &[&[u8]], out: &mut Outbox) {
    let start = out.len();
    codec.begin(out);
    parts.iter().for_each(|part| out.push(part));
    codec.end(start, out);
}

/// The beginning of an invalid text, for an error message.
fn shown(text: &str) -> String {
    let mut characters = text.chars();
    let mut shown: String = characters.by_ref().take(40).flat_map(char::escape_debug).collect();
    if characters.next().is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests;
