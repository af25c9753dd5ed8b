//! Finds replies in what has come, and waits for them.

use std::fmt;
use std::io::{self, ErrorKind, Read};
use std::ops::Range;

use common::{Codec, Decoded};

use super::Framing;
use super::http::Http;
use super::resp::Resp;

/// Finds the replies of one connection.
pub(crate) enum Parser {
    /// As a codec has it.
    Codec(Box<dyn Codec>),
    /// As the Redis protocol has it.
    Resp(Resp),
    /// As HTTP/1.1 has it.
    Http(Http),
}

/// What was found at the beginning of the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// No whole reply yet.
    More,
    /// So many bytes, at least one, that belong to no reply.
    Skipped(usize),
    /// A reply.
    Reply {
        /// Its payload, or, in `resp` and `http`, all of it.
        whole: Range<usize>,
        /// What it says beside the bytes around it: of a bulk string the text, of a response the body.
        content: Range<usize>,
        /// How many bytes are done with.
        used: usize,
        kind: Kind,
        /// Whether the server closes the connection behind it.
        is_last: bool,
    },
    /// What came is no reply, for this reason.
    Broken(String),
}

/// What a reply says of its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It answers it.
    Answer,
    /// It refuses it.
    Refusal,
    /// It refuses the connection, if nothing was said before; otherwise it refuses the message.
    Busy,
    /// It ends the connection, whatever was sent.
    Farewell,
}

/// What a server says, in any framing, when it refuses a connection: ours, and a Redis.
const BUSY: [&[u8]; 2] = [b"ERR busy", b"ERR max number of clients"];

/// What a server says when it ends a connection for a reason of its own.
const FAREWELL: [&[u8]; 2] = [b"ERR shutting-down", b"ERR timeout "];

impl Parser {
    /// Finds the reply at the beginning of `input`. After [`Found::More`] it is called with the same bytes and more
    /// behind them, and looks at no byte twice. `without_body` is whether the reply answers a message that
    /// [`asks_for_head`](super::Framing::asks_for_head).
    pub(crate) fn find(&mut self, input: &mut [u8], without_body: bool) -> Found {
        match self {
            Self::Codec(codec) => match codec.decode(input) {
                Decoded::More | Decoded::Skipped { used: 0 } => Found::More,
                Decoded::Skipped { used } => Found::Skipped(used),
                Decoded::Message { payload, used } => {
                    let kind = kind_of_codec(&**codec, &input[payload.clone()]);
                    Found::Reply { whole: payload.clone(), content: payload, used, kind, is_last: false }
                }
                Decoded::Broken(error) => Found::Broken(error.to_string()),
            },
            Self::Resp(resp) => resp.find(input),
            Self::Http(http) => http.find(input, without_body),
        }
    }

    /// As [`find`](Self::find), when the connection has ended and `input` is what is left.
    pub(crate) fn finish(&mut self, input: &[u8]) -> Found {
        match self {
            Self::Http(http) => http.finish(input),
            Self::Codec(_) | Self::Resp(_) => Found::More,
        }
    }

    /// What a reply says of its message.
    pub(crate) fn kind(&self, reply: &[u8]) -> Kind {
        match self {
            Self::Codec(codec) => kind_of_codec(&**codec, reply),
            Self::Resp(_) => Resp::kind(reply),
            Self::Http(_) => Http::kind(reply),
        }
    }
}

fn kind_of_codec(codec: &dyn Codec, reply: &[u8]) -> Kind {
    if codec.is_error(reply) { kind_of_error(reply) } else { Kind::Answer }
}

/// What a reply says of its message, in lines.
#[inline]
pub(crate) fn kind_of(line: &[u8]) -> Kind {
    if line.starts_with(b"ERR ") { kind_of_error(line) } else { Kind::Answer }
}

/// What an error with this text says.
pub(super) fn kind_of_error(text: &[u8]) -> Kind {
    let begins = |words: &&[u8]| text.starts_with(words);
    match () {
        () if BUSY.iter().any(begins) => Kind::Busy,
        () if FAREWELL.iter().any(begins) => Kind::Farewell,
        () => Kind::Refusal,
    }
}

/// Replies that are waited for, one after the other.
pub struct Replies<R> {
    input: R,
    parser: Parser,
    kept: Vec<u8>,
    without_body: bool,
}

impl<R> fmt::Debug for Replies<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replies").field("kept", &self.kept.len()).finish_non_exhaustive()
    }
}

impl<R: Read> Replies<R> {
    pub(super) fn new(parser: Parser, input: R) -> Self {
        Self { input, parser, kept: Vec::new(), without_body: false }
    }

    /// The replies to messages such as this one, as it was sent: a response to `HEAD` has no body, whatever its
    /// head says.
    #[must_use]
    pub fn to(self, message: &[u8]) -> Self {
        let is_http = matches!(self.parser, Parser::Http(_));
        Self { without_body: is_http && Framing::Http.asks_for_head(message), ..self }
    }

    /// The next reply: its payload, or, in `resp` and `http`, all of it.
    ///
    /// # Errors
    /// If the input ends or fails before, or if what comes is no reply (`InvalidData`).
    pub fn receive(&mut self) -> io::Result<Vec<u8>> {
        self.receive_parts().map(|(whole, _)| whole)
    }

    /// The next reply, and what it says beside the bytes around it.
    pub(crate) fn receive_parts(&mut self) -> io::Result<(Vec<u8>, Vec<u8>)> {
        loop {
            let found = self.parser.find(&mut self.kept, self.without_body);
            if let Some(parts) = self.take(found)? {
                return Ok(parts);
            }
        }
    }

    /// Takes what was found, or reads on if it was nothing.
    fn take(&mut self, found: Found) -> io::Result<Option<(Vec<u8>, Vec<u8>)>> {
        match found {
            Found::Reply { whole, content, used, .. } => {
                let parts = (self.kept[whole].to_vec(), self.kept[content].to_vec());
                self.kept.drain(..used);
                Ok(Some(parts))
            }
            Found::Broken(why) => Err(io::Error::new(ErrorKind::InvalidData, why)),
            Found::Skipped(used) => {
                self.kept.drain(..used);
                Ok(None)
            }
            Found::More => self.read(),
        }
    }

    fn read(&mut self) -> io::Result<Option<(Vec<u8>, Vec<u8>)>> {
        let mut piece = [0; 4096];
        match self.input.read(&mut piece) {
            Ok(0) => match self.parser.finish(&self.kept) {
                Found::More => Err(ErrorKind::UnexpectedEof.into()),
                found => self.take(found),
            },
            Ok(count) => {
                self.kept.extend_from_slice(&piece[..count]);
                Ok(None)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(None),
            Err(error) => Err(error),
        }
    }
}
