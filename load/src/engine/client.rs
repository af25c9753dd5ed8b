//! One measured connection: what it has sent, and whether the replies are right.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::TcpStream;

use common::{Codec, Outbox};

use crate::engine::message::{IDENTITY, Text, parse};
use crate::engine::tally::{Tally, beginning};
use crate::expect::{Expect, Reply};
use crate::framing::{self, Framing};
use crate::plan::Plan;

/// One measured connection.
pub(super) struct Client {
    pub(super) socket: TcpStream,
    /// Its number, which no other connection of the run has.
    pub(super) number: u32,
    pub(super) connected: bool,
    /// When connecting began.
    pub(super) since: u64,
    /// Whether it stands among those that are free, in an open loop.
    pub(super) is_free: bool,
    /// Whether anything has come.
    pub(super) is_served: bool,
    /// Whether the greeting is still to come.
    greeting: bool,
    /// The sequence number of the next message.
    next: u32,
    /// The messages that have no reply yet, oldest first.
    in_flight: VecDeque<Sent>,
    /// Messages whose reply did not come when a later one did.
    missing: Vec<Sent>,
    /// What tells messages from each other; lines need none.
    pub(super) codec: Option<Box<dyn Codec>>,
    /// The beginning of a reply that has not come whole.
    pub(super) partial: Vec<u8>,
    /// What the kernel did not take.
    unsent: Vec<u8>,
}

/// A message that was sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    pub(super) sequence: u32,
    /// How long its payload is.
    pub(super) payload: usize,
    pub(super) scheduled: u64,
    pub(super) sent: u64,
}

impl Client {
    pub(super) fn new(socket: TcpStream, number: u32, connected: bool, since: u64, plan: &Plan) -> Self {
        Self {
            socket,
            number,
            connected,
            since,
            is_free: false,
            is_served: false,
            greeting: plan.expect.greets(),
            next: 0,
            in_flight: VecDeque::with_capacity(plan.depth.min(ROOM)),
            missing: Vec::new(),
            codec: (plan.framing != Framing::Line).then(|| plan.framing.codec()),
            partial: Vec::new(),
            unsent: Vec::new(),
        }
    }

    /// How many messages have no reply yet.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// How many messages have been sent.
    pub(super) fn sent(&self) -> u64 {
        u64::from(self.next)
    }

    /// How many replies never came, should nothing come any more.
    pub(super) fn unanswered(&self) -> u64 {
        (self.in_flight.len() + self.missing.len()) as u64
    }

