//! One client being served: the pure connection, what the watchman needs of it, and its place in the books.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use crate::blocking_threads::BlockingThreads;
use crate::buffers::Buffers;
use crate::socket;
use crate::state::{Phase, State};
use crate::watch::{CUT, EXPIRED, STOPPING, Watch};
use common::{CloseReason, Connection, Next, Outbox, Timer};

/// One client being served. A backend drives it so:
///
/// 1. Register the waker of whoever will wait ([`register`](Self::register)).
/// 2. [`advance`](Self::advance): it reads, answers and writes what can be done without waiting.
/// 3. Do what the returned [`Wait`] says, and begin again.
pub struct Conversation {
    pub(crate) connection: Connection,
    watch: Arc<Watch>,
    key: u32,
    state: Arc<State>,
    /// Whose deadline the watchman looks at.
    armed: Option<Timer>,
    counted: bool,
    /// Whether there may be more to read after a short read.
    more_behind: bool,
    /// How many times in a row the kernel has taken nothing though the socket was said to be writable.
    refused_writes: u8,
}

/// What a conversation needs before it can advance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// That the socket can be read. All that was there has been read: an edge is enough to be told of more, if
    /// [`more_behind`](Conversation::more_behind) is called where the end of the input or urgent data are told of.
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
    pub(crate) fn new(connection: Connection, key: u32, watch: Arc<Watch>, state: Arc<State>) -> Self {
        Self {
            connection,
            watch,
            key,
            state,
            armed: None,
            counted: false,
            more_behind: false,
            refused_writes: 0,
        }
    }

    /// Who is to be woken when a deadline has passed or the server stops.
    pub fn register(&self, waker: &Waker) {
        self.watch.register(waker);
    }

    /// Whether a deadline has passed, or the server stops, since it last advanced: it should advance again.
    pub fn is_marked(&self) -> bool {
        self.watch.is_marked()
    }

    pub(crate) fn watch(&self) -> &Arc<Watch> {
        &self.watch
    }

    pub(crate) fn blocking_threads(&self) -> &Arc<BlockingThreads> {
        &self.state.blocking_threads
    }

    /// The socket was reported to have come to the end of its input, or to have urgent data: a read then stops in
    /// front of them, and is short although there is more. So it reads until a read says that nothing is there.
    ///
    /// Only where the poller tells of edges does it have to be said.
    pub fn more_behind(&mut self) {
        self.more_behind = true;
    }

    /// Reads, answers and writes, for one turn at most, without blocking as long as `socket` does not. It
    /// reads once at the most.
    ///
    /// A socket whose `read` blocks may return `ErrorKind::Interrupted` to have the marks looked at.
    pub fn advance<S: Read + Write + AsFd>(&mut self, socket: &mut S, buffers: &mut Buffers) -> Wait {
        buffers.ready();
        let Buffers { input, output, .. } = buffers;
        self.heed(&*socket, output);
        let mut had_turn = false;
        let mut drained = false;
        let (mut bytes_in, mut bytes_out) = (0, 0);
        let mut time = None; // the clock is asked once, but again after a session was called or a read has waited
        let wait = loop {
            let connection = &mut self.connection;
            match connection.what_now(output) {
                Next::Write => match socket.write(connection.output(output)) {
                    Ok(0) => connection.lost(output),
                    Ok(count) => {
                        self.refused_writes = 0;
                        bytes_out += count;
                        connection.wrote(count, output, *time.get_or_insert_with(Instant::now));
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        break self.wait_to_write(&*socket, output);
                    }
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(_) => connection.lost(output),
                },
                Next::Run if connection.may_block() => break Wait::Blocking,
                Next::Run if had_turn => break Wait::Turn,
                Next::Run => {
                    had_turn = true;
                    connection.run(output, || *time.insert(Instant::now()));
                }
                Next::Read if drained => break Wait::Readable,
                Next::Read if had_turn => break Wait::Turn,
                Next::Read => {
                    had_turn = true;
                    time = None;
                    match socket.read(input) {
                        Ok(0) => connection.end_of_input(output, || *time.insert(Instant::now())),
                        Ok(count) => {
                            bytes_in += count;
                            drained = count < input.len() && !self.more_behind;
                            connection.receive(&input[..count], output, || *time.insert(Instant::now()));
                        }
                        Err(error) if error.kind() == ErrorKind::WouldBlock => {
                            drained = true;
                            self.more_behind = false;
                            connection.would_block(|| socket::arrived(&*socket));
                        }
                        Err(error) if error.kind() == ErrorKind::Interrupted => {
                            connection.would_block(|| socket::arrived(&*socket));
                            break Wait::Turn;
                        }
                        Err(_) => connection.lost(output),
                    }
                }
                Next::Done(_) => break Wait::Over,
            }
        };
        self.count_bytes(bytes_in, bytes_out);
        self.pause(buffers);
        if wait == Wait::Wakeup {
            let pause_ends = Instant::now() + REFUSED_WRITE_PAUSE;
            self.watch.set_deadline(Some(pause_ends), self.state.epoch);
            self.armed = None;
        }
        wait
    }

    /// The kernel takes nothing more. It may say that it would, and still not do it.
    fn wait_to_write(&mut self, socket: impl AsFd, output: &mut Outbox) -> Wait {
        self.connection.blocked(socket::queued(socket), output, Instant::now());
        self.refused_writes += 1;
        if self.refused_writes < MOST_REFUSED_WRITES {
            return Wait::Writable;
        }
        self.refused_writes = 0;
        Wait::Wakeup
    }

    /// Has the handler do what waits, for one turn, where that may block.
    pub fn run(&mut self, buffers: &mut Buffers) {
        if self.state.phase() == Phase::Cut {
            self.connection.cut(&mut buffers.output); // nothing is handled for a client that is gone
        }
        self.connection.run(&mut buffers.output, Instant::now);
        self.pause(buffers);
    }

    /// Ends it: everything was said, or nothing can be. What the client still sends is discarded for a
    /// while, so that it doesn't lose the last replies to a reset.
    pub fn end(mut self, socket: impl Into<OwnedFd>) {
        let reason = self.connection.end();
        let finished = match reason {
            CloseReason::Cut | CloseReason::Lost | CloseReason::WriteTimeout => true,
            _ => self.connection.input_ended(),
        };
        self.leave(reason, |state| if finished { drop(socket) } else { state.linger(socket.into()) });
    }

    /// The socket has failed in some other way than by an error of its `read` or `write`.
    pub fn lose(&mut self) {
        self.connection.lost(&mut Outbox::new());
    }

    /// Ends it before it has begun: the system has nothing left to serve it with.
    pub fn refuse(mut self, socket: impl Into<OwnedFd>, error: &io::Error) {
        self.state.log_unserved(error);
        self.leave(CloseReason::Unserved, |state| state.say_refusal(socket, CloseReason::Unserved));
    }

    /// Counts bytes that were read and written.
    #[inline]
    pub(crate) fn count_bytes(&self, bytes_in: usize, bytes_out: usize) {
        self.watch.counts.add_bytes(bytes_in, bytes_out, &self.state);
    }

    /// Takes up what the watchman has marked.
    pub(crate) fn heed(&mut self, socket: impl AsFd, output: &mut Outbox) {
        let marks = self.watch.take_marks();
        if marks == 0 {
            return;
        }
        if marks & STOPPING != 0 {
            self.connection.stop(socket::arrived(&socket));
        }
        if marks & EXPIRED != 0 {
            let (queued, arrived) = (socket::queued(&socket), socket::arrived(&socket));
            self.connection.expire(queued, arrived, output, Instant::now());
            self.arm(); // at once: the read that follows may block
        }
        if marks & CUT != 0 {
            self.connection.cut(output);
        }
        self.more_behind = true; // what had arrived is read to its end
    }

    /// Leaves the worker's buffers free for others.
    pub(crate) fn pause(&mut self, buffers: &mut Buffers) {
        self.watch.counts.set_messages(self.connection.messages(), &self.state);
        if !buffers.output.is_empty() {
            self.connection.keep(&mut buffers.output, Instant::now());
        }
        // The deadline of one timer only moves to a later time, so an earlier one may stay: it wakes the
        // connection once, to find that it isn't due. So a message costs next to nothing.
        if self.connection.timer() != self.armed {
            self.arm();
        }
    }

    /// Shows the watchman the deadline.
    fn arm(&mut self) {
        self.armed = self.connection.timer();
        self.watch.set_deadline(self.connection.deadline(), self.state.epoch);
    }

    /// Frees its place, has its socket let go, and counts it: in this order, since the client may come back as soon as it
    /// sees the end, and the server may end as soon as the last was counted.
    fn leave(&mut self, reason: CloseReason, let_go: impl FnOnce(&State)) {
        if !std::mem::replace(&mut self.counted, true) {
            tracing::debug!(client = %self.connection.client(), %reason, messages = self.connection.messages(), "ended");
            self.state.free(self.key);
            let_go(&self.state);
            self.state.ended(reason);
        }
    }
}

impl fmt::Debug for Conversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { connection, key, armed, .. } = self;
        let mut conversation = f.debug_struct("Conversation");
        conversation.field("client", &connection.client()).field("messages", &connection.messages());
        conversation.field("key", key).field("armed", armed).finish_non_exhaustive()
    }
}

impl Drop for Conversation {
    /// A conversation that was dropped rather than ended was lost with what served it, or came too late for the cut.
    fn drop(&mut self) {
        if !self.counted {
            if self.state.phase() == Phase::Cut {
                self.connection.cut(&mut Outbox::new());
            }
            let reason = self.connection.end();
            self.leave(reason, |_| {});
        }
    }
}
