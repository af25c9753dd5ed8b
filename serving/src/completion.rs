//! A conversation over completion-based I/O, such as io_uring.

use std::io::{self, ErrorKind};

use common::{Active, Next, Output, canary};

use crate::Transport;
use crate::buffers::{Buffers, Spare};
use crate::conversation::Conversation;

/// What to do next for a conversation whose operations are submitted and complete later.
#[derive(Debug)]
pub enum Step {
    /// Send this output, and then return it by [`sent`](Conversation::sent).
    Send(Output),
    /// Wait until the output that is being sent returns, and continue to receive. If this takes long, as it does when the
    /// client doesn't read, call [`stalled`](Conversation::stalled) once and stop receiving.
    Sending,
    /// Receive input.
    Receive,
    /// Wait until the conversation is woken. Continue to receive, unless the conversation [is
    /// behind](Conversation::is_behind): a receive shows whether the client has reset the connection.
    Wakeup,
    /// Let other conversations have a turn. Then report what has completed meanwhile, or else call
    /// [`step`](Conversation::step).
    Turn,
    /// Start no receive, and call [`run`](Conversation::run) where blocking is allowed. Then report what has completed
    /// meanwhile, or else call [`step`](Conversation::step).
    Blocking,
    /// The conversation is over: [`end`](Conversation::end) it. Output that is being sent need not be returned.
    Over,
}

fn is_interrupted(error: &io::Error) -> bool {
    error.kind() == ErrorKind::Interrupted && !canary!("loses a client whose send was interrupted")
}

/// The counterpart of [`advance`](Conversation::advance) for completion-based I/O: the backend reports each completion,
/// and the returned [`Step`] says what to do next. Input that was received without [`Step::Receive`] is kept.
impl Conversation {
    /// Reports received bytes, or if `bytes` is empty, the end of the input. Messages are decoded in place.
    pub fn received(&mut self, bytes: &mut [u8], buffers: &mut Buffers) -> Step {
        self.count_bytes(if canary!("counts no bytes that it receives") { 0 } else { bytes.len() }, 0);
        let mut active = self.connection.activate(&mut buffers.output, &self.state.clock);
        if bytes.is_empty() {
            active.end_of_input();
        } else {
            active.receive(bytes);
        }
        self.has_run = false;
        let step = next(&mut active, &mut buffers.spare, true, &mut self.has_run);
        drop(active);
        self.publish();
        step
    }

    /// Returns an output that was to be [sent](Step::Send), with the result of the operation.
    pub fn sent(&mut self, output: Output, sent: io::Result<usize>, buffers: &mut Buffers) -> Step {
        self.count_bytes(0, *sent.as_ref().unwrap_or(&0));
        let mut active = self.connection.activate(&mut buffers.output, &self.state.clock);
        match sent {
            Ok(count @ 1..) => {
                if let Some(memory) = active.returned(output, count) {
                    buffers.spare.reclaim(memory);
                }
            }
            Err(error) if is_interrupted(&error) => _ = active.returned(output, 0), // it is sent again
            Ok(0) | Err(_) => {
                active.returned(output, 0);
                active.lost();
            }
        }
        let step = if self.has_run && active.accepts_input() {
            Step::Turn
        } else {
            next(&mut active, &mut buffers.spare, false, &mut self.has_run)
        };
        drop(active);
        self.publish();
        step
    }

    /// Takes the marks of the conversation, and continues. If it was woken by a mark, report all completions first, so that
    /// input that has arrived is answered before the server stops.
    pub fn step(&mut self, socket: impl Transport, buffers: &mut Buffers) -> Step {
        self.apply_marks(&socket, &mut buffers.output);
        let mut active = self.connection.activate(&mut buffers.output, &self.state.clock);
        // Input that has arrived is received between two turns, also if more messages are pushed continuously.
        let step = if self.has_run && active.accepts_input() && socket.arrived() > 0 {
            Step::Receive
        } else {
            next(&mut active, &mut buffers.spare, false, &mut self.has_run)
        };
        drop(active);
        self.publish();
        step
    }

    /// Whether the input has ended, or much unanswered input is kept. Stop receiving until the next [`Step::Receive`].
    pub fn is_behind(&self) -> bool {
        self.connection.is_behind() || self.connection.input_ended()
    }

    /// Reports that an output has not returned for some time, so that the write timeout applies.
    pub fn stalled(&mut self, socket: impl Transport, buffers: &mut Buffers) {
        self.connection.activate(&mut buffers.output, &self.state.clock).blocked(socket.queued());
        self.publish();
    }
}

/// The next step. Stores whether the handler ran since the last wait for input.
fn next(active: &mut Active<'_>, spare: &mut Spare, mut had_turn: bool, has_run: &mut bool) -> Step {
    loop {
        match active.what_now() {
            Next::Write if active.connection().is_lent() => return Step::Sending,
            Next::Write => return Step::Send(active.lend(spare.take())),
            Next::Run if active.connection().may_block() => return Step::Blocking,
            Next::Run if had_turn => return Step::Turn,
            Next::Run => {
                (had_turn, *has_run) = (true, true);
                active.run();
            }
            Next::Read => {
                *has_run = false;
                return Step::Receive;
            }
            Next::Wait => {
                *has_run = false;
                return Step::Wakeup;
            }
            Next::Done(_) => return Step::Over,
        }
    }
}
