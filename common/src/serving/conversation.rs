//! One client being served: the pure connection, what the watchman needs of it, and its place in the books.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use crate::core::{CloseReason, Connection, Next, Outbox, Timer};
use crate::serving::buffers::Buffers;
use crate::serving::socket;
use crate::serving::state::State;
use crate::serving::watch::{CUT, EXPIRED, STOPPING, Watch};

/// One client being served. A backend drives it so:
///
/// 1. Register the waker of whoever will wait ([`register`](Self::register)).
/// 2. [`advance`](Self::advance): it reads, answers and writes what can be done without waiting.
/// 3. Do what the returned [`Wait`] says, and begin again.
pub struct Conversation {
    pub(super) connection: Connection,
    watch: Arc<Watch>,
    key: u32,
    state: Arc<State>,
    /// Whose deadline the watchman looks at.
    armed: Option<Timer>,
    counted: bool,
}

/// What a conversation needs before it can advance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// That the socket can be read. All that was there has been read: an edge is enough to be told of more.
    /// (Only where the end of the input came along with its last bytes, it stands there, and makes no edge.)
    Readable,
    /// That the socket can be written.
    Writable,
    /// That others have had their turn.
    Turn,
    /// A [`run`](Conversation::run) where blocking is allowed.
    Blocking,
    /// Nothing: it is over. [`end`](Conversation::end) it.
    Over,
}

impl Conversation {
    pub(super) fn new(connection: Connection, key: u32, watch: Arc<Watch>, state: Arc<State>) -> Self {
        Self { connection, watch, key, state, armed: None, counted: false }
    }

    /// Who is to be woken when a deadline has passed or the server stops.
    pub fn register(&self, waker: &Waker) {
        self.watch.register(waker);
    }

    /// Whether a deadline has passed, or the server stops, since it last advanced: it should advance again.
    pub fn is_marked(&self) -> bool {
        self.watch.is_marked()
    }

    /// Reads, answers and writes, for one turn at most, without blocking as long as `socket` does not. It
    /// reads once at the most.
    ///
    /// A socket whose `read` blocks may return `ErrorKind::Interrupted` to have the marks looked at.
    pub fn advance<S: Read + Write + AsFd>(&mut self, socket: &mut S, buffers: &mut Buffers) -> Wait {
        buffers.ready();
        let Buffers { input, output, .. } = buffers;
        self.heed(&*socket, output);
        let connection = &mut self.connection;
        let mut had_turn = false;
        let mut drained = false;
        let mut now = None; // the clock is read once, but again after a read, which may have waited
        let wait = loop {
            match connection.what_now(output) {
                Next::Write => match socket.write(connection.output(output)) {
                    Ok(0) => connection.lost(output),
                    Ok(count) => connection.wrote(count, output, *now.get_or_insert_with(Instant::now)),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        connection.blocked(socket::queued(&*socket), output, Instant::now());
                        break Wait::Writable;
                    }
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(_) => connection.lost(output),
                },
                Next::Run if connection.may_block() => break Wait::Blocking,
                Next::Run if had_turn => break Wait::Turn,
                Next::Run => {
                    had_turn = true;
                    connection.run(output, *now.get_or_insert_with(Instant::now));
                }
                Next::Read if drained => break Wait::Readable,
                Next::Read if had_turn => break Wait::Turn,
                Next::Read => {
                    had_turn = true;
                    let read = socket.read(input);
                    let now = *now.insert(Instant::now());
                    match read {
                        Ok(0) => connection.end_of_input(output, now),
                        Ok(count) => {
                            drained = count < input.len();
                            connection.receive(&input[..count], output, now);
                        }
                        Err(error) if error.kind() == ErrorKind::WouldBlock => {
                            drained = true;
                            connection.would_block();
                        }
                        Err(error) if error.kind() == ErrorKind::Interrupted => break Wait::Turn,
                        Err(_) => connection.lost(output),
                    }
                }
                Next::Done(_) => break Wait::Over,
            }
        };
        self.pause(buffers);
        wait
    }

    /// Has the handler do what waits, for one turn, where that may block.
    pub fn run(&mut self, buffers: &mut Buffers) {
        self.connection.run(&mut buffers.output, Instant::now());
        self.pause(buffers);
    }

    /// Ends it: everything was said, or nothing can be. What the client still sends is discarded for a
    /// while, so that it doesn't lose the last replies to a reset.
    pub fn end<S: TryInto<OwnedFd>>(mut self, socket: S) {
        let reason = match self.connection.what_now(&mut Outbox::new()) {
            Next::Done(reason) => reason,
            Next::Write | Next::Run | Next::Read => CloseReason::Lost,
        };
        self.count(reason);
        let finished = match reason {
            CloseReason::Cut | CloseReason::Lost | CloseReason::WriteTimeout => true,
            _ => self.connection.input_ended(),
        };
        if !finished && let Ok(socket) = socket.try_into() {
            self.state.linger(socket);
        }
    }

    /// The socket has failed in some other way than by an error of its `read` or `write`.
    pub fn lose(&mut self) {
        self.connection.lost(&mut Outbox::new());
    }

    /// Ends it before it has begun: the system has nothing left to serve it with.
    pub fn refuse<S: TryInto<OwnedFd>>(mut self, socket: S, error: &io::Error) {
        tracing::warn!(client = %self.connection.client(), %error, "a client can't be served");
        self.count(CloseReason::Unserved);
        self.state.say_refusal(socket, CloseReason::Unserved);
    }

    /// Takes up what the watchman has marked.
    pub(super) fn heed(&mut self, socket: impl AsFd, output: &mut Outbox) {
        let marks = self.watch.take_marks();
        if marks == 0 {
            return;
        }
        if marks & STOPPING != 0 {
            self.connection.stop(socket::arrived(&socket));
        }
        if marks & EXPIRED != 0 {
            self.connection.expire(socket::queued(&socket), output, Instant::now());
            self.arm(); // at once: the read that follows may block
        }
        if marks & CUT != 0 {
            self.connection.cut(output);
        }
    }

    /// Leaves the worker's buffers free for others.
    pub(super) fn pause(&mut self, buffers: &mut Buffers) {
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

    fn count(&mut self, reason: CloseReason) {
        if !std::mem::replace(&mut self.counted, true) {
            tracing::debug!(client = %self.connection.client(), %reason, messages = self.connection.messages(), "ended");
            self.state.leave(self.key, reason, self.connection.messages());
        }
    }
}

impl Drop for Conversation {
    /// A conversation that was dropped rather than ended was lost with what served it.
    fn drop(&mut self) {
        self.count(CloseReason::Lost);
    }
}
