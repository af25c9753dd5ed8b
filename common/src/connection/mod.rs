//! The state machine of a connection, without a socket and without a clock.

mod active;
mod delivery;
mod handshake;
mod kept;
mod layer;
mod lent;
mod rare;
#[cfg(test)]
mod tests;
mod timers;
mod transformed;
mod turn;

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

pub use self::active::Active;
use self::delivery::Pending;
pub use self::kept::Output;
use self::kept::{Kept, Unsent};
use self::layer::Layer;
use self::rare::{Peer, Rare, SessionTimer};
use self::timers::Allowance;
pub use self::timers::Timer;
use crate::{Address, Blocking, Client, CloseReason, Outbox, Protocol, Record, Service, guarded};

/// The state machine of one client's connection. Its inputs are bytes and the time, and it returns the next operation.
/// It implements framing, limits, deadlines, backpressure, draining and the handling of panics.
///
/// A worker [activates](Self::activate) the connection, performs the operations that [`Active`] returns, and drops the
/// `Active` before it waits. It calls [`expire`](Active::expire) when the [`deadline`](Self::deadline) has passed,
/// [`stop`](Active::stop) when the server stops, [`cut`](Active::cut) at the drain deadline, and [`lost`](Active::lost)
/// when the socket fails.
pub struct Connection {
    service: Arc<Service>,
    /// `None` while it is lent to the outbox, during a call of the protocol.
    record: Option<Arc<Record>>,
    peer: Peer,
    rare: Option<Box<Rare>>,
    may_block: bool,
    protocol: Option<Box<dyn Protocol>>,
    state: State,
    kept: Kept,
    unsent: Option<Box<Unsent>>,
    /// Whether the kept input may contain a complete message.
    work: bool,
    /// Whether the mailbox may contain something, the timer of the session has expired, or the session is to be told of a stop.
    mail: bool,
    /// Whether the session is to be told that the server stops, once it is open.
    stop_untold: bool,
    /// The answer that is awaited.
    pending: Option<Pending>,
    /// Whether the client has ended its input.
    input_ended: bool,
    /// After a stop: the number of bytes that may still be read, which had arrived before the stop.
    stopping: Allowance,
    /// After a deadline has passed with unread input: the number of bytes that are still read before the connection
    /// times out.
    overdue: Allowance,
    /// Whether a part of a message has arrived, according to the protocol.
    begun: bool,
    /// When that part began; otherwise when the last reply was sent.
    since: Instant,
    /// Whether output is lent.
    lent: bool,
    messages: u64,
    /// Whether the first input is still to be checked.
    unchecked: bool,
    /// The transform and the preamble, if the service has one of them.
    layer: Option<Box<Layer>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The application was not opened yet.
    Opening,
    Open,
    /// The preamble or the handshake of the transform is not complete.
    Handshake,
    /// No more messages are answered. Unsent output is delivered, then the protocol is closed.
    Ending(CloseReason),
    Done(CloseReason),
}

/// The next operation of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Write the output.
    Write,
    /// Call [`run`](Active::run): kept messages wait for a turn, or for a thread that may block.
    Run,
    /// Wait for input.
    Read,
    /// Wait until the connection is marked: an answer is awaited, so nothing is read.
    Wait,
    /// Close the connection, which has ended.
    Done(CloseReason),
}

impl Connection {
    /// Creates the state of a client that has just connected. The first [`run`](Active::run) opens the application.
    pub fn new(service: Arc<Service>, client: Client, now: Instant) -> Self {
        let has_layer = service.transform.is_some() || service.preamble.is_some();
        let record = Arc::clone(client.record());
        let blocking = || service.application.blocking();
        let is_caught = !canary!("lets a panic of an application escape");
        let blocking = if is_caught { guarded(blocking) } else { Some(blocking()) };
        Self {
            // If `blocking` panics, the application is treated as one that may block.
            may_block: blocking != Some(Blocking::Never),
            unchecked: service.first_input_check.is_some(),
            service,
            record: Some(record),
            peer: Peer::new(&client.peer),
            rare: Some(Box::new(Rare::Client(client))),
            protocol: None,
            state: if has_layer { State::Handshake } else { State::Opening },
            kept: Kept::default(),
            unsent: None,
            work: has_layer,
            mail: false,
            stop_untold: false,
            pending: None,
            input_ended: false,
            stopping: Allowance::UNLIMITED,
            overdue: Allowance::UNLIMITED,
            begun: false,
            since: now,
            lent: false,
            messages: 0,
            layer: has_layer.then(|| Box::new(Layer::new())),
        }
    }

