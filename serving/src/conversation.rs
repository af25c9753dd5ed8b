//! One client being served: the pure connection, its record, and its place in the server's statistics.

use std::fmt;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use crate::buffers::Buffers;
use crate::record::Record;
use crate::state::{Phase, State};
use crate::{Socket, Transport};
use common::{CloseReason, Connection, Marks, Next, Outbox, Timer, WakeQueue};

/// One client being served. A backend drives it so:
///
/// 1. [Register](Self::register) the waker of the task or thread that will wait.
/// 2. [`advance`](Self::advance): it reads, answers and writes what can be done without waiting.
/// 3. Do what the returned [`Wait`] says; if the socket is [ready](Self::ready), say so; and begin again.
pub struct Conversation {
    pub(crate) connection: Connection,
    record: Arc<Record>,
    key: u32,
    pub(crate) state: Arc<State>,
    /// Which timer's deadline is in the record.
    armed: Option<Timer>,
    /// Whether its task waits for input.
    pub(crate) waits_for_input: bool,
    counted: bool,
    /// Whether all that was there has been read, and the socket has not been ready since.
    drained: bool,
    /// Whether there may be more to read after a short read.
    more_input: bool,
    /// How many times in a row the kernel has taken nothing though the socket was said to be writable.
    refused_writes: u8,
}

/// What a conversation needs before it can advance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// That the socket can be read. All that was there has been read, so it is enough to be told of the next arrival.
    Readable,
    /// That the socket can be written.
    Writable,
    /// That its waker is woken: whatever the socket says, there is nothing to be done.
    Wakeup,
    /// That others have had their turn.
    Turn,
    /// A [`run`](Conversation::run) where blocking is allowed.
    Blocking,
    /// Nothing: it is over. [`end`](Conversation::end) it.
    Over,
}

/// So many times a write may fail in a row although the socket is writable, as it does while the kernel has no
/// memory for its queues; the next attempt comes after a pause.
const MOST_REFUSED_WRITES: u8 = 3;
const REFUSED_WRITE_PAUSE: Duration = Duration::from_millis(20);

impl Conversation {
    pub(crate) fn new(connection: Connection, key: u32, record: Arc<Record>, state: Arc<State>) -> Self {
        Self {
            connection,
            record,
            key,
            state,
            armed: None,
            waits_for_input: false,
            counted: false,
            drained: false,
            more_input: false,
            refused_writes: 0,
        }
    }

    /// Has `waker` woken when the conversation should advance though nothing has happened to its socket: a deadline has
    /// passed, or the server stops.
    pub fn register(&self, waker: &Waker) {
        self.record.cell.register(waker);
    }

    /// As [`register`](Self::register), for a worker that serves many: puts `slot` into its queue, and at once if the
    /// conversation [is marked](Self::is_marked).
    pub fn register_slot(&self, queue: &Arc<WakeQueue>, slot: usize) {
        self.record.cell.register_slot(queue, slot);
    }

    /// Whether it should advance though nothing has happened to its socket.
    pub fn is_marked(&self) -> bool {
        self.record.cell.is_marked()
    }

    pub(crate) fn record(&self) -> &Arc<Record> {
        &self.record
    }

    /// The socket was reported to be ready, so the next [`advance`](Self::advance) reads it. Without this, an advance after
    /// [`Wait::Readable`] reads nothing: a conversation that is woken for another reason costs no read in vain.
    ///
    /// With `more_input`, the end of the input or urgent data were reported as well: a read stops in front of them, and
    /// is short although there is more. So it reads until a read says that nothing is there. Only a poller that reports each
    /// change once has to tell.
    #[inline]
    pub fn ready(&mut self, more_input: bool) {
        self.drained = false;
        self.more_input |= more_input;
    }

    /// Reads, answers and writes, for one turn at most, without blocking as long as `socket` does not. It
    /// reads once at the most.
    #[inline]
    pub fn advance(&mut self, mut socket: impl Transport, buffers: &mut Buffers) -> Wait {
        buffers.ready();
        self.apply_marks(&socket, &mut buffers.output);
        let Buffers { input, output, .. } = buffers;
        let mut had_turn = false;
        let (mut bytes_in, mut bytes_out) = (0, 0);
        let mut active = self.connection.activate(output, || self.state.clock.now());
        let wait = loop {
            match active.what_now() {
                Next::Write => match socket.write(active.output()) {
                    Ok(0) => active.lost(),
                    Ok(count) => {
                        self.refused_writes = 0;
                        bytes_out += count;
                        active.wrote(count);
                    }
                    // The kernel takes nothing more. It may say that it would, and still not do it.
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        active.blocked(socket.queued());
                        self.refused_writes += 1;
                        if self.refused_writes < MOST_REFUSED_WRITES {
                            break Wait::Writable;
                        }
                        self.refused_writes = 0;
                        break Wait::Wakeup;
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
                    had_turn = true;
                    match socket.read(input) {
                        Ok(0) => active.end_of_input(),
                        Ok(count) => {
                            bytes_in += count;
                            self.drained = count < input.len() && !self.more_input;
                            active.receive(&mut input[..count]);
                        }
                        Err(error) if error.kind() == ErrorKind::WouldBlock => {
                            self.drained = true;
                            self.more_input = false;
                            active.would_block(|| socket.arrived());
                        }
                        Err(error) if error.kind() == ErrorKind::Interrupted => {
                            active.would_block(|| socket.arrived());
                            break Wait::Turn;
                        }
                        Err(_) => active.lost(),
                    }
                }
                Next::Done(_) => break Wait::Over,
            }
        };
        drop(active);
        self.count_bytes(bytes_in, bytes_out);
        self.publish();
        if wait == Wait::Wakeup {
            let pause_ends = self.state.clock.now() + REFUSED_WRITE_PAUSE;
            self.record.set_deadline(Some(pause_ends), self.state.start);
            self.armed = None;
        }
        wait
    }

