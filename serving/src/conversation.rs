//! A conversation: serves one client, with its connection, its record and its share of the statistics.

use std::fmt;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use crate::buffers::Buffers;
use crate::connections::{add_bytes, set_messages};
use crate::state::{Phase, State};
use crate::{Accepted, Transport};
use common::{CloseReason, Connection, Marks, Next, Outbox, Record, Timer, WakeQueue, canary};

/// Serves one client. A backend drives it in a loop:
///
/// 1. [Register](Self::register) the waker of the task or thread that will wait.
/// 2. Call [`advance`](Self::advance), which reads, answers and writes as far as it can without waiting.
/// 3. Do what the returned [`Wait`] says. If the socket became ready, call [`ready`](Self::ready).
pub struct Conversation {
    pub(crate) connection: Connection,
    pub(crate) state: Arc<State>,
    /// The timer whose deadline is in the record.
    armed: Option<Timer>,
    /// Whether the task waits for input, or for a failure of the socket.
    pub(crate) waits_for_socket: bool,
    /// Whether the task has waited for a failure of the socket while an answer is pending. It does so once.
    pub(crate) has_watched: bool,
    /// Whether its end was counted.
    counted: bool,
    /// Whether all input was read, and the socket has not become ready since.
    drained: bool,
    /// Whether there may be more input after a short read.
    more_input: bool,
    /// Whether the handler ran since the last advance, or with completion-based I/O since the last wait for input.
    pub(crate) has_run: bool,
    writes: Writes,
}

/// What a conversation waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// The socket to become readable. All input was read, so an edge-triggered event is enough.
    Readable,
    /// The socket to become writable.
    Writable,
    /// Its waker to be woken. If the socket is reported to have failed or to have become readable meanwhile, the conversation may
    /// be advanced as well, to find out whether the client is lost.
    Wakeup,
    /// The other conversations to have a turn.
    Turn,
    /// A [`run`](Conversation::run) where blocking is allowed.
    Blocking,
    /// Nothing. The conversation is over: [`end`](Conversation::end) it.
    Over,
}

/// How many consecutive writes failed with `WouldBlock` although the socket was reported writable, and whether the last one did
/// and the socket has not become ready since. It is one byte, since each idle client has one.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Writes(u8);

impl Writes {
    /// This many consecutive writes may fail although the socket is reported writable, as they do while the kernel has no memory
    /// for its queues. The next attempt follows after a pause.
    const MAX_REFUSED: u8 = 3;
    const BLOCKED: u8 = 1 << 7;

    fn is_blocked(self) -> bool {
        self.0 & Self::BLOCKED != 0
    }

    fn ready(&mut self) {
        self.0 &= !Self::BLOCKED;
    }

    /// A write would have blocked. Returns whether to pause.
    fn refused(&mut self) -> bool {
        let pauses = self.0 + 1 >= Self::MAX_REFUSED;
        self.0 = if pauses { 0 } else { (self.0 + 1) | Self::BLOCKED };
        pauses
    }
}

const REFUSED_WRITE_PAUSE: Duration = Duration::from_millis(20);

impl Conversation {
    pub(crate) fn new(connection: Connection, state: Arc<State>) -> Self {
        Self {
            connection,
            state,
            armed: None,
            waits_for_socket: false,
            has_watched: false,
            counted: false,
            drained: false,
            more_input: false,
            has_run: false,
            writes: Writes(0),
        }
    }

    /// Registers `waker` to be woken when the conversation must advance without an event of its socket, because a deadline
    /// has passed or the server stops.
    pub fn register(&self, waker: &Waker) {
        self.record().cell.register(waker);
    }

    /// Like [`register`](Self::register), for a worker that has a queue: pushes `slot` to it. If the conversation
    /// [is marked](Self::is_marked) already, it does so immediately.
    pub fn register_slot(&self, queue: &Arc<WakeQueue>, slot: usize) {
        self.record().cell.register_slot(queue, slot);
    }

    /// Whether the conversation must advance without an event of its socket.
    pub fn is_marked(&self) -> bool {
        self.record().cell.is_marked()
    }

    /// The connection that it serves.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    #[inline]
    pub(crate) fn record(&self) -> &Arc<Record> {
        self.connection.record()
    }

