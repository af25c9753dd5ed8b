//! One measured connection: what it has sent, and what it waits for.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};

use crate::engine::composer::Composer;
use crate::framing::{Framing, Parser};
use crate::plan::{Messages, Plan};

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
    /// Whether it was connected before, and is made anew.
    pub(super) is_again: bool,
    /// Since when the server has not served it, and what went wrong last, if it was ended.
    pub(super) gone: Option<(u64, String)>,
    /// Whether the greeting is still to come.
    pub(super) greeting: bool,
    /// Whether the last reply was a refusal.
    pub(super) is_refused: bool,
    /// The number of the next message.
    pub(super) next: u64,
    /// How many messages were sent since it was connected.
    sent_here: u64,
    /// How many of these have their reply, or were passed over by a later one that has.
    pub(super) done_here: u64,
    /// The messages that have no reply yet, oldest first.
    in_flight: VecDeque<Sent>,
    /// Messages whose reply did not come when a later one did.
    missing: Vec<Sent>,
    /// The payloads of the messages in flight, where a function has written them and they are needed again.
    kept: Option<Kept>,
    framing: Framing,
    /// What finds replies; lines need none.
    pub(super) parser: Option<Parser>,
    /// The beginning of a reply that has not come whole.
    pub(super) partial: Vec<u8>,
    /// What the kernel did not take.
    unsent: Vec<u8>,
}

/// A message that was sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    /// Its number within its connection.
    pub(super) number: u64,
    pub(super) scheduled: u64,
    pub(super) sent: u64,
    /// How long its payload is.
    length: u32,
    /// Whether its reply has a head alone.
    pub(super) asks_for_head: bool,
}

impl Sent {
    /// Its number and the length of its payload.
    #[inline]
    pub(super) fn id(&self) -> (u64, usize) {
        (self.number, self.length as usize)
    }
}

impl Client {
    pub(super) fn new(socket: TcpStream, number: u32, since: u64, plan: &Plan) -> Self {
        let is_written_by_function = matches!(plan.messages, Messages::By(_));
        Self {
            socket,
            number,
            connected: false,
            since,
            is_free: false,
            is_served: false,
            is_again: false,
            gone: None,
            greeting: plan.expect.greets(),
            is_refused: false,
            next: 0,
            sent_here: 0,
            done_here: 0,
            in_flight: VecDeque::with_capacity(plan.depth.min(ROOM)),
            missing: Vec::new(),
            kept: (is_written_by_function && (plan.expect.verifies() || plan.reconnect)).then(Kept::default),
            framing: plan.framing,
            parser: (plan.framing != Framing::Line).then(|| plan.framing.parser()),
            partial: Vec::new(),
            unsent: Vec::new(),
        }
    }

    /// The same connection, made anew by another socket: with its number, and with the messages that have no reply.
    pub(super) fn again(self, socket: TcpStream, since: u64, plan: &Plan) -> Self {
        let mut in_flight = self.in_flight;
        for missing in self.missing.into_iter().rev() {
            in_flight.push_front(missing);
        }
        in_flight.make_contiguous().sort_unstable_by_key(|sent| sent.number);
        let Self { number, next, kept, gone, .. } = self;
        Self { next, in_flight, kept, gone, is_again: true, ..Self::new(socket, number, since, plan) }
    }

    /// How many messages have no reply yet.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// How many messages have been sent since it was connected.
    pub(super) fn sent(&self) -> u64 {
        self.sent_here
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
    pub(super) fn first_unanswered(&self) -> Option<u64> {
        let missing = self.missing.iter().map(|sent| sent.number).min();
        missing.into_iter().chain(self.in_flight.front().map(|sent| sent.number)).min()
    }

    pub(super) fn has_unsent(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Adds the next message to `out`.
    #[inline]
    pub(super) fn push(&mut self, composer: &mut Composer<'_>, times: (u64, u64), out: &mut Vec<u8>) {
        let begin = out.len();
        let (number, (scheduled, sent)) = (self.next, times);
        let length = composer.write(self.number, number, self.parser.as_ref(), out);
        if let Some(kept) = &mut self.kept {
            kept.push(composer.last_written());
        }
        let asks_for_head = self.framing.asks_for_head(&out[begin..]);
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        self.in_flight.push_back(Sent { number, scheduled, sent, length, asks_for_head });
        self.next += 1;
        self.sent_here += 1;
    }

    /// Adds all messages that have no reply to `out` once more. Tells how many they are.
    pub(super) fn push_again(&mut self, composer: &mut Composer<'_>, now: u64, out: &mut Vec<u8>) -> u64 {
        let mut begin = 0;
        for sent in &mut self.in_flight {
            sent.sent = now;
            let kept = self.kept.as_ref().map_or(&[][..], |kept| kept.at(begin, sent.id().1));
            composer.write_again(self.number, sent.id(), kept, self.parser.as_ref(), out);
            begin += sent.id().1;
        }
        self.sent_here += self.in_flight.len() as u64;
        self.in_flight.len() as u64
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

    /// Closes the socket's connection, though the socket is still there.
    pub(super) fn close(&self) {
        // Where it is broken already there is nothing to be closed.
        let _ = self.socket.shutdown(Shutdown::Both);
    }

    /// The oldest message that has no reply.
    #[inline]
    pub(super) fn front(&self) -> Option<Sent> {
        self.in_flight.front().copied()
    }

    /// The payload of that message, if it is kept.
    #[inline]
    pub(super) fn kept(&self) -> &[u8] {
        let length = self.in_flight.front().map_or(0, |front| front.id().1);
        self.kept.as_ref().map_or(&[], |kept| kept.at(0, length))
    }

    /// Takes the oldest message that has no reply.
    #[inline]
    pub(super) fn take_front(&mut self) -> Option<Sent> {
        let front = self.in_flight.pop_front()?;
        self.done_here += 1;
        if let Some(kept) = &mut self.kept {
            kept.release(front.id().1);
        }
        Some(front)
    }

    /// Passes over the messages before this one: they may have their replies later.
    pub(super) fn pass_over(&mut self, number: u64) {
        while self.in_flight.front().is_some_and(|sent| sent.number != number) {
            let missing = self.take_front();
            self.missing.extend(missing);
        }
    }

    /// The messages that have no reply, but for the oldest.
    pub(super) fn behind_front(&self) -> impl Iterator<Item = u64> {
        self.in_flight.iter().skip(1).map(|sent| sent.number)
    }

    /// Takes a message that was passed over, if it was.
    pub(super) fn take_missing(&mut self, number: u64) -> Option<Sent> {
        let at = self.missing.iter().position(|sent| sent.number == number)?;
        Some(self.missing.swap_remove(at))
    }
}

/// The payloads of the messages in flight, one behind the other.
#[derive(Default)]
struct Kept {
    bytes: Vec<u8>,
    /// How many of these are released.
    released: usize,
}

impl Kept {
    fn push(&mut self, payload: &[u8]) {
        // The bytes that are released are moved over when they are half of all, so that each is moved about once.
        if self.released > self.bytes.len() / 2 {
            self.bytes.drain(..self.released);
            self.released = 0;
        }
        self.bytes.extend_from_slice(payload);
    }

    #[inline]
    fn at(&self, begin: usize, length: usize) -> &[u8] {
        &self.bytes[self.released + begin..][..length]
    }

    #[inline]
    fn release(&mut self, length: usize) {
        self.released += length;
    }
}

/// For so many messages in flight there is room from the start; for more, room is made when they are there.
const ROOM: usize = 1024;

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
