//! What happens inside a connection: the protocol is opened, has its turns, and is told of the end.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use super::kept::Kept;
use super::{Connection, State};
use crate::core::{
    CloseReason, ErrorReply, Flow, Limits, MAX_READ, Outbox, Progress, TURN_MESSAGES, TURN_REPLIES,
};

impl Connection {
    pub(super) fn limits(&self) -> &Limits {
        &self.service.limits
    }

    pub(super) fn kept_bound(&self) -> usize {
        self.limits().max_message.saturating_add(MAX_READ)
    }

    pub(super) fn open(&mut self, out: &mut Outbox, now: Instant) {
        out.begin(self.limits().max_reply);
        let Self { service, client, .. } = self;
        let opened =
            catch_unwind(AssertUnwindSafe(|| service.application.open(*client, &service.limits, out)));
        self.since = now;
        match opened {
            Ok(protocol) => {
                self.protocol = Some(protocol);
                self.state = State::Open;
                self.work = !self.kept.is_empty();
                if self.work {
                    self.arrived(self.kept.len(), out);
                }
                if out.overflowed() {
                    self.internal(CloseReason::ReplyTooLong, out);
                }
            }
            Err(_) => {
                out.withdraw();
                service.application.refuse(&ErrorReply::Internal, &service.limits, out);
                self.state = State::Ending(CloseReason::Panicked);
            }
        }
    }

    /// Tells the protocol of a read.
    pub(super) fn arrived(&mut self, bytes: usize, out: &mut Outbox) {
        let Some(protocol) = &mut self.protocol else { return };
        if catch_unwind(AssertUnwindSafe(|| protocol.arrived(bytes))).is_err() {
            self.fail(CloseReason::Panicked, &ErrorReply::Internal, out);
        }
    }

    pub(super) fn turn_of_kept(&mut self, out: &mut Outbox, now: Instant) {
        let (bytes, used) = self.kept.take();
        let used = used + self.turn(&bytes[used..], out, now);
        self.kept.put_back(bytes, used);
        if self.input_ended && self.state == State::Open && !self.work {
            self.finish(out, now);
        }
    }

    /// Has messages answered for one turn, and says how many bytes were used.
    pub(super) fn turn(&mut self, input: &[u8], out: &mut Outbox, now: Instant) -> usize {
        let Some(protocol) = &mut self.protocol else { return 0 };
        let max_reply = self.service.limits.max_reply;
        let before = self.messages;
        let messages = &mut self.messages;
        let mut total = 0;
        let ended = catch_unwind(AssertUnwindSafe(|| {
            loop {
                if *messages - before == TURN_MESSAGES as u64 || out.len() >= TURN_REPLIES {
                    return Ended::Turn;
                }
                out.begin(max_reply);
                let progress = protocol.receive(&input[total..], out);
                if out.overflowed() {
                    return Ended::Overflow;
                }
                match progress {
                    Progress::More { used, begun } => {
                        total += used;
                        return Ended::More { begun };
                    }
                    Progress::Message { used, flow } => {
                        total += used;
                        *messages += 1;
                        if flow == Flow::Close {
                            return Ended::Close;
                        }
                    }
                    Progress::Broken(error) => return Ended::Broken(error),
                }
            }
        }));
        if self.messages != before {
            self.begun = false;
            self.since = now;
        }
        self.work = false;
        match ended {
            Ok(Ended::Turn) => self.work = true,
            Ok(Ended::More { .. }) if input.len() - total > self.kept_bound() => {
                let max = self.limits().max_message;
                self.fail(CloseReason::TooLong, &ErrorReply::TooLong { max }, out);
            }
            Ok(Ended::More { begun: true }) if !self.begun => {
                self.begun = true;
                self.since = now;
            }
            Ok(Ended::More { .. }) => {}
            Ok(Ended::Close) => self.state = State::Ending(CloseReason::Exit),
            Ok(Ended::Broken(error)) => self.broken(&error, out),
            Ok(Ended::Overflow) => self.internal(CloseReason::ReplyTooLong, out),
            Err(_) => self.internal(CloseReason::Panicked, out),
        }
        total
    }

    /// Whether a message was begun and not ended.
    pub(super) fn unfinished(&self) -> bool {
        self.begun || !self.kept.is_empty()
    }

    /// All input was looked at, and no more can come.
    pub(super) fn finish(&mut self, out: &mut Outbox, now: Instant) {
        if self.unfinished() {
            let (bytes, used) = self.kept.take();
            let Some(protocol) = &mut self.protocol else { return };
            out.begin(self.service.limits.max_reply);
            let progress = catch_unwind(AssertUnwindSafe(|| protocol.finish(&bytes[used..], out)));
            self.begun = false;
            self.since = now;
            match progress {
                Err(_) => return self.internal(CloseReason::Panicked, out),
                Ok(_) if out.overflowed() => return self.internal(CloseReason::ReplyTooLong, out),
                Ok(Progress::Broken(error)) => return self.broken(&error, out),
                Ok(Progress::Message { .. }) => self.messages += 1,
                Ok(Progress::More { .. }) => {}
            }
        }
        self.state = State::Ending(CloseReason::EndOfInput);
    }

    /// The server stops, and all that had arrived was looked at.
    pub(super) fn drained(&mut self, out: &mut Outbox) {
        if self.unfinished() {
            self.fail(CloseReason::Stopping, &ErrorReply::ShuttingDown, out);
        } else {
            self.state = State::Ending(CloseReason::Stopping);
        }
    }

    /// The server's own fault: what was said for the message at hand is withdrawn.
    fn internal(&mut self, reason: CloseReason, out: &mut Outbox) {
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
        self.state = State::Ending(reason);
        self.work = false;
        let Some(protocol) = &self.protocol else { return };
        out.begin(usize::MAX);
        if catch_unwind(AssertUnwindSafe(|| protocol.error(error, out))).is_err() {
            out.withdraw();
        }
    }

    /// Ends the conversation with nothing owed any more.
    pub(super) fn abandon(&mut self, reason: CloseReason, out: &mut Outbox) {
        out.clear();
        if !matches!(self.state, State::Done(_)) {
            self.state = State::Ending(reason);
            self.unsent = None;
            self.lent = false;
            self.work = false;
        }
    }

    /// Tells the protocol, and drops it. Its panics are its own affair by now.
    pub(super) fn close(&mut self, reason: CloseReason) {
        self.state = State::Done(reason);
        self.kept = Kept::default();
        let protocol = self.protocol.take();
        let _ = catch_unwind(AssertUnwindSafe(|| {
            if let Some(mut protocol) = protocol {
                protocol.closed(reason);
            }
        }));
    }
}

/// Why a turn ended.
enum Ended {
    /// It was long enough; there may be more to do.
    Turn,
    /// The input holds no whole message any more; `begun` if it holds a part of one.
    More {
        begun: bool,
    },
    Close,
    Broken(ErrorReply),
    Overflow,
}