    /// Returns the next operation. Nothing is read while a reply is unsent or an answer is awaited, which is the only
    /// backpressure.
    #[inline]
    fn what_now(&mut self, out: &mut Outbox) -> Next {
        // The usual cases, which are inlined.
        if self.state == State::Open && self.layer.is_none() {
            if self.is_unsent(out) {
                return Next::Write;
            }
            if !self.work && !self.holds_input() && !self.overdue.is_used_up() && !self.stopping.is_used_up()
            {
                return Next::Read;
            }
        }
        self.what_else(out)
    }

    /// Returns the next operation in all cases.
    #[inline(never)]
    fn what_else(&mut self, out: &mut Outbox) -> Next {
        loop {
            match self.state {
                State::Done(reason) => return Next::Done(reason),
                _ if self.is_unsent(out) => {
                    self.seal(out);
                    if self.layer.is_none() || self.is_unsent(out) {
                        return Next::Write;
                    }
                }
                State::Opening => return Next::Run,
                // What is pushed does not extend the deadline of a message.
                State::Open if self.mail && !(self.begun && self.overdue.is_used_up()) => return Next::Run,
                State::Open if self.awaits_answer() => return Next::Wait,
                State::Open | State::Handshake if self.work => return Next::Run,
                State::Open | State::Handshake if self.overdue.is_used_up() => self.time_out(out),
                State::Open | State::Handshake if self.stopping.is_used_up() => self.drained(out),
                State::Open | State::Handshake => return Next::Read,
                State::Ending(_) if self.owes_error() => return Next::Run,
                State::Ending(_) if self.has_final_output() => self.seal(out),
                State::Ending(_) if self.may_block && self.protocol.is_some() => return Next::Run,
                State::Ending(reason) => self.close(reason),
            }
        }
    }

    /// The address of the client.
    pub fn peer(&self) -> Address {
        self.peer.address()
    }

    /// The record, which the connection shares with other threads.
    ///
    /// # Panics
    /// During a call of the protocol.
    #[inline]
    pub fn record(&self) -> &Arc<Record> {
        let Some(record) = &self.record else { panic!("the record is lent to the outbox") };
        record
    }

    /// Whether the next [`run`](Active::run) may block. During a preamble and a handshake this is determined by the
    /// transform, otherwise by the application.
    pub fn may_block(&self) -> bool {
        match &self.layer {
            None => self.may_block,
            Some(layer) => layer.may_block || (self.may_block && self.state != State::Handshake),
        }
    }

    /// The size of the buffers that it keeps, in bytes, with what its transform may keep. It is bounded by
    /// [`Service::memory_bound`], with the mailbox and the [size](Output::capacity) of output that is lent.
    pub fn memory(&self) -> usize {
        let unsent = self.unsent.as_ref().map_or(0, |unsent| unsent.capacity());
        self.kept.capacity() + unsent + self.layer.as_ref().map_or(0, |layer| layer.memory())
    }

    /// The number of answered messages.
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// Whether the client has ended its input, so that the socket can't contain unread input when it is closed.
    pub fn input_ended(&self) -> bool {
        self.input_ended
    }

    /// The output to write: unsent output if there is some, otherwise the content of `out`.
    fn output<'a>(&'a self, out: &'a Outbox) -> &'a [u8] {
        match &self.unsent {
            Some(unsent) => unsent.bytes(),
            None => out.bytes(),
        }
    }

    /// The first `count` bytes of the [`output`](Self::output) were written.
    fn wrote(&mut self, count: usize, out: &mut Outbox, now: Instant) {
        let Some(unsent) = &mut self.unsent else { return out.sent(count) };
        unsent.sent(count, now);
        if unsent.bytes().is_empty() {
            let since = unsent.since();
            self.unsent = None;
            self.all_sent(since, now);
        }
    }

    /// Writing would block. The send queue of the kernel contains `queued` bytes.
    fn blocked(&mut self, queued: u64, out: &mut Outbox, now: Instant) {
        self.keep(out, now);
        if self.lent && self.unsent.is_none() {
            self.unsent = Some(Box::new(Unsent::new(Output::default(), now)));
        }
        if let Some(unsent) = &mut self.unsent {
            unsent.blocked(queued, now, &self.service.limits);
        }
    }

    /// Moves unsent output out of `out`, so that other connections can use it.
    fn keep(&mut self, out: &mut Outbox, now: Instant) {
        if matches!(self.state, State::Done(_)) {
            return out.clear();
        }
        self.seal(out);
        if !out.is_empty() {
            let unsent = self.unsent.get_or_insert_with(|| Box::new(Unsent::new(Output::default(), now)));
            unsent.push(out);
        }
    }

