//! The calls of the protocol: it is opened, processes input in turns, and is closed.

use std::time::Instant;

use super::delivery::Pending;
use super::kept::Kept;
use super::{Connection, Rare, State};
use crate::{
    Client, CloseReason, ErrorReply, Flow, Limits, MAX_READ, Outbox, Progress, Protocol, TURN_MESSAGES,
    TURN_REPLIES, guarded,
};

impl Connection {
    pub(super) fn limits(&self) -> &Limits {
        &self.service.limits
    }

    pub(super) fn kept_bound(&self) -> usize {
        self.limits().max_message.saturating_add(MAX_READ)
    }

    pub(super) fn open(&mut self, out: &mut Outbox, mut now: impl FnMut() -> Instant) {
        out.begin(self.limits().max_reply);
        let client = match self.rare.take().map(|rare| *rare) {
            Some(Rare::Client(client)) => client,
            _ => Client::new(self.peer()),
        };
        out.swap_record(&mut self.record);
        let Self { service, .. } = self;
        let opened = guarded(|| service.application.open(client, &service.limits, out));
        out.swap_record(&mut self.record);
        match opened {
            Some(protocol) => {
                self.protocol = Some(protocol);
                self.state = State::Open;
                self.work = !self.kept.is_empty() && !canary!("forgets the input before the opening");
                self.mail |= self.stop_untold;
                self.opened_above_layer();
                let is_later = self.take_requests(out);
                if out.overflowed() {
                    self.internal(CloseReason::ReplyTooLong, out);
                } else if is_later {
                    self.await_answer(Pending { flow: Flow::Continue, is_message: false });
                }
            }
            None => {
                out.withdraw();
                self.end_with(CloseReason::Panicked);
                self.refuse(&ErrorReply::Internal, out);
            }
        }
        self.start_timer(now());
    }

    /// Answers kept input for one turn.
    pub(super) fn turn_of_kept(&mut self, out: &mut Outbox, now: impl FnMut() -> Instant) {
        let (mut bytes, used) = self.kept.take();
        let used = used + self.turn(&mut bytes[used..], out, now);
        self.kept.put_back(bytes, used, self.kept_bound());
    }

    /// Answers messages for one turn, and returns the number of bytes that were used.
    #[inline]
    pub(super) fn turn(
        &mut self,
        input: &mut [u8],
        out: &mut Outbox,
        mut now: impl FnMut() -> Instant,
    ) -> usize {
        let Some(protocol) = &mut self.protocol else { return 0 };
        let max_reply = self.service.limits.max_reply;
        let before = self.messages;
        let early = canary!("counts idle time from the read").then(&mut now);
        let messages = &mut self.messages;
        out.swap_record(&mut self.record);
        let turn = guarded(|| answer_messages(&mut **protocol, input, out, max_reply, messages));
        out.swap_record(&mut self.record);
        let (ended, total) = turn.map_or((None, 0), |(ended, total)| (Some(ended), total));
        // A protocol may return that it has used more bytes than there are.
        let is_within = total <= input.len() || canary!("believes a protocol that has used too much");
        let (ended, total) = if is_within { (ended, total) } else { (None, input.len()) };
        let answered = self.messages != before || matches!(ended, Some(Ended::Later(_)));
        let begun = match &ended {
            Some(Ended::More { .. }) if canary!("keeps a message begun that has ended") && self.begun => {
                !answered
            }
            Some(Ended::More { begun }) => *begun,
            _ => self.begun && !answered,
        };
        if answered || begun != self.begun || canary!("restarts the timeout of a message at each read") {
            self.begun = begun;
            self.start_timer(early.unwrap_or_else(now));
        }
        self.work = false;
        self.take_requests(out);
        match ended {
            Some(Ended::Turn) => self.work = !canary!("forgets the messages after a turn"),
            Some(Ended::Later(pending)) => self.await_answer(pending),
            Some(Ended::More { .. }) if input.len() - total > self.kept_bound() => {
                let max = self.limits().max_message;
                self.fail(CloseReason::TooLong, &ErrorReply::TooLong { max }, out);
            }
            Some(Ended::More { .. }) => {}
            Some(Ended::Close) if canary!("goes on after an exit") => self.work = true,
            Some(Ended::Close) => self.state = State::Ending(CloseReason::Exit),
            Some(Ended::Failed) => self.state = State::Ending(CloseReason::Rejected),
            Some(Ended::Broken(error)) => self.broken(&error, out),
            Some(Ended::Overflow) => self.internal(CloseReason::ReplyTooLong, out),
            None => self.internal(CloseReason::Panicked, out),
        }
        total
    }

