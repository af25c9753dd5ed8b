//! Replies that are waited for, one after the other.

use std::io::{self, ErrorKind, Read};

use super::{Found, Framing, Parser};

/// Replies that are waited for, one after the other.
pub struct Replies<R> {
    input: R,
    parser: Parser,
    kept: Vec<u8>,
    without_body: bool,
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
