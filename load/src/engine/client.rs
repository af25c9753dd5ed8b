//! One measured connection: what it has sent, and what it waits for.

use std::io::{self, Read, Write};
use std::net::Shutdown;

use socket2::Socket;

use crate::engine::composer::Composer;
use crate::engine::in_flight::{InFlight, Sent};
use crate::framing::{Framing, Parser};
use crate::plan::{Messages, Plan};

/// One measured connection.
pub(super) struct Client {
    pub(super) socket: Socket,
    /// Its number, which no other connection of the run has.
    pub(super) number: u32,
    pub(super) connected: bool,
    /// When connecting began.
    pub(super) since: u64,
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
    pub(super) sent_here: u64,
    /// How many of these have their reply, or were passed over by a later one that has.
    pub(super) done_here: u64,
    pub(super) messages: InFlight,
    framing: Framing,
    /// What finds replies; lines need none.
    pub(super) parser: Option<Parser>,
    /// The beginning of a reply that has not come whole.
    pub(super) partial: Vec<u8>,
    /// What the kernel did not take.
    unsent: Vec<u8>,
}

impl Client {
    pub(super) fn new(socket: Socket, number: u32, since: u64, plan: &Plan) -> Self {
        let by_function = matches!(plan.messages, Messages::By(_));
        let keeps = by_function && (plan.expect.verifies() || plan.reconnect);
        Self {
            socket,
            number,
            connected: false,
            since,
            is_served: false,
            is_again: false,
            gone: None,
            greeting: plan.expect.greets(),
            is_refused: false,
            next: 0,
            sent_here: 0,
            done_here: 0,
            messages: InFlight::new(plan.depth, keeps),
            framing: plan.framing,
            parser: (plan.framing != Framing::Line).then(|| plan.framing.parser()),
            partial: Vec::new(),
            unsent: Vec::new(),
        }
    }

    /// The same connection, made anew by another socket: with its number, and with the messages that have no reply.
    pub(super) fn again(self, socket: Socket, since: u64, plan: &Plan) -> Self {
        let Self { number, next, mut messages, gone, .. } = self;
        messages.begin_again();
        Self { next, messages, gone, is_again: true, ..Self::new(socket, number, since, plan) }
    }

    /// How many replies never came, should nothing come any more.
    pub(super) fn unanswered(&self) -> u64 {
        self.messages.iter().count() as u64
    }

    pub(super) fn has_unsent(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Adds the next message to `out`. When it was sent is told afterwards.
    #[inline]
    pub(super) fn push(&mut self, composer: &mut Composer<'_>, scheduled: u64, out: &mut Vec<u8>) {
        let (begin, number) = (out.len(), self.next);
        let length = composer.write(self.number, number, self.parser.as_ref(), out);
        let asks_for_head = self.framing.asks_for_head(&out[begin..]);
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        let sent = Sent { number, scheduled, sent: scheduled, length, asks_for_head };
        self.messages.push(sent, composer.last_written());
        self.next += 1;
        self.sent_here += 1;
    }

    /// Adds all messages that have no reply to `out` once more. Tells how many they are.
    pub(super) fn push_again(&mut self, composer: &mut Composer<'_>, now: u64, out: &mut Vec<u8>) -> u64 {
        let (connection, parser) = (self.number, self.parser.as_ref());
        self.messages.for_each_again(|sent, payload| {
            sent.sent = now;
            composer.write_again(connection, sent.id(), payload, parser, out);
        });
        self.sent_here += self.messages.len() as u64;
        self.messages.len() as u64
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

    /// Takes the oldest message whose reply is expected.
    #[inline]
    pub(super) fn take_front(&mut self) -> Option<Sent> {
        let front = self.messages.take_front()?;
        self.done_here += 1;
        Some(front)
    }
}

/// Writes what the kernel takes, and says how much that is.
fn write(mut socket: &Socket, bytes: &[u8]) -> io::Result<usize> {
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
