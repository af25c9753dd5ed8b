//! Whether a reply is right, refuses its message, or has something the matter with it.

use std::io;

use crate::engine::client::Client;
use crate::engine::composer::{Composer, parse};
use crate::engine::in_flight::Sent;
use crate::engine::tally::{Tally, beginning};
use crate::expect::{Expect, Reply};
use crate::framing::Kind;

/// A reply as it was found.
#[derive(Clone, Copy)]
pub(super) struct Said<'a> {
    /// Its payload, or, in `resp` and `http`, all of it.
    pub(super) whole: &'a [u8],
    /// What it says beside the bytes around it.
    pub(super) content: &'a [u8],
    pub(super) kind: Kind,
}

impl Client {
    /// Looks at a reply.
    ///
    /// # Errors
    /// If it says that the server refuses the connection, or ends it.
    #[inline]
    pub(super) fn reply(
        &mut self,
        said: Said<'_>,
        composer: &mut Composer<'_>,
        expect: &Expect,
        tally: &mut Tally,
        answered: &mut impl FnMut(&mut Tally, Sent),
    ) -> io::Result<()> {
        if self.greeting {
            if said.kind != Kind::Answer {
                return Err(refused(said.whole));
            }
            self.greeting = false;
            if expect.is_greeting(said.content) {
                return Ok(());
            }
        }
        tally.verification.replies += 1;
        if let Some(front) = self.messages.front() {
            let is_answer = said.kind == Kind::Answer;
            let right = match expect.read(said.content, self.done_here) {
                Reply::Says(message) => {
                    composer.is(message, self.number, front.id(), self.messages.front_payload())
                }
                Reply::Right => is_answer,
                Reply::Judged(hook) => {
                    is_answer
                        && hook.is_right(
                            composer.payload(self.number, front.id(), self.messages.front_payload()),
                            said.whole,
                        )
                }
                Reply::Wrong => false,
            };
            if right {
                self.take_front();
                self.is_refused = false;
                answered(tally, front);
                return Ok(());
            }
        }
        match said.kind {
            Kind::Answer => self.odd_reply(said, composer, expect, tally, answered),
            _ => self.refusal(said, tally, answered),
        }
    }

    /// Takes in a reply that is an error. What it refuses is the connection, where nothing has been answered and the
    /// server says so, or no message was sent; otherwise it is the message.
    #[cold]
    fn refusal(
        &mut self,
        Said { whole, kind, .. }: Said<'_>,
        tally: &mut Tally,
        answered: &mut impl FnMut(&mut Tally, Sent),
    ) -> io::Result<()> {
        if kind == Kind::Busy && self.done_here == 0 || self.sent() == 0 {
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
                answered(tally, sent);
            }
            None => self.extra(whole, tally),
        }
        Ok(())
    }

    /// Finds out what is the matter with a reply that is not the next one. One that doesn't tell which message it
    /// answers is either the next, or one too many.
    #[cold]
    fn odd_reply(
        &mut self,
        said: Said<'_>,
        composer: &mut Composer<'_>,
        expect: &Expect,
        tally: &mut Tally,
        answered: &mut impl FnMut(&mut Tally, Sent),
    ) -> io::Result<()> {
        let whole = said.whole;
        let next = self.messages.front().map_or(self.next, |front| front.number);
        let tells = expect.tells_message() && composer.are_made();
        let told = if tells { parse(expect.message_of(said.content)) } else { None };
        // A message says no more of its number than its digits do.
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
                // Those before it may come yet: then they are reordered, and otherwise lost.
                let connection = self.number;
                self.done_here += self.messages.pass_over(number, |sent| tally.lose(sent, connection));
                tally.verification.replies -= 1;
                return self.reply(said, composer, expect, tally, answered);
            }
            _ => match self.take_front() {
                Some(sent) => {
                    self.is_refused = false;
                    tally.verification.wrong += 1;
                    tally.bad("wrong", self.number, sent.number, whole);
                    answered(tally, sent);
                }
                None => self.extra(whole, tally),
            },
        }
        Ok(())
    }

    /// Counts a reply that nobody has asked for.
    fn extra(&self, whole: &[u8], tally: &mut Tally) {
        let when = match self.sent() {
            0 => "before its first message",
            _ => "when no message waited for one",
        };
        tally.verification.extra += 1;
        tally
            .example(|| format!("not asked for: connection {}, {when}: `{}`", self.number, beginning(whole)));
    }
}

/// The server lets nobody in.
fn refused(whole: &[u8]) -> io::Error {
    io::Error::other(format!("the server refuses: {}", first_line(whole)))
}

/// The first line of a reply, fit to be shown.
pub(super) fn first_line(whole: &[u8]) -> String {
    let line = whole.split(|&byte| byte == b'\r' || byte == b'\n').next();
    beginning(line.unwrap_or_default())
}
