//! A conversation over an I/O that owns its buffers and tells when it is done, such as a ring of the kernel's.

use std::io;
use std::time::Instant;

use common::{Active, Next, Output};

use crate::Transport;
use crate::buffers::{Buffers, Spare};
use crate::conversation::Conversation;

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
    /// Bytes were received; none are the end of the input. Messages are opened in place.
    pub fn received(&mut self, bytes: &mut [u8], buffers: &mut Buffers) -> Step {
        self.count_bytes(bytes.len(), 0);
        let mut active = self.connection.activate(&mut buffers.output, || self.state.clock.now());
        if bytes.is_empty() {
            active.end_of_input();
        } else {
            active.receive(bytes);
        }
        let step = next(&mut active, &mut buffers.spare, true);
        drop(active);
        self.publish();
        step
    }

    /// What was to be [sent](Step::Send) returns, with what became of it.
    pub fn sent(&mut self, output: Output, sent: io::Result<usize>, buffers: &mut Buffers) -> Step {
        self.count_bytes(0, *sent.as_ref().unwrap_or(&0));
        let mut active = self.connection.activate(&mut buffers.output, || self.state.clock.now());
        match sent {
            Ok(count @ 1..) => {
                if let Some(memory) = active.returned(output, count) {
                    buffers.spare.reclaim(memory);
                }
            }
            Ok(0) | Err(_) => {
                active.returned(output, 0);
                active.lost();
            }
        }
        let step = next(&mut active, &mut buffers.spare, false);
        drop(active);
        self.publish();
        step
    }

    /// Takes its marks, and goes on. A mark is to be looked at when all that is complete
    /// has been reported, so that what has arrived is answered before the server stops.
    pub fn step(&mut self, socket: impl Transport, buffers: &mut Buffers) -> Step {
        self.apply_marks(&socket, &mut buffers.output);
        let mut active = self.connection.activate(&mut buffers.output, || self.state.clock.now());
        let step = next(&mut active, &mut buffers.spare, false);
        drop(active);
        self.publish();
        step
    }

    /// Whether more was received than is answered: nothing more should be until it [is wanted](Step::Receive).
    pub fn is_behind(&self) -> bool {
        self.connection.is_behind()
    }

    /// What is being sent has not returned for some time.
    pub fn stalled(&mut self, socket: impl Transport, buffers: &mut Buffers) {
        self.connection.activate(&mut buffers.output, || self.state.clock.now()).blocked(socket.queued());
        self.publish();
    }
}

/// How to go on.
fn next<C: FnMut() -> Instant>(active: &mut Active<'_, C>, spare: &mut Spare, mut had_turn: bool) -> Step {
    loop {
        match active.what_now() {
            Next::Write if active.connection().is_lent() => return Step::Sending,
            Next::Write => return Step::Send(active.lend(spare.take())),
            Next::Run if active.connection().may_block() => return Step::Blocking,
            Next::Run if had_turn => return Step::Turn,
            Next::Run => {
                had_turn = true;
                active.run();
            }
            Next::Read => return Step::Receive,
            Next::Done(_) => return Step::Over,
        }
    }
}