    /// Processes the bytes of one read. They are answered, or kept for a later turn.
    fn receive(&mut self, input: &mut [u8], out: &mut Outbox, mut now: impl FnMut() -> Instant) {
        self.stopping.spend(input.len());
        self.overdue.spend(input.len());
        if self.unchecked {
            self.check_first_input(input, out);
        }
        if self.layer.is_some() {
            return self.receive_raw(input, out, &mut now);
        }
        let wait = self.may_block || self.work || self.holds_input() || self.is_unsent(out);
        match self.state {
            State::Ending(_) | State::Done(_) => {}
            State::Open if !wait => self.answer(input, out, now),
            State::Opening | State::Open | State::Handshake => {
                self.kept.push(input, self.kept_bound());
                self.work = !canary!("forgets that kept input waits");
            }
        }
    }

    /// Answers kept input and `input` for one turn, and keeps the rest.
    #[inline]
    fn answer(&mut self, input: &mut [u8], out: &mut Outbox, now: impl FnMut() -> Instant) {
        if self.kept.is_empty() || canary!("answers new input before kept input") {
            let used = self.turn(input, out, now);
            if used < input.len() && self.state == State::Open && !canary!("loses the input after a turn") {
                self.kept.push(&input[used..], self.kept_bound());
            }
        } else {
            self.kept.push(input, self.kept_bound());
            self.turn_of_kept(out, now);
        }
    }

    /// Handles the end of the input.
    fn end_of_input(&mut self, out: &mut Outbox, mut now: impl FnMut() -> Instant) {
        self.input_ended = true;
        if self.layer.is_some() {
            self.end_of_raw_input(out, &mut now);
        } else if self.state == State::Open && (!self.work || canary!("ends before kept input is answered")) {
            // The last message waits until it may block, and until unsent replies are written.
            let wait = self.holds_input() || (self.begun && (self.may_block || self.is_unsent(out)));
            if wait { self.work = true } else { self.finish(out, now) }
        }
    }

    /// A read would block. `arrived` returns the number of unread bytes in the socket, which a runtime may not have
    /// reported yet.
    fn would_block(&mut self, arrived: impl FnOnce() -> usize) {
        let limited = self.stopping != Allowance::UNLIMITED || self.overdue != Allowance::UNLIMITED;
        if limited && (arrived() == 0 || canary!("gives up input after an interrupt")) {
            self.stopping.spend(usize::MAX);
            self.overdue.spend(usize::MAX);
        }
    }

    /// Performs pending work for one turn.
    fn run(&mut self, out: &mut Outbox, mut now: impl FnMut() -> Instant) {
        if self.mail && self.state == State::Open {
            self.deliver(out, &mut now);
        }
        match self.state {
            State::Opening => self.open(out, now),
            State::Open if self.awaits_answer() => {}
            State::Open | State::Handshake if self.layer.is_some() => self.run_layer(out, &mut now),
            State::Handshake => {}
            State::Open => {
                if self.work {
                    self.turn_of_kept(out, &mut now);
                }
                if self.input_ended && self.state == State::Open && !self.work && !self.holds_input() {
                    self.finish(out, now);
                }
            }
            State::Ending(reason) => match self.take_error() {
                Some(error) => self.fail(reason, &error, out),
                None if self.has_sent_all(out) => self.close(reason),
                None => {}
            },
            State::Done(_) => {}
        }
    }

    /// The server is stopping. The `arrived` unread bytes are the last that are processed.
    fn stop(&mut self, arrived: usize) {
        self.stop_untold |= self.stopping == Allowance::UNLIMITED;
        self.mail |= self.stop_untold && self.state == State::Open;
        self.stopping.limit(if canary!("discards what arrived before the stop") { 0 } else { arrived });
    }

    /// The drain deadline has passed. Unsent output is discarded.
    fn cut(&mut self, out: &mut Outbox) {
        self.abandon(CloseReason::Cut, out);
    }

    /// Handles a failure of the socket.
    fn lost(&mut self, out: &mut Outbox) {
        let reason = match self.state {
            // The client has received all replies. Only the final output of the transform is missing.
            State::Ending(reason) if self.layer.as_ref().is_some_and(|layer| layer.delivered) => reason,
            _ => CloseReason::Lost,
        };
        self.abandon(reason, out);
    }

    /// Whether input must wait for an answer, or for a turn with messages that were pushed.
    #[inline]
    fn holds_input(&self) -> bool {
        self.mail || self.awaits_answer()
    }

    fn is_unsent(&self, out: &Outbox) -> bool {
        self.lent || self.unsent.is_some() || !out.is_empty()
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut connection = f.debug_struct("Connection");
        connection.field("peer", &self.peer()).field("state", &self.state).field("messages", &self.messages);
        connection.finish_non_exhaustive()
    }
}