    /// The messages that have no reply yet.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &Sent> {
        self.missing.iter().chain(&self.in_flight)
    }

    /// The first message that has no reply, should nothing come any more.
    pub(super) fn first_unanswered(&self) -> Option<u32> {
        let missing = self.missing.iter().map(|sent| sent.sequence).min();
        missing.into_iter().chain(self.in_flight.front().map(|sent| sent.sequence)).min()
    }

    pub(super) fn has_unsent(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Adds a message to what is sent next: to `framed` where a codec makes it, and otherwise to `out`.
    #[inline]
    pub(super) fn push(
        &mut self,
        text: &Text,
        payload: usize,
        times: (u64, u64),
        out: &mut Vec<u8>,
        framed: &mut Outbox,
    ) {
        let (identity, letters) = text.parts(self.number, self.next, payload);
        match &self.codec {
            None => {
                out.extend_from_slice(&identity[..payload.min(IDENTITY)]);
                out.extend_from_slice(letters);
                out.push(b'\n');
            }
            Some(codec) => framing::push(&**codec, &[&identity[..payload.min(IDENTITY)], letters], framed),
        }
        let (scheduled, sent) = times;
        self.in_flight.push_back(Sent { sequence: self.next, payload, scheduled, sent });
        self.next = self.next.wrapping_add(1);
    }

    /// Sends `out`, and keeps what the kernel does not take.
    ///
    /// # Errors
    /// If the connection is broken.
    pub(super) fn send(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        if self.unsent.is_empty() {
            let count = write(&self.socket, out)?;
            self.unsent.extend_from_slice(&out[count..]);
        } else {
            self.unsent.extend_from_slice(out);
            let count = write(&self.socket, &self.unsent)?;
            self.unsent.drain(..count);
        }
        out.clear();
        Ok(())
    }

    /// Reads once. Tells how many bytes came; `None` if there are none at the moment.
    ///
    /// # Errors
    /// If the connection is broken or ended.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        match (&self.socket).read(buffer) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => Ok(Some(count)),
            Err(error) if is_passing(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Looks at a reply.
    #[inline]
    pub(super) fn reply(
        &mut self,
        line: &[u8],
        text: &Text,
        expect: &Expect,
        tally: &mut Tally,
        answered: &mut impl FnMut(&mut Tally, Sent),
    ) -> io::Result<()> {
        if self.greeting {
            self.greeting = false;
            if expect.is_greeting(line) {
                return Ok(());
            }
        }
        tally.verification.replies += 1;
        if let Some(&front) = self.in_flight.front() {
            let right = match expect.read(line, u64::from(front.sequence)) {
                Reply::Says(message) => text.is(message, self.number, front.sequence, front.payload),
                Reply::Right => true,
                Reply::Judged(hook) => {
                    hook.is_right(&text.payload(self.number, front.sequence, front.payload), line)
                }
                Reply::Wrong => false,
            };
            if right {
                self.in_flight.pop_front();
                answered(tally, front);
                return Ok(());
            }
        }
        self.odd_reply(line, text, expect, tally, answered)
    }

    /// Finds out what is the matter with a reply that is not the next one. One that doesn't tell which message it
    /// answers is either the next, or one too many.
    #[cold]
    fn odd_reply(
        &mut self,
        line: &[u8],
        text: &Text,
        expect: &Expect,
        tally: &mut Tally,
        answered: &mut impl FnMut(&mut Tally, Sent),
    ) -> io::Result<()> {
        if line.starts_with(b"ERR ") && self.in_flight.front().is_none_or(|front| front.sequence == 0) {
            tally.verification.replies -= 1;
            return Err(io::Error::other(format!("the server refuses: {}", beginning(line))));
        }
        if LAST_WORDS.iter().any(|words| line.starts_with(words)) {
            tally.verification.replies -= 1;
            return Err(io::Error::other(format!("the server says `{}`", beginning(line))));
        }
        let next = self.in_flight.front().map_or(self.next, |front| front.sequence);
        let told = if expect.tells_message() { parse(expect.message_of(line)) } else { None };
        match told {
            Some((_, number)) if number != self.number => {
                tally.verification.foreign += 1;
                tally.bad("foreign", self.number, next, line);
            }
            Some((sequence, _)) if self.take_missing(sequence).is_some() => {
                tally.verification.reordered += 1;
                tally.bad("reordered", self.number, sequence, line);
            }
            Some((sequence, _)) if sequence < next => {
                tally.verification.doubled += 1;
                tally.bad("doubled", self.number, sequence, line);
            }
            Some((sequence, _)) if self.in_flight.iter().skip(1).any(|sent| sent.sequence == sequence) => {
                // Those before it may come yet: then they are reordered, and otherwise lost.
                while self.in_flight.front().is_some_and(|sent| sent.sequence != sequence) {
                    self.missing.extend(self.in_flight.pop_front());
                }
                tally.verification.replies -= 1;
                return self.reply(line, text, expect, tally, answered);
            }
            _ => match self.in_flight.pop_front() {
                Some(sent) => {
                    tally.verification.wrong += 1;
                    tally.bad("wrong", self.number, sent.sequence, line);
                    answered(tally, sent);
                }
                None => {
                    let when = match self.next {
                        0 => "before its first message",
                        _ => "when no message waited for one",
                    };
                    tally.verification.extra += 1;
                    tally.example(|| {
                        format!("not asked for: connection {}, {when}: `{}`", self.number, beginning(line))
                    });
                }
            },
        }
        Ok(())
    }

    fn take_missing(&mut self, sequence: u32) -> Option<Sent> {
        let at = self.missing.iter().position(|sent| sent.sequence == sequence)?;
        Some(self.missing.swap_remove(at))
    }
}

/// For so many messages in flight there is room from the start; for more, room is made when they are there.
const ROOM: usize = 1024;

/// What a server says that ends a connection for a reason of its own, whatever was sent.
const LAST_WORDS: [&[u8]; 3] = [b"ERR busy", b"ERR shutting-down", b"ERR timeout "];

/// Writes what the kernel takes, and says how much that is.
fn write(mut socket: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    if bytes.is_empty() {
        return Ok(0);
    }
    match socket.write(bytes) {
        Ok(count) => Ok(count),
        Err(error) if is_passing(&error) => Ok(0),
        Err(error) => Err(error),
    }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
