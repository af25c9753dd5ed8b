//! Parses replies from received bytes, and reads them from blocking input.

use std::fmt;
use std::io::{self, ErrorKind, Read};
use std::ops::Range;

use common::{Codec, Decoded};

use super::Framing;
use super::http::Http;
use super::resp::Resp;

/// The reply parser of one connection.
pub(crate) enum Parser {
    /// Replies of a codec.
    Codec(Box<dyn Codec>),
    /// Replies of the Redis protocol.
    Resp(Resp),
    /// HTTP/1.1 responses.
    Http(Http),
}

/// The result of parsing the beginning of the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// No complete reply yet.
    More,
    /// So many bytes, at least one, that belong to no reply.
    Skipped(usize),
    /// A reply.
    Reply {
        /// Its payload, or, in `resp` and `http`, all of it.
        whole: Range<usize>,
        /// Its text without protocol bytes: that of a bulk string, or the body of a response.
        content: Range<usize>,
        /// How many bytes were consumed.
        used: usize,
        kind: Kind,
        /// Whether the server closes the connection after it.
        is_last: bool,
    },
    /// The input is not a valid reply, for this reason.
    Broken(String),
}

/// The kind of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It answers its message.
    Answer,
    /// It refuses its message.
    Refusal,
    /// It refuses the connection if it is the first reply; otherwise it refuses its message.
    Busy,
    /// It announces the end of the connection.
    Farewell,
}

/// The replies with which our server and Redis refuse a connection, in any framing.
const BUSY: [&[u8]; 2] = [b"ERR busy", b"ERR max number of clients"];

/// The replies with which a server announces that it closes a connection.
const FAREWELL: [&[u8]; 2] = [b"ERR shutting-down", b"ERR timeout "];

impl Parser {
    /// Finds the reply at the beginning of `input`. After [`Found::More`] it is called with the same bytes and more
    /// after them, and scans no byte twice. `without_body` is whether the reply answers a message that
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

    /// Like [`find`](Self::find), when the connection has ended and `input` is the rest.
    pub(crate) fn finish(&mut self, input: &[u8]) -> Found {
        match self {
            Self::Http(http) => http.finish(input),
            Self::Codec(_) | Self::Resp(_) => Found::More,
        }
    }

    /// The kind of a reply.
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

/// A blocking reader of replies.
pub struct ReplyReader<R> {
    input: R,
    parser: Parser,
    kept: Vec<u8>,
    without_body: bool,
}

impl<R> fmt::Debug for ReplyReader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplyReader").field("kept", &self.kept.len()).finish_non_exhaustive()
    }
}

impl<R: Read> ReplyReader<R> {
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
    /// If the input ends or fails before, or if it is not a valid reply (`InvalidData`).
    pub fn receive(&mut self) -> io::Result<Vec<u8>> {
        self.receive_parts().map(|(whole, _)| whole)
    }

    /// The next reply, and its text without protocol bytes.
    pub(crate) fn receive_parts(&mut self) -> io::Result<(Vec<u8>, Vec<u8>)> {
        loop {
            let found = self.parser.find(&mut self.kept, self.without_body);
            if let Some(parts) = self.take(found)? {
                return Ok(parts);
            }
        }
    }

    /// Consumes what was found, or reads more if nothing was.
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
