//! The heart: what happens to a connection, decided without a socket and without a clock.

mod active;
mod handshake;
mod kept;
mod layer;
mod lent;
#[cfg(test)]
mod tests;
mod timers;
mod transformed;
mod turn;

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

pub use self::active::Active;
pub use self::kept::Output;
use self::kept::{Kept, Unsent};
use self::layer::Layer;
use self::timers::Allowance;
pub use self::timers::Timer;
use crate::{Address, Blocking, Client, CloseReason, Outbox, Protocol, Service, guarded};

/// One client's connection as a state machine: bytes and the time go in, and it says what to do. Framing, limits,
/// deadlines, backpressure, draining and panics are decided here.
///
/// A worker [takes it in hand](Self::activate), does what [`Active`] says, and lets it go to wait. Meanwhile, when its
/// [`deadline`](Self::deadline) has passed, it is [expired](Active::expire); when the server stops, it is
/// [stopped](Active::stop), and later [cut](Active::cut); when its socket fails, it is [lost](Active::lost).
pub struct Connection {
    service: Arc<Service>,
    peer: Address,
    /// Until the application is opened: what it is told of the client.
    opening: Option<Box<Client>>,
    may_block: bool,
    protocol: Option<Box<dyn Protocol>>,
    state: State,
    kept: Kept,
    unsent: Option<Box<Unsent>>,
    /// Whether the kept input may hold a whole message.
    work: bool,
    /// Whether the client has ended its input.
    input_ended: bool,
    /// Once the server stops: how many bytes may still be read, those that had arrived by then.
    stopping: Allowance,
    /// Once a deadline has passed while input had arrived that nobody has read: how many bytes of it are left to be
    /// read before the client is given up.
    overdue: Allowance,
    /// Whether the protocol says that a message has begun and not ended.
    begun: bool,
    /// When that began, or else when the client last had all it was owed.
    since: Instant,
    /// Whether output was lent.
    lent: bool,
    messages: u64,
    /// The transform and the preamble, if the service has one of them.
    layer: Option<Box<Layer>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The application has not been asked yet.
    Opening,
    Open,
    /// The preamble has not come yet, or the handshake of the transform is not done.
    Handshake,
    /// Nothing more is answered; what is owed is delivered, then the protocol is told.
    Ending(CloseReason),
    Done(CloseReason),
}

/// What a connection needs next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Replies are to be written.
    Write,
    /// Kept messages wait for their turn, or for a place where blocking is allowed.
    Run,
    /// The client has the word.
    Read,
    /// It is over.
    Done(CloseReason),
}

impl Connection {
    /// A client has connected. The application is asked in the first [`run`](Active::run).
    pub fn new(service: Arc<Service>, client: Client, now: Instant) -> Self {
        let has_layer = service.transform.is_some() || service.preamble.is_some();
        Self {
            // Where it panics, it is called where whatever it does holds nobody up.
            may_block: guarded(|| service.application.blocking()) != Some(Blocking::Never),
            service,
            peer: client.peer.clone(),
            opening: Some(Box::new(client)),
            protocol: None,
            state: if has_layer { State::Handshake } else { State::Opening },
            kept: Kept::default(),
            unsent: None,
            work: has_layer,
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

    /// What to do. Nothing is read while a reply is unsent: that is the backpressure, and all of it.
    fn what_now(&mut self, out: &mut Outbox) -> Next {
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
                State::Open | State::Handshake if self.work => return Next::Run,
                State::Open | State::Handshake if self.overdue.is_used_up() => self.time_out(out),
                State::Open | State::Handshake if self.stopping.is_used_up() => self.drained(out),
                State::Open | State::Handshake => return Next::Read,
                State::Ending(_) if self.has_last_word() => self.seal(out),
                State::Ending(_) if self.may_block && self.protocol.is_some() => return Next::Run,
                State::Ending(reason) => self.close(reason),
            }
        }
    }

    /// Where the client has connected from.
    pub fn peer(&self) -> &Address {
        &self.peer
    }

    /// Whether the next [`run`](Active::run) may take long: as the application says, but for a preamble and a handshake,
    /// of which the transform says it.
    pub fn may_block(&self) -> bool {
        match &self.layer {
            None => self.may_block,
            Some(layer) => layer.may_block || (self.may_block && self.state != State::Handshake),
        }
    }

    /// How many messages were answered.
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// Whether the client has ended its input, so that nothing unread can come to stand in its way.
    pub fn input_ended(&self) -> bool {
        self.input_ended
    }

    /// What is to be written: what was kept from earlier, or else what is in `out`.
    fn output<'a>(&'a self, out: &'a Outbox) -> &'a [u8] {
        match &self.unsent {
            Some(unsent) => unsent.bytes(),
            None => out.bytes(),
        }
    }

    /// The kernel took the first `count` bytes of the [`output`](Self::output).
    fn wrote(&mut self, count: usize, out: &mut Outbox, now: Instant) {
        let Some(unsent) = &mut self.unsent else { return out.sent(count) };
        unsent.sent(count, now);
        if unsent.bytes().is_empty() {
            self.unsent = None;
            self.all_sent(now);
        }
    }

