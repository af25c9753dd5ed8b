//! Finds the replies in the received bytes, and classifies each as correct, a refusal, or faulty.

use std::io;

use memchr::memchr;

use crate::engine::client::Client;
use crate::engine::composer::{Composer, parse};
use crate::engine::subscription::Stage;
use crate::engine::tally::{Tally, beginning};
use crate::framing::{Found, Kind, LONGEST_REPLY, kind_of};

/// A reply in the received bytes.
#[derive(Clone, Copy)]
pub(super) struct Said<'a> {
    /// Its payload, or, in `resp` and `http`, all of it.
    pub(super) whole: &'a [u8],
    /// Its text, without the bytes of the protocol.
    pub(super) content: &'a [u8],
    pub(super) kind: Kind,
}

impl Client {
    /// Processes received bytes. Each answered message is counted.
    ///
    /// # Errors
    /// If the server refuses or ends the connection, or sends an invalid reply.
    pub(super) fn receive(
        &mut self,
        bytes: &mut [u8],
        composer: &mut Composer<'_>,
        tally: &mut Tally,
    ) -> io::Result<()> {
        self.is_served = true;
        if self.parser.is_none() {
            return self.lines(bytes, composer, tally);
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
            match self.take(found, &input[done..], composer, tally)? {
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

    /// Processes the remaining bytes when the server has ended the connection: a reply may end with it.
    ///
    /// # Errors
    /// As [`receive`](Self::receive).
    pub(super) fn finish(&mut self, composer: &mut Composer<'_>, tally: &mut Tally) -> io::Result<()> {
        let partial = std::mem::take(&mut self.partial);
        let found = self.parser.as_mut().map_or(Found::More, |parser| parser.finish(&partial));
        self.take(found, &partial, composer, tally).map(drop)
    }

    /// Processes what was found at the start of `input`. Returns the number of consumed bytes.
    fn take(
        &mut self,
        found: Found,
        input: &[u8],
        composer: &mut Composer<'_>,
        tally: &mut Tally,
    ) -> io::Result<usize> {
        match found {
            Found::More => Ok(0),
            Found::Skipped(used) => Ok(used),
            Found::Reply { whole, content, used, kind, is_last } => {
                let said = Said { whole: &input[whole], content: &input[content], kind };
                self.reply(said, composer, tally)?;
                match is_last {
                    true => Err(io::Error::other(
                        "the server closes it behind a reply that says so; --reconnect makes it anew",
                    )),
                    false => Ok(used),
                }
            }
            Found::Broken(why) => {
                composer.record_malformed(self.record, input);
                if kind_of(input) != Kind::Answer {
                    let said = first_line(input);
                    return Err(io::Error::other(format!(
                        "the server says `{said}`, in another framing than that of the messages; say by --framing which \
                         one it has"
                    )));
                }
                let rest = beginning(input);
                Err(io::Error::other(format!("the server says `{rest}`: {why}")))
            }
        }
    }

    #[inline]
    fn lines(&mut self, mut bytes: &[u8], composer: &mut Composer<'_>, tally: &mut Tally) -> io::Result<()> {
        while let Some(end) = memchr(b'\n', bytes) {
            let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
            bytes = rest;
            if self.partial.is_empty() {
                self.reply(Said::line(line), composer, tally)?;
            } else {
                let mut whole = std::mem::take(&mut self.partial);
                whole.extend_from_slice(line);
                self.reply(Said::line(&whole), composer, tally)?;
                whole.clear();
                self.partial = whole;
            }
        }
        self.partial.extend_from_slice(bytes);
        if self.partial.len() > LONGEST_REPLY {
            composer.record_malformed(self.record, &self.partial);
            return Err(io::Error::other("a reply of more than 1 MiB has no line end"));
        }
        Ok(())
    }

    /// Processes a reply, or what comes in place of replies.
    ///
    /// # Errors
    /// If it says that the server refuses the connection, or ends it.
    #[inline]
    fn reply(&mut self, said: Said<'_>, composer: &mut Composer<'_>, tally: &mut Tally) -> io::Result<()> {
        if self.stage != Stage::Replies && self.before_replies(said, composer, tally)? {
            return Ok(());
        }
        let is_right = self.is_right(said, composer);
        composer.record_reply(self.record, said, is_right);
        self.take_reply(said, is_right, composer, tally)
    }

    /// Whether a reply answers the oldest unanswered message.
    #[inline]
    fn is_right(&self, said: Said<'_>, composer: &mut Composer<'_>) -> bool {
        self.messages.front().is_some_and(|front| {
            composer.is_right(said, self.number, self.done_here, front, self.messages.front_payload())
        })
    }

    #[inline]
    fn take_reply(
        &mut self,
        said: Said<'_>,
        is_right: bool,
        composer: &mut Composer<'_>,
        tally: &mut Tally,
    ) -> io::Result<()> {
        tally.verification.replies += 1;
        if is_right && let Some(front) = self.take_front() {
            self.is_refused = false;
            tally.answered(front);
            return Ok(());
        }
        match said.kind {
            Kind::Answer => self.odd_reply(said, composer, tally),
            _ => self.refusal(said, composer, tally),
        }
    }

    /// Processes an error reply. It refuses the connection if nothing was answered before and its text says so, or if
    /// no message was sent; otherwise it refuses the message.
    #[cold]
    fn refusal(
        &mut self,
        Said { whole, kind, .. }: Said<'_>,
        composer: &mut Composer<'_>,
        tally: &mut Tally,
    ) -> io::Result<()> {
        let is_refused = kind == Kind::Busy && self.done_here == 0 || self.sent_here == 0;
        composer.record_refusal(self.record, whole, is_refused || kind == Kind::Farewell);
        if is_refused {
            tally.verification.replies -= 1;
            return Err(refused(whole));
        }
        if kind == Kind::Farewell {
            tally.verification.replies -= 1;
            return Err(io::Error::other(format!("the server says `{}`", first_line(whole))));
        }
        match self.take_front() {
            Some(sent) => {
                self.is_refused = true;
                tally.verification.refused += 1;
                tally.verification.refusal.get_or_insert_with(|| first_line(whole));
                tally.answered(sent);
            }
            None => self.extra(whole, tally),
        }
        Ok(())
    }

    /// Classifies a reply that is not the expected next one. A reply that does not identify its message is either the
    /// next one, or an extra one.
    #[cold]
    fn odd_reply(
        &mut self,
        said: Said<'_>,
        composer: &mut Composer<'_>,
        tally: &mut Tally,
    ) -> io::Result<()> {
        let whole = said.whole;
        let next = self.messages.front().map_or(self.next, |front| front.number);
        let tells = composer.expect.tells_message() && composer.are_made();
        let told = if tells { parse(composer.expect.message_of(said.content)) } else { None };
        // A message contains only the lowest digits of its number.
        let told =
            told.map(|(number, connection)| (next & !u64::from(u32::MAX) | u64::from(number), connection));
        match told {
            Some((_, connection)) if connection != self.number => {
                tally.verification.foreign += 1;
                tally.bad("foreign", self.number, next, whole);
            }
            Some((number, _)) if self.messages.take_missing(number).is_some() => {
                tally.verification.reordered += 1;
                tally.bad("reordered", self.number, number, whole);
            }
            Some((number, _)) if number < next => {
                tally.verification.doubled += 1;
                tally.bad("doubled", self.number, number, whole);
            }
            Some((number, _)) if self.messages.is_behind_front(number) => {
                // Replies to those before it may follow: then they are reordered, otherwise lost.
                let connection = self.number;
                self.done_here += self.messages.pass_over(number, |sent| tally.lose(sent, connection));
                tally.verification.replies -= 1;
                let is_right = self.is_right(said, composer);
                return self.take_reply(said, is_right, composer, tally);
            }
            _ => match self.take_front() {
                Some(sent) => {
                    self.is_refused = false;
                    tally.verification.wrong += 1;
                    tally.bad("wrong", self.number, sent.number, whole);
                    tally.answered(sent);
                }
                None => self.extra(whole, tally),
            },
        }
        Ok(())
    }

    /// Counts a reply without a message.
    fn extra(&self, whole: &[u8], tally: &mut Tally) {
        let when = match self.sent_here {
            0 => "before its first message",
            _ => "when no message waited for one",
        };
        tally.verification.extra += 1;
        tally
            .example(|| format!("not asked for: connection {}, {when}: `{}`", self.number, beginning(whole)));
    }
}

impl<'a> Said<'a> {
    /// A line, without the carriage return that some servers put before the line end.
    #[inline(always)] // called for each reply, and returns more than registers hold
    fn line(line: &'a [u8]) -> Self {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        Self { whole: line, content: line, kind: kind_of(line) }
    }
}

/// The error of a server that refuses connections.
pub(super) fn refused(whole: &[u8]) -> io::Error {
    io::Error::other(format!("the server refuses: {}", first_line(whole)))
}

/// The first line of a reply, escaped for display.
pub(super) fn first_line(whole: &[u8]) -> String {
    let line = whole.split(|&byte| byte == b'\r' || byte == b'\n').next();
    beginning(line.unwrap_or_default())
}
