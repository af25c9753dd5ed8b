//! How a client finds the replies in what it has read.

use std::io;

use memchr::memchr;

use crate::engine::client::Client;
use crate::engine::composer::Composer;
use crate::engine::in_flight::Sent;
use crate::engine::tally::{Tally, beginning};
use crate::engine::verify::Said;
use crate::expect::Expect;
use crate::framing::{Found, LONGEST_REPLY, Parser, kind_of};

impl Client {
    /// Looks at what was read. Each message that has its reply is handed to `answered`.
    ///
    /// # Errors
    /// If the server refuses or ends the connection, or sends what is no reply.
    pub(super) fn receive(
        &mut self,
        bytes: &mut [u8],
        composer: &mut Composer<'_>,
        expect: &Expect,
        tally: &mut Tally,
        mut answered: impl FnMut(&mut Tally, Sent),
    ) -> io::Result<()> {
        self.is_served = true;
        if self.parser.is_none() {
            return self.lines(bytes, composer, expect, tally, answered);
        }
        let mut partial = std::mem::take(&mut self.partial);
        let kept = !partial.is_empty();
        if kept {
            partial.extend_from_slice(bytes);
        }
        let input = if kept { &mut partial[..] } else { &mut *bytes };
        let mut done = 0;
        loop {
            let without_body = self.messages.front().is_some_and(|sent| sent.asks_for_head);
            let Some(parser) = &mut self.parser else { break };
            let found = parser.find(&mut input[done..], without_body);
            match self.take(found, &input[done..], composer, expect, tally, &mut answered)? {
                0 => break,
                used => done += used,
            }
        }
        if kept {
            partial.drain(..done);
        } else {
            partial.extend_from_slice(&bytes[done..]);
        }
        self.partial = partial;
        Ok(())
    }

    /// Looks at what is left when the server has ended the connection: a reply may end with it.
    ///
    /// # Errors
    /// As [`receive`](Self::receive).
    pub(super) fn finish(
        &mut self,
        composer: &mut Composer<'_>,
        expect: &Expect,
        tally: &mut Tally,
        mut answered: impl FnMut(&mut Tally, Sent),
    ) -> io::Result<()> {
        let partial = std::mem::take(&mut self.partial);
        let found = self.parser.as_mut().map_or(Found::More, |parser: &mut Parser| parser.finish(&partial));
        self.take(found, &partial, composer, expect, tally, &mut answered).map(drop)
    }

    /// Takes what was found at the beginning of `input`. Tells how many bytes are done with.
    fn take(
        &mut self,
        found: Found,
        input: &[u8],
        composer: &mut Composer<'_>,
        expect: &Expect,
        tally: &mut Tally,
        answered: &mut impl FnMut(&mut Tally, Sent),
    ) -> io::Result<usize> {
        match found {
            Found::More => Ok(0),
            Found::Skipped(used) => Ok(used),
            Found::Reply { whole, content, used, kind, is_last } => {
                let said = Said { whole: &input[whole], content: &input[content], kind };
                self.reply(said, composer, expect, tally, answered)?;
                match is_last {
                    true => Err(io::Error::other(
                        "the server closes it behind a reply that says so; --reconnect makes it anew",
                    )),
                    false => Ok(used),
                }
            }
            Found::Broken(why) => {
                let rest = beginning(input);
                Err(io::Error::other(format!("the server says `{rest}`: {why}")))
            }
        }
    }

    #[inline]
    fn lines(
        &mut self,
        mut bytes: &[u8],
        composer: &mut Composer<'_>,
        expect: &Expect,
        tally: &mut Tally,
        mut answered: impl FnMut(&mut Tally, Sent),
    ) -> io::Result<()> {
        while let Some(end) = memchr(b'\n', bytes) {
            let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
            bytes = rest;
            if self.partial.is_empty() {
                self.reply(Said::line(line), composer, expect, tally, &mut answered)?;
            } else {
                let mut whole = std::mem::take(&mut self.partial);
                whole.extend_from_slice(line);
                self.reply(Said::line(&whole), composer, expect, tally, &mut answered)?;
                whole.clear();
                self.partial = whole;
            }
        }
        self.partial.extend_from_slice(bytes);
        if self.partial.len() > LONGEST_REPLY {
            return Err(io::Error::other("a reply of more than 1 MiB has no line end"));
        }
        Ok(())
    }
}

impl<'a> Said<'a> {
    /// A line, without the carriage return that some servers put before the line end.
    #[inline]
    fn line(line: &'a [u8]) -> Self {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        Self { whole: line, content: line, kind: kind_of(line) }
    }
}
