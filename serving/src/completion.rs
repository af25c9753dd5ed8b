//! A conversation over an I/O that owns its buffers and tells when it is done, such as a ring of the kernel's.

use std::io;
use std::os::fd::AsFd;
use std::time::Instant;

use crate::buffers::Buffers;
use crate::conversation::Conversation;
use crate::socket;
use common::{Next, Output};

/// What a conversation needs next, where reads and writes are submitted and completed later.
#[derive(Debug)]
pub enum Step {
    /// That this is sent, and then [returned](Conversation::sent).
    Send(Output),
    /// That what is being sent returns. If this lasts, nothing more should be received, and it is to be told of it
    /// ([`stalled`](Conversation::stalled)).
    Sending,
    /// That something is received.
    Receive,
    /// That others have had their turn, and then another [`step`](Conversation::step).
    Turn,
    /// A [`run`](Conversation::run) where blocking is allowed, and then another [`step`](Conversation::step).
    /// Nothing should be received meanwhile.
    Blocking,
    /// Nothing: it is over. [`end`](Conversation::end) it.
    Over,
}

/// The same life as by [`advance`](Conversation::advance), for an I/O that is told what to do and says later that
/// it is done: each completion is reported, and the returned [`Step`] says how to go on. What is received while
/// nothing should be is kept.
impl Conversation {
    /// Bytes were received; none are the end of the input.
    pub fn received(&mut self, bytes: &[u8], buffers: &mut Buffers) -> Step {
        self.count_bytes(bytes.len(), 0);
        if bytes.is_empty() {
            self.connection.end_of_input(&mut buffers.output, Instant::now);
        } else {
            self.connection.receive(bytes, &mut buffers.output, Instant::now);
        }
        self.next(buffers, true)
    }

    /// What was to be [sent](Step::Send) returns, with what became of it.
    pub fn sent(&mut self, output: Output, sent: io::Result<usize>, buffers: &mut Buffers) -> Step {
        match sent {
            Ok(count @ 1..) => {
                self.count_bytes(0, count);
                if let Some(memory) = self.connection.returned(output, count, Instant::now) {
                    buffers.reclaim(memory);
                }
            }
            Ok(0) | Err(_) => {
                self.connection.returned(output, 0, Instant::now);
                self.connection.lost(&mut buffers.output);
            }
        }
        self.next(buffers, false)
    }

    /// Takes up what the watchman has marked, and goes on. A mark is to be looked at when all that is complete
    /// has been reported, so that what has arrived is answered before the server stops.
    pub fn step(&mut self, socket: impl AsFd, buffers: &mut Buffers) -> Step {
        self.heed(socket, &mut buffers.output);
        self.next(buffers, false)
    }

    /// Whether more was received than is answered: nothing more should be until it [is wanted](Step::Receive).
    pub fn is_behind(&self) -> bool {
        self.connection.is_behind()
    }

    /// What is being sent has not returned for some time.
    pub fn stalled(&mut self, socket: impl AsFd, buffers: &mut Buffers) {
        self.connection.blocked(socket::queued(socket), &mut buffers.output, Instant::now());
        self.pause(buffers);
    }

    fn next(&mut self, buffers: &mut Buffers, mut had_turn: bool) -> Step {
        let connection = &mut self.connection;
        let step = loop {
            match connection.what_now(&mut buffers.output) {
                Next::Write if connection.is_lent() => break Step::Sending,
                Next::Write => {
                    let spare = buffers.spare.pop().unwrap_or_default();
                    break Step::Send(connection.lend(&mut buffers.output, spare));
                }
                Next::Run if connection.may_block() => break Step::Blocking,
                Next::Run if had_turn => break Step::Turn,
                Next::Run => {
                    had_turn = true;
                    connection.run(&mut buffers.output, Instant::now);
                }
                Next::Read => break Step::Receive,
                Next::Done(_) => break Step::Over,
            }
        };
        self.pause(buffers);
        step
    }
}