    /// Reports that the socket is ready, so that the next [`advance`](Self::advance) reads or writes. Otherwise an advance after
    /// [`Wait::Readable`] doesn't read, and one after [`Wait::Writable`] doesn't write, so that a wake-up for another reason
    /// costs no unnecessary call.
    ///
    /// Set `more_input` if an edge-triggered poller also reported urgent data, a hang-up or the end of the input. A read stops
    /// before these and is short although there is more input, so the conversation then reads until `WouldBlock`.
    #[inline]
    pub fn ready(&mut self, more_input: bool) {
        self.drained &= canary!("reads nothing after an event");
        if !canary!("writes nothing after an event") {
            self.writes.ready();
        }
        self.more_input |= more_input && !canary!("ignores urgent data");
    }

    /// Reads, answers and writes, for at most one turn and one read. It blocks only if `socket` does.
    #[inline]
    pub fn advance(&mut self, mut socket: impl Transport, buffers: &mut Buffers) -> Wait {
        buffers.allocate();
        self.apply_marks(&socket, &mut buffers.output);
        let Buffers { input, output, .. } = buffers;
        let (mut had_turn, mut had_read, mut pauses) = (false, false, false);
        let has_run = std::mem::take(&mut self.has_run);
        let (mut bytes_in, mut bytes_out) = (0, 0);
        let mut active = self.connection.activate(output, &self.state.clock);
        let wait = loop {
            let mut next = active.what_now();
            let is_between = next == Next::Run && (had_turn || has_run) && !had_read;
            if is_between && active.accepts_input() && socket.arrived() > 0 {
                // Input that has arrived is read between two turns, also if more messages are pushed continuously.
                (next, had_turn, self.drained) = (Next::Read, false, false);
            }
            match next {
                Next::Write if self.writes.is_blocked() => break Wait::Writable,
                Next::Write => match socket.write(active.output()) {
                    Ok(0) => active.lost(),
                    Ok(count) => {
                        self.writes = Writes(0);
                        bytes_out += if canary!("counts no bytes that it writes") { 0 } else { count };
                        active.wrote(count);
                    }
                    // The kernel may refuse a write although it reports the socket writable.
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        active.blocked(socket.queued());
                        pauses = self.writes.refused();
                        break if pauses { Wait::Wakeup } else { Wait::Writable };
                    }
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(_) => active.lost(),
                },
                Next::Run if active.connection().may_block() => break Wait::Blocking,
                Next::Run if had_turn => break Wait::Turn,
                Next::Run => {
                    had_turn = true;
                    active.run();
                }
                Next::Read if self.drained => break Wait::Readable,
                Next::Read if had_turn => break Wait::Turn,
                Next::Read => {
                    (had_turn, had_read) = (true, true);
                    match socket.read(input) {
                        Ok(0) => active.end_of_input(),
                        Ok(count) => {
                            bytes_in += count;
                            self.drained = (count < input.len() || canary!("takes every read for the last"))
                                && !self.more_input;
                            active.receive(&mut input[..count]);
                        }
                        Err(error) if error.kind() == ErrorKind::WouldBlock => {
                            self.drained = true;
                            self.more_input = false;
                            active.would_block(|| socket.arrived());
                        }
                        Err(error) if error.kind() == ErrorKind::Interrupted => {
                            active.would_block(|| socket.arrived());
                            self.drained |= canary!("waits after an interrupt");
                            break Wait::Turn;
                        }
                        Err(_) => active.lost(),
                    }
                }
                // While an answer is pending, only a failure of the socket matters.
                Next::Wait
                    if !self.drained
                        && socket.has_failed()
                        && !canary!("ignores a failure during an answer") =>
                {
                    active.lost()
                }
                Next::Wait => break Wait::Wakeup,
                Next::Done(_) => break Wait::Over,
            }
        };
        drop(active);
        self.count_bytes(bytes_in, bytes_out);
        self.publish();
        if pauses {
            let pause_ends = self.state.clock.now() + REFUSED_WRITE_PAUSE;
            let deadline = self.connection.deadline().map_or(pause_ends, |deadline| {
                if canary!("pauses beyond a deadline") { pause_ends } else { deadline.min(pause_ends) }
            });
            self.record().set_deadline(Some(deadline), self.state.start);
            self.armed = None;
        }
        wait
    }

    /// Runs the handler for one turn, which may block.
    pub fn run(&mut self, buffers: &mut Buffers) {
        let mut active = self.connection.activate(&mut buffers.output, &self.state.clock);
        if self.state.phase() == Phase::Cut {
            active.cut(); // so that no more messages are handled
        }
        active.run();
        drop(active);
        self.has_run = true;
        self.publish();
    }

    /// Ends the conversation and closes the socket. If the client may still be sending, the socket lingers: its input is
    /// discarded for a while, so that the client doesn't lose the last replies to a reset.
    pub fn end(mut self, socket: impl Accepted) {
        let reason = self.connection.end();
        let finished = match reason {
            CloseReason::Cut | CloseReason::Lost | CloseReason::WriteTimeout => true,
            _ => self.connection.input_ended() || canary!("closes without lingering"),
        };
        self.close(reason, |state| if finished { drop(socket) } else { state.linger(socket) });
    }

    /// Marks the connection as lost, for failures other than those of `read` and `write`.
    pub fn mark_lost(&mut self) {
        self.connection.activate(&mut Outbox::new(), &self.state.clock).lost();
    }

    /// Refuses the client before its session has begun, since the system lacks the resources to serve it.
    pub fn refuse(mut self, socket: impl Accepted, error: &io::Error) {
        self.state.log_unserved(error);
        self.close(CloseReason::Unserved, |state| state.send_refusal(socket, CloseReason::Unserved));
    }

    /// Counts bytes that were read and written.
    #[inline]
    pub(crate) fn count_bytes(&self, bytes_in: usize, bytes_out: usize) {
        add_bytes(&self.record().counts, bytes_in, bytes_out, &self.state);
    }

    /// Takes the marks, and acts on them.
    pub(crate) fn apply_marks(&mut self, socket: &impl Transport, output: &mut Outbox) {
        let marks = self.record().cell.take_marks();
        if marks == Marks::NONE {
            return;
        }
        let mut active = self.connection.activate(output, &self.state.clock);
        if marks.contains(Marks::STOPPING) {
            active.stop(socket.arrived());
        }
        if marks.contains(Marks::EXPIRED) {
            active.expire(socket.queued(), socket.arrived());
        }
        if marks.contains(Marks::NOTIFIED)
            && !(marks != Marks::NOTIFIED && canary!("loses a push beside another mark"))
        {
            active.notified();
        }
        if marks.contains(Marks::CUT) && !canary!("ignores the cut") {
            active.cut();
        }
        drop(active);
        if marks == Marks::NOTIFIED {
            return; // the socket has not become ready
        }
        if marks.contains(Marks::EXPIRED) {
            self.arm(); // before the next read, which may block
            if canary!("disarms a deadline that was early") {
                self.record().set_deadline(None, self.state.start);
            }
        }
        (self.drained, self.more_input) = (false, true); // so that all input that has arrived is read
    }

    /// Stores the counts in the record, and the deadline if its timer changed. The deadline of one timer only moves to a
    /// later time, so the stored one may stay, and then wakes the connection once before its deadline. So a message costs
    /// no store of a deadline.
    pub(crate) fn publish(&mut self) {
        set_messages(&self.record().counts, self.connection.messages(), &self.state);
        let timer = self.connection.timer();
        if (timer != self.armed && !canary!("keeps the deadline of another timer"))
            || timer == Some(Timer::Session)
        {
            self.arm();
        }
    }

    /// Stores the deadline in the record.
    fn arm(&mut self) {
        self.armed = self.connection.timer();
        self.record().set_deadline(self.connection.deadline(), self.state.start);
    }

    /// Frees the place of the connection, closes the socket, and counts the end. In this order: the client may reconnect as
    /// soon as it sees the end, and the server may end as soon as the last end was counted.
    fn close(&mut self, reason: CloseReason, close_socket: impl FnOnce(&State)) {
        if !std::mem::replace(&mut self.counted, true) {
            tracing::debug!(client = %self.connection.peer(), %reason, messages = self.connection.messages(), "ended");
            self.record().cell.leave();
            if !canary!("frees no place") {
                self.state.free(self.record(), reason);
            }
            close_socket(&self.state);
            if !canary!("counts no end") {
                self.state.ended(reason);
            }
        }
    }
}

impl fmt::Debug for Conversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { connection, armed, .. } = self;
        let mut conversation = f.debug_struct("Conversation");
        conversation.field("client", &connection.peer()).field("messages", &connection.messages());
        conversation.field("armed", armed).finish_non_exhaustive()
    }
}

impl Drop for Conversation {
    /// A conversation that is dropped without [`end`](Self::end) counts as lost, or as cut after the cut.
    fn drop(&mut self) {
        if !self.counted && !canary!("counts no end of a dropped conversation") {
            if self.state.phase() == Phase::Cut {
                self.connection.activate(&mut Outbox::new(), &self.state.clock).cut();
            }
            let reason = self.connection.end();
            self.close(reason, |_| {});
        }
    }
}
