//! A measured connection: the messages it has sent, and the replies it waits for.

use std::io::{self, Read, Write};
use std::net::Shutdown;

use socket2::Socket;

use crate::engine::composer::Composer;
use crate::engine::in_flight::{InFlight, Sent};
use crate::engine::subscription::{Stage, Subscription};
use crate::framing::{Framing, Parser};
use crate::plan::{Messages, Plan};
use crate::transform::{Channel, is_failure, is_passing};

/// One measured connection.
pub(super) struct Client {
    pub(super) socket: Socket,
    /// Its number, unique within the run.
    pub(super) number: u32,
    /// Its number in the history, which it has since it was established.
    pub(super) record: u32,
    pub(super) connected: bool,
    /// Whether it is connected and may send messages.
    pub(super) sends: bool,
    /// When connecting began.
    pub(super) since: u64,
    /// How long connecting took with the handshake of a transform, until the first reply shows that the server has
    /// accepted it: a client may complete the handshake before the server refuses its certificate.
    pub(super) connecting: Option<u64>,
    /// The layer below the messages.
    pub(super) channel: Option<Box<Channel>>,
    /// Whether any byte was received.
    pub(super) is_served: bool,
    /// Whether this is a reconnection.
    pub(super) is_again: bool,
    /// Since when the server has not served it, and the last error if it was closed.
    pub(super) gone: Option<(u64, String)>,
    /// What it receives next.
    pub(super) stage: Stage,
    /// What it has received, if it only listens.
    pub(super) subscription: Option<Box<Subscription>>,
    /// Whether the last reply was a refusal.
    pub(super) is_refused: bool,
    /// The number of the next message.
    pub(super) next: u64,
    /// How many messages were sent since it was connected.
    pub(super) sent_here: u64,
    /// How many of these have a reply, or were skipped by the reply to a later one.
    pub(super) done_here: u64,
    pub(super) messages: InFlight,
    framing: Framing,
    /// The parser of replies; lines need none.
    pub(super) parser: Option<Parser>,
    /// The start of an incomplete reply.
    pub(super) partial: Vec<u8>,
    /// The bytes that the kernel has not yet accepted.
    pub(super) unsent: Vec<u8>,
}

impl Client {
    pub(super) fn new(socket: Socket, number: u32, since: u64, plan: &Plan) -> Self {
        let by_function = matches!(plan.messages, Messages::By(_));
        let keeps = by_function && (plan.expect.verifies() || plan.reconnect);
        Self {
            socket,
            number,
            record: 0,
            connected: false,
            sends: false,
            since,
            connecting: None,
            channel: None,
            is_served: false,
            is_again: false,
            gone: None,
            stage: if plan.expect.greets() { Stage::Greeting } else { Stage::Replies },
            subscription: None,
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

    /// A connection that only listens.
    pub(super) fn subscriber(socket: Socket, number: u32, since: u64, plan: &Plan) -> Self {
        let stage = if plan.expect.greets() { Stage::Greeting } else { Stage::Subscription };
        let subscription = Some(Box::new(Subscription::new(number - plan.connections as u32, plan)));
        let messages = InFlight::new(0, false);
        Self { stage, subscription, messages, ..Self::new(socket, number, since, plan) }
    }

    /// The same connection on a new socket, with its number and its unanswered messages.
    pub(super) fn again(self, socket: Socket, since: u64, plan: &Plan) -> Self {
        let Self { number, next, mut messages, gone, .. } = self;
        messages.begin_again();
        Self { next, messages, gone, is_again: true, ..Self::new(socket, number, since, plan) }
    }

    /// How many replies would be missing if no more bytes arrived.
    pub(super) fn unanswered(&self) -> u64 {
        self.messages.iter().count() as u64
    }

    pub(super) fn has_unsent(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Adds the next message to `out`. The time of sending is recorded later.
    #[inline]
    pub(super) fn push(&mut self, composer: &mut Composer<'_>, scheduled: u64, out: &mut Vec<u8>) {
        let (begin, number) = (out.len(), self.next);
        let length = composer.write(self.number, number, self.parser.as_ref(), out);
        let asks_for_head = self.framing.asks_for_head(&out[begin..]);
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        let sent = Sent { number, scheduled, sent: scheduled, length, asks_for_head };
        composer.record_request(self.record, self.number, sent.id(), None, self.sent_here, &out[begin..]);
        self.messages.push(sent, composer.last_written());
        self.next += 1;
        self.sent_here += 1;
    }

    /// Adds all unanswered messages to `out` again. Returns their number.
    pub(super) fn push_again(&mut self, composer: &mut Composer<'_>, now: u64, out: &mut Vec<u8>) -> u64 {
        let (record, connection, parser) = (self.record, self.number, self.parser.as_ref());
        let count = &mut self.sent_here;
        self.messages.for_each_again(|sent, payload| {
            sent.sent = now;
            let begin = out.len();
            composer.write_again(connection, sent.id(), payload, parser, out);
            composer.record_request(record, connection, sent.id(), Some(payload), *count, &out[begin..]);
            *count += 1;
        });
        self.messages.len() as u64
    }

    /// Sends `out`, and keeps the bytes that the kernel does not accept.
    ///
    /// # Errors
    /// If the connection is broken.
    pub(super) fn send(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        if let Some(channel) = &mut self.channel
            && !out.is_empty()
        {
            channel.seal(out, &mut self.unsent);
            out.clear();
        }
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

    /// Reads once. Returns the number of bytes; `None` if none are available.
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

    /// Whether it is in the handshake of a transform.
    pub(super) fn is_handshaking(&self) -> bool {
        !self.connected && self.channel.as_ref().is_some_and(|channel| channel.has_begun())
    }

    /// Shuts the sending side down.
    pub(super) fn end_output(&mut self) {
        self.announce_end();
        // The connection may be broken already.
        let _ = self.socket.shutdown(Shutdown::Write);
    }

    /// Announces the end of its output to the server, if a transform does so.
    pub(super) fn announce_end(&mut self) {
        if let Some(channel) = self.channel.as_mut().filter(|channel| channel.has_begun()) {
            channel.close(&mut self.unsent);
            // The server may have closed the connection.
            let _ = self.send(&mut Vec::new());
        }
    }

    /// Whether the server has refused it: before it was connected, or behind a handshake that the client had completed.
    pub(super) fn is_refused_by(&self, error: &io::Error) -> bool {
        !self.connected || !self.is_served && error.kind() == io::ErrorKind::InvalidData && is_failure(error)
    }

    /// Shuts the connection down, without closing the socket.
    pub(super) fn close(&self) {
        // The connection may be broken already.
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

/// Writes as much as the kernel accepts, and returns the number of bytes.
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
