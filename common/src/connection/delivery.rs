//! What reaches a connection from other threads: messages that were pushed to its client, and answers that come later. The
//! timer of the session, and the news of a stop, are served with them.

use std::time::Instant;

use super::{Connection, Rare, SessionTimer, State};
use crate::later::Answer;
use crate::mailbox::Mail;
use crate::{CloseReason, ErrorReply, Flow, Outbox, Protocol, TURN_MESSAGES, TURN_REPLIES, guarded};

/// An answer that is awaited.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    /// How the conversation continues after the answer.
    pub(super) flow: Flow,
    /// Whether it answers a message, which is counted then.
    pub(super) is_message: bool,
}

impl Connection {
    /// See [`Active::notified`](super::Active::notified).
    pub(super) fn notified(&mut self, out: &mut Outbox) {
        if self.record().cell.is_overrun() && !canary!("goes on with a full mailbox") {
            self.abandon(CloseReason::MailboxFull, out);
        }
        self.mail = true;
    }

    /// Whether the mailbox contains anything. If so, it is delivered next.
    pub(super) fn has_mail(&mut self) -> bool {
        self.mail |= self.record().cell.has_mail();
        self.mail
    }

    /// See [`Active::accepts_input`](super::Active::accepts_input).
    #[inline]
    pub(super) fn accepts_input(&self) -> bool {
        self.mail
            && self.state == State::Open
            && !(self.work || self.pending.is_some() || self.input_ended)
            && !(self.lent || self.unsent.is_some())
            && !(self.stopping.is_used_up() || self.overdue.is_used_up())
    }

    /// Calls the session's timer if it has expired, delivers the content of the mailbox, and then tells the session of a stop,
    /// for one turn.
    pub(super) fn deliver(&mut self, out: &mut Outbox, now: &mut dyn FnMut() -> Instant) {
        let before = (self.messages, self.pending.is_some());
        let (mut delivered, mut answered) = (false, false);
        if let Some(Rare::Timer(SessionTimer::Expired)) = self.rare.as_deref() {
            if !canary!("calls an expired timer again") {
                self.rare = None;
            }
            self.call(out, |protocol, out| protocol.timer(out));
        }
        for _ in 0..TURN_MESSAGES {
            let is_full = out.len() >= TURN_REPLIES && !canary!("delivers pushes without end");
            if self.state != State::Open || is_full {
                break;
            }
            if let Some(mail) = self.record().cell.next_mail() {
                delivered = true;
                answered |= matches!(mail, Mail::Answer(_));
                self.handle_mail(mail, out);
            } else if std::mem::replace(&mut self.stop_untold, canary!("tells a session of the stop twice"))
                && !canary!("tells no session of the stop")
            {
                self.call(out, |protocol, out| protocol.stopping(out)); // it may give an answer, which is delivered next
            } else {
                self.mail = canary!("spins over an empty mailbox");
                break;
            }
        }
        // Messages that are pushed restart the idle timeout, and no other one.
        // After an answer, the next one that is announced has its own time.
        if (answered && !canary!("times an answer from the one before"))
            || before != (self.messages, self.pending.is_some())
            || (delivered && self.pending.is_none() && !self.begun)
        {
            self.start_timer(now());
        }
    }

    fn handle_mail(&mut self, mail: Mail, out: &mut Outbox) {
        match mail {
            Mail::Push(message) => {
                if canary!("delivers a push twice") {
                    self.call(out, |protocol, out| protocol.notified(&message, out));
                }
                self.call(out, |protocol, out| protocol.notified(&message, out));
            }
            Mail::Missed(count) => {
                self.call(out, |protocol, out| protocol.missed(count, out));
            }
            Mail::Close => self.end_with(CloseReason::Closed),
            Mail::Answer(answer) => self.handle_answer(answer, out),
        }
    }

    /// Writes the answer to the message that is pending.
    fn handle_answer(&mut self, answer: Option<Answer>, out: &mut Outbox) {
        let Some(Pending { flow, is_message }) = self.pending.take() else { return };
        let is_sent = match answer {
            Some(Answer::Reply(reply)) => self.call(out, |protocol, out| {
                protocol.answered(&reply, out);
                flow
            }),
            Some(Answer::Close(reply)) => self.call(out, |protocol, out| {
                protocol.answered(&reply, out);
                if canary!("goes on after an answer that closes") { flow } else { Flow::Close }
            }),
            Some(Answer::Reject(why)) => self.call(out, |protocol, out| {
                protocol.error(&ErrorReply::rejected(why), out);
                flow
            }),
            None => return self.fail(CloseReason::Unanswered, &ErrorReply::Internal, out),
        };
        self.messages += u64::from(is_message && (is_sent || canary!("counts an answer that is not sent")));
    }

    /// Calls the protocol outside of a message. Returns whether its output is sent: not if it panicked or exceeded the limit.
    fn call(&mut self, out: &mut Outbox, call: impl FnOnce(&mut dyn Protocol, &mut Outbox) -> Flow) -> bool {
        let Some(protocol) = &mut self.protocol else { return false };
        out.begin(self.service.limits.max_reply);
        out.swap_record(&mut self.record);
        let called = guarded(|| call(&mut **protocol, out));
        out.swap_record(&mut self.record);
        let is_sent = called.is_some() && !out.overflowed();
        match called {
            None => self.internal(CloseReason::Panicked, out),
            Some(_) if !is_sent => self.internal(CloseReason::ReplyTooLong, out),
            Some(flow) if self.take_requests(out) => self.await_answer(Pending { flow, is_message: false }),
            Some(Flow::Continue) => {}
            Some(Flow::Close) => self.end_with(CloseReason::Exit),
            Some(Flow::Fail) => self.end_with(CloseReason::Rejected),
        }
        is_sent
    }

    /// Sets the timer of the session if it was requested. Returns whether an answer was announced.
    #[inline]
    pub(super) fn take_requests(&mut self, out: &mut Outbox) -> bool {
        if out.sets_timer() {
            self.set_timer(out);
        }
        out.is_interrupted() && out.take_later()
    }

    #[cold]
    fn set_timer(&mut self, out: &mut Outbox) {
        match out.take_timer() {
            None => {}
            Some(None) => self.rare = None,
            Some(Some(at)) => self.rare = Some(Box::new(Rare::Timer(SessionTimer::Set(at)))),
        }
    }

    /// Whether an answer is awaited, so that no message is handled.
    #[inline]
    pub(super) fn awaits_answer(&self) -> bool {
        self.pending.is_some() && !canary!("handles messages while an answer is awaited")
    }

    /// Awaits an answer that was announced. A session that fails has no more answers.
    pub(super) fn await_answer(&mut self, pending: Pending) {
        if pending.flow == Flow::Fail {
            self.end_with(CloseReason::Rejected);
        } else {
            self.pending = Some(pending);
            self.work = !canary!("forgets the input behind a later answer"); // there may be more input
        }
    }

    /// Ends the conversation for this reason once all output was sent. An answer that is awaited is not sent.
    pub(super) fn end_with(&mut self, reason: CloseReason) {
        self.state = State::Ending(reason);
        self.work = false;
        self.pending = None;
        self.mail = false;
        if let Some(record) = &self.record
            && !canary!("accepts an answer after the end")
        {
            record.cell.revoke_answer();
        }
    }
}