    /// Handles the end of the input after all of it was processed.
    pub(super) fn finish(&mut self, out: &mut Outbox, mut now: impl FnMut() -> Instant) {
        if self.begun && !canary!("forgets a partial message at the end") {
            let (mut bytes, used) = self.kept.take();
            let Some(protocol) = &mut self.protocol else { return };
            out.begin(self.service.limits.max_reply);
            out.swap_record(&mut self.record);
            let progress = guarded(|| protocol.finish(&mut bytes[used..], out));
            out.swap_record(&mut self.record);
            self.begun = false;
            self.start_timer(now());
            let is_later = self.take_requests(out);
            match progress {
                None => return self.internal(CloseReason::Panicked, out),
                Some(_) if out.overflowed() => return self.internal(CloseReason::ReplyTooLong, out),
                Some(Progress::Broken(error)) => return self.broken(&error, out),
                Some(Progress::Message { flow, .. }) if is_later => {
                    return self.await_answer(Pending { flow, is_message: true });
                }
                Some(Progress::Message { flow, .. }) => {
                    self.messages += 1;
                    if flow == Flow::Fail {
                        self.state = State::Ending(CloseReason::Rejected);
                        return;
                    }
                }
                Some(Progress::More { .. }) => {}
            }
        }
        if self.holds_input() || self.has_mail() {
            self.work = true;
        } else {
            self.state = State::Ending(CloseReason::EndOfInput);
        }
    }

    /// The server is stopping, and all input that had arrived was processed.
    pub(super) fn drained(&mut self, out: &mut Outbox) {
        if self.state == State::Open && self.has_mail() {
            return; // it is delivered before
        }
        if self.begun || self.state == State::Handshake {
            self.fail_without_blocking(CloseReason::Stopping, ErrorReply::ShuttingDown, out);
        } else {
            self.state = State::Ending(CloseReason::Stopping);
        }
    }

    /// Handles a failure of the server: withdraws the replies to the current message.
    pub(super) fn internal(&mut self, reason: CloseReason, out: &mut Outbox) {
        out.withdraw();
        self.fail(reason, &ErrorReply::Internal, out);
    }

    fn broken(&mut self, error: &ErrorReply, out: &mut Outbox) {
        let reason = match error {
            ErrorReply::TooLong { .. } => CloseReason::TooLong,
            ErrorReply::Incomplete => CloseReason::Incomplete,
            _ => CloseReason::Malformed,
        };
        self.fail(reason, error, out);
    }

    /// Ends the conversation with an error reply.
    pub(super) fn fail(&mut self, reason: CloseReason, error: &ErrorReply, out: &mut Outbox) {
        self.end_with(reason);
        let Some(protocol) = &mut self.protocol else { return self.refuse(error, out) };
        out.begin(usize::MAX);
        let has_failed = guarded(|| protocol.error(error, out)).is_none() || out.overflowed();
        if has_failed || canary!("ends without an error reply") {
            out.withdraw();
        }
    }

    /// Ends the conversation with an error reply, where calls must not block. If the protocol may block, the next run calls it.
    pub(super) fn fail_without_blocking(&mut self, reason: CloseReason, error: ErrorReply, out: &mut Outbox) {
        if self.may_block && self.protocol.is_some() && !canary!("writes an error where it must not block") {
            self.end_with(reason);
            self.rare = Some(Box::new(Rare::Error(error)));
        } else {
            self.fail(reason, &error, out);
        }
    }