    /// Has the handler do what waits, for one turn, where that may block.
    pub fn run(&mut self, buffers: &mut Buffers) {
        let mut active = self.connection.activate(&mut buffers.output, || self.state.clock.now());
        if self.state.phase() == Phase::Cut {
            active.cut(); // nothing is handled for a client that is gone
        }
        active.run();
        drop(active);
        self.publish();
    }

    /// Ends it: everything was said, or nothing can be. What the client still sends is discarded for a
    /// while, so that it doesn't lose the last replies to a reset.
    pub fn end(mut self, socket: Socket) {
        let reason = self.connection.end();
        let finished = match reason {
            CloseReason::Cut | CloseReason::Lost | CloseReason::WriteTimeout => true,
            _ => self.connection.input_ended(),
        };
        self.close(reason, |state| if finished { drop(socket) } else { state.linger(socket) });
    }

    /// The socket has failed in some other way than by an error of its `read` or `write`.
    pub fn mark_lost(&mut self) {
        self.connection.activate(&mut Outbox::new(), || self.state.clock.now()).lost();
    }

    /// Ends it before it has begun: the system has nothing left to serve it with.
    pub fn refuse(mut self, socket: Socket, error: &io::Error) {
        self.state.log_unserved(error);
        self.close(CloseReason::Unserved, |state| state.say_refusal(socket, CloseReason::Unserved));
    }

    /// Counts bytes that were read and written.
    #[inline]
    pub(crate) fn count_bytes(&self, bytes_in: usize, bytes_out: usize) {
        self.record.counts.add_bytes(bytes_in, bytes_out, &self.state);
    }

    /// Takes its marks, and does what they say.
    pub(crate) fn apply_marks(&mut self, socket: &impl Transport, output: &mut Outbox) {
        let marks = self.record.cell.take_marks();
        if marks == Marks::NONE {
            return;
        }
        let mut active = self.connection.activate(output, || self.state.clock.now());
        if marks.contains(Marks::STOPPING) {
            active.stop(socket.arrived());
        }
        if marks.contains(Marks::EXPIRED) {
            active.expire(socket.queued(), socket.arrived());
        }
        if marks.contains(Marks::CUT) {
            active.cut();
        }
        drop(active);
        if marks.contains(Marks::EXPIRED) {
            self.arm(); // at once: the read that follows may block
        }
        self.ready(true); // what had arrived is read to its end
    }

    /// Writes down what it has counted, and the deadline, if it is of another timer than before. That of one timer only moves
    /// to a later time, so an earlier one may stay: it wakes the connection once, to find that it isn't due. So a message
    /// costs next to nothing.
    pub(crate) fn publish(&mut self) {
        self.record.counts.set_messages(self.connection.messages(), &self.state);
        if self.connection.timer() != self.armed {
            self.arm();
        }
    }

    /// Writes the deadline down.
    fn arm(&mut self) {
        self.armed = self.connection.timer();
        self.record.set_deadline(self.connection.deadline(), self.state.start);
    }

    /// Frees its place, has its socket closed, and counts it: in this order, since the client may come back as soon as it
    /// sees the end, and the server may end as soon as the last was counted.
    fn close(&mut self, reason: CloseReason, close_socket: impl FnOnce(&State)) {
        if !std::mem::replace(&mut self.counted, true) {
            tracing::debug!(client = %self.connection.peer(), %reason, messages = self.connection.messages(), "ended");
            self.record.cell.leave();
            self.state.free(self.key);
            close_socket(&self.state);
            self.state.ended(reason);
        }
    }
}

impl fmt::Debug for Conversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { connection, key, armed, .. } = self;
        let mut conversation = f.debug_struct("Conversation");
        conversation.field("client", &connection.peer()).field("messages", &connection.messages());
        conversation.field("key", key).field("armed", armed).finish_non_exhaustive()
    }
}

impl Drop for Conversation {
    /// A conversation that was dropped rather than ended was lost with what served it, or came too late for the cut.
    fn drop(&mut self) {
        if !self.counted {
            if self.state.phase() == Phase::Cut {
                self.connection.activate(&mut Outbox::new(), || self.state.clock.now()).cut();
            }
            let reason = self.connection.end();
            self.close(reason, |_| {});
        }
    }
}