    /// The kernel takes no more of the output: `queued` bytes stand in its queue.
    fn blocked(&mut self, queued: u64, out: &mut Outbox, now: Instant) {
        self.keep(out, now);
        let timeout = self.limits().write_timeout;
        if self.lent && self.unsent.is_none() {
            self.unsent = Some(Box::new(Unsent::new(Output::default(), now)));
        }
        if let Some(unsent) = &mut self.unsent {
            unsent.stalled(queued, now, timeout);
        }
    }

    /// Takes what was not sent out of `out`, which is then free to be lent to others.
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

    /// Bytes came, with one read. They are answered, or kept until they can be.
    fn receive(&mut self, input: &mut [u8], out: &mut Outbox, mut now: impl FnMut() -> Instant) {
        self.stopping.spend(input.len());
        self.overdue.spend(input.len());
        if self.layer.is_some() {
            return self.receive_raw(input, out, &mut now);
        }
        let wait = self.may_block || self.work || self.is_unsent(out);
        match self.state {
            State::Ending(_) | State::Done(_) => {}
            State::Open if !wait => self.answer(input, out, now),
            State::Opening | State::Open | State::Handshake => {
                self.kept.push(input, self.kept_bound());
                self.work = true;
            }
        }
    }

    /// Has input answered for one turn, behind what was kept, and keeps what it leaves.
    #[inline]
    fn answer(&mut self, input: &mut [u8], out: &mut Outbox, now: impl FnMut() -> Instant) {
        if self.kept.is_empty() {
            let used = self.turn(input, out, now);
            if used < input.len() && self.state == State::Open {
                self.kept.push(&input[used..], self.kept_bound());
            }
        } else {
            self.kept.push(input, self.kept_bound());
            self.turn_of_kept(out, now);
        }
    }

    /// The client will send no more.
    fn end_of_input(&mut self, out: &mut Outbox, mut now: impl FnMut() -> Instant) {
        self.input_ended = true;
        if self.layer.is_some() {
            self.end_of_raw_input(out, &mut now);
        } else if self.state == State::Open && !self.work {
            // What has to be said waits for its place, and for its turn.
            let wait = self.begun && (self.may_block || self.is_unsent(out));
            if wait { self.work = true } else { self.finish(out, now) }
        }
    }

    /// A read has found nothing. `arrived` counts what is there all the same, of which a runtime may not have heard yet.
    fn would_block(&mut self, arrived: impl FnOnce() -> usize) {
        let limited = self.stopping != Allowance::UNLIMITED || self.overdue != Allowance::UNLIMITED;
        if limited && arrived() == 0 {
            self.stopping.spend(usize::MAX);
            self.overdue.spend(usize::MAX);
        }
    }

    /// Does what waits, for one turn.
    fn run(&mut self, out: &mut Outbox, mut now: impl FnMut() -> Instant) {
        match self.state {
            State::Opening => self.open(out, now),
            State::Open | State::Handshake if self.layer.is_some() => self.run_layer(out, &mut now),
            State::Handshake => {}
            State::Open => {
                self.turn_of_kept(out, &mut now);
                if self.input_ended && self.state == State::Open && !self.work {
                    self.finish(out, now);
                }
            }
            State::Ending(reason) if self.unsent.is_none() && out.is_empty() => self.close(reason),
            State::Ending(_) | State::Done(_) => {}
        }
    }

    /// The server stops, and `arrived` bytes are there to be read: they are the last.
    fn stop(&mut self, arrived: usize) {
        self.stopping.limit(arrived);
    }

    /// The drain deadline has passed: nothing is owed any more.
    fn cut(&mut self, out: &mut Outbox) {
        self.abandon(CloseReason::Cut, out);
    }

    /// The socket has failed.
    fn lost(&mut self, out: &mut Outbox) {
        let reason = match self.state {
            // The client has gone with all that it was owed, and without the transform's last word.
            State::Ending(reason) if self.layer.as_ref().is_some_and(|layer| layer.delivered) => reason,
            _ => CloseReason::Lost,
        };
        self.abandon(reason, out);
    }

    /// It is over, wherever it is: tells why, which the protocol has been told.
    pub fn end(&mut self) -> CloseReason {
        let reason = match self.state {
            State::Done(reason) => return reason,
            State::Ending(reason) => reason,
            State::Handshake | State::Opening | State::Open => CloseReason::Lost,
        };
        self.close(reason);
        reason
    }

    fn is_unsent(&self, out: &Outbox) -> bool {
        self.lent || self.unsent.is_some() || !out.is_empty()
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut connection = f.debug_struct("Connection");
        connection.field("peer", &self.peer).field("state", &self.state).field("messages", &self.messages);
        connection.finish_non_exhaustive()
    }
}

impl Drop for Connection {
    /// A protocol that was opened is told of the end, whatever has become of its connection.
    fn drop(&mut self) {
        self.end();
    }
}