    /// Ends the conversation, and discards unsent output.
    pub(super) fn abandon(&mut self, reason: CloseReason, out: &mut Outbox) {
        out.clear();
        let abandoned = match self.state {
            State::Ending(reason) => reason.is_abrupt(),
            State::Done(_) => true,
            State::Handshake | State::Opening | State::Open => false,
        };
        if !abandoned {
            self.end_with(reason);
            self.rare = None; // an error that was not written
            self.unsent = None;
            self.lent = false;
        }
    }

    /// Ends the conversation in any state, and returns the reason that the protocol was closed with.
    pub fn end(&mut self) -> CloseReason {
        let reason = match self.state {
            State::Done(reason) => return reason,
            State::Ending(reason) => reason,
            State::Handshake | State::Opening | State::Open => CloseReason::Lost,
        };
        self.close(reason);
        reason
    }

    /// Closes the protocol and drops it. Panics are ignored, since the conversation has ended already.
    pub(super) fn close(&mut self, reason: CloseReason) {
        self.state = State::Done(reason);
        self.kept = Kept::default();
        self.rare = None;
        if let Some(record) = &self.record {
            record.cell.leave();
        }
        if let Some(mut protocol) = self.protocol.take() {
            if !canary!("never calls `closed`") {
                let _ = guarded(|| protocol.closed(reason));
            }
            if canary!("calls `closed` twice") {
                let _ = guarded(|| protocol.closed(reason));
            }
            if canary!("lets a panic of a destructor escape") {
                drop(protocol);
            } else {
                let _ = guarded(|| drop(protocol));
            }
        }
        if self.layer.is_some() {
            self.drop_layer();
        }
    }
}

impl Drop for Connection {
    /// Calls `closed` of the protocol if it was not called yet.
    fn drop(&mut self) {
        self.end();
    }
}

/// Answers messages for one turn. Returns why it ended, and the number of bytes that were used. It is not inlined,
/// since its loop determines the cost of each message.
#[inline(never)]
fn answer_messages(
    protocol: &mut dyn Protocol,
    input: &mut [u8],
    out: &mut Outbox,
    max_reply: usize,
    messages: &mut u64,
) -> (Ended, usize) {
    let mut total = 0;
    let end = *messages
        + if canary!("ends no turn after its messages") { u64::MAX / 2 } else { TURN_MESSAGES as u64 };
    while *messages < end {
        out.begin(max_reply);
        let progress = protocol.receive(&mut input[total..], out);
        let Progress::Message { used, flow: Flow::Continue } = progress else {
            return last(progress, out, total, messages);
        };
        if out.is_interrupted() {
            return last(progress, out, total, messages);
        }
        total += used;
        *messages += 1;
        if out.len() >= TURN_REPLIES {
            break;
        }
    }
    (Ended::Turn, total)
}

/// Ends a turn, unless it ends after a message that was answered and has a successor.
fn last(progress: Progress, out: &Outbox, total: usize, messages: &mut u64) -> (Ended, usize) {
    let is_later = out.is_interrupted();
    match progress {
        _ if out.overflowed() => (Ended::Overflow, total),
        Progress::Broken(error) => (Ended::Broken(error), total),
        Progress::Message { used, flow } if is_later => {
            (Ended::Later(Pending { flow, is_message: true }), total + used)
        }
        Progress::More { used, .. } if is_later => {
            (Ended::Later(Pending { flow: Flow::Continue, is_message: false }), total + used)
        }
        Progress::Message { used, flow } => {
            *messages += 1;
            let ended = if flow == Flow::Fail { Ended::Failed } else { Ended::Close };
            (ended, total + used)
        }
        Progress::More { used, begun } => (Ended::More { begun }, total + used),
    }
}

/// Why a turn ended.
enum Ended {
    /// The turn has reached its limit. There may be more messages.
    Turn,
    /// The input contains no complete message. `begun` if it contains a part of one.
    More {
        begun: bool,
    },
    Close,
    Failed,
    Broken(ErrorReply),
    Overflow,
    /// The last message is answered later.
    Later(Pending),
}
