//! The deadlines of a connection.

use std::time::{Duration, Instant};

use super::{Connection, Rare, SessionTimer, State};
use crate::{CloseReason, ErrorReply, Outbox};

/// What a connection waits for, and with which timeout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// The first byte of a message, for the idle timeout.
    Idle,
    /// The end of a message, or of a preamble and a handshake, for the message timeout.
    Message,
    /// An answer that is given later, for the answer timeout.
    Answer,
    /// The peer to receive its replies, for the write timeout. The deadline is the time of the next check for progress.
    Write,
    /// The timer of the session.
    Session,
}

impl Connection {
    /// The time at which to call [`expire`](super::Active::expire), unless the deadline changes before.
    pub fn deadline(&self) -> Option<Instant> {
        let deadline = self.own_timer().and_then(|timer| self.deadline_of(timer));
        match (deadline, self.session_timer()) {
            (Some(deadline), Some(timer)) => Some(deadline.min(timer)),
            (deadline, timer) => deadline.or(timer),
        }
    }

    /// The timer that the [`deadline`](Self::deadline) belongs to; the session's, if it has one, also while another timer
    /// expires before. While it stays the same, and is not the session's, the deadline only becomes later.
    #[inline]
    pub fn timer(&self) -> Option<Timer> {
        if self.rare.is_some() && self.session_timer().is_some() {
            Some(Timer::Session)
        } else {
            self.own_timer()
        }
    }

    #[inline]
    fn own_timer(&self) -> Option<Timer> {
        match self.state {
            _ if self.unsent.is_some() => Some(Timer::Write),
            State::Open if self.pending.is_some() => Some(Timer::Answer),
            State::Open if self.work || self.lent => None,
            State::Open if self.begun => Some(Timer::Message),
            State::Open => Some(Timer::Idle),
            State::Handshake if self.work || self.lent => None,
            State::Handshake => Some(Timer::Message),
            State::Opening | State::Ending(_) | State::Done(_) => None,
        }
    }

    fn deadline_of(&self, timer: Timer) -> Option<Instant> {
        match timer {
            Timer::Write => self.unsent.as_ref().map(|unsent| unsent.deadline()),
            Timer::Message => self.since.checked_add(self.limits().message_timeout),
            Timer::Idle => self.since.checked_add(self.limits().idle_timeout?),
            Timer::Answer => self.since.checked_add(self.limits().answer_timeout),
            Timer::Session => self.session_timer(),
        }
    }

    /// When the timer of the session expires.
    fn session_timer(&self) -> Option<Instant> {
        match self.rare.as_deref() {
            Some(Rare::Timer(SessionTimer::Set(at))) => Some(*at),
            _ => None,
        }
    }

    /// See [`Active::expire`](super::Active::expire).
    pub(super) fn expire(&mut self, queued: u64, arrived: usize, out: &mut Outbox, now: Instant) {
        if self.session_timer().is_some_and(|timer| now >= timer) {
            self.rare = Some(Box::new(Rare::Timer(SessionTimer::Expired)));
            self.mail = !canary!("forgets an expired timer");
        }
        let Some(timer) = self.own_timer() else { return };
        let is_early = self.deadline_of(timer).is_none_or(|deadline| now < deadline);
        if is_early && !canary!("expires before the deadline") {
            return;
        }
        match timer {
            Timer::Idle | Timer::Message if canary!("times out before it reads input") => {
                self.overdue.limit(0)
            }
            Timer::Idle | Timer::Message => self.overdue.limit(arrived),
            Timer::Write => {
                let (unsent, limits) = (self.unsent.as_mut(), &self.service.limits);
                if unsent.is_some_and(|unsent| unsent.has_stalled(queued, now, limits)) {
                    self.abandon(CloseReason::WriteTimeout, out);
                }
            }
            // If the answer was given in this moment, it is in the mailbox.
            Timer::Answer if self.record().cell.revoke_answer() || canary!("times out a given answer") => {
                self.fail_without_blocking(CloseReason::AnswerTimeout, ErrorReply::AnswerTimeout, out);
            }
            Timer::Answer | Timer::Session => {}
        }
    }

    /// A deadline has passed, and the input that had arrived by then completed no message.
    pub(super) fn time_out(&mut self, out: &mut Outbox) {
        let (reason, error) = if self.state == State::Handshake {
            (CloseReason::HandshakeTimeout, ErrorReply::MessageTimeout)
        } else if self.begun {
            (CloseReason::MessageTimeout, ErrorReply::MessageTimeout)
        } else {
            (CloseReason::IdleTimeout, ErrorReply::IdleTimeout)
        };
        self.fail_without_blocking(reason, error, out);
    }

    /// All output was sent, which had been unsent since the given time. A preamble and a handshake are timed from the accept,
    /// and an answer from its message. The time of a message does not include the time in which it was not read. It would
    /// be endless if it began again, since messages that are pushed to the client may be unsent any number of times.
    pub(super) fn all_sent(&mut self, unsent_since: Instant, now: Instant) {
        let is_pending = self.pending.is_some() && !canary!("restarts the answer timeout after output");
        if self.state == State::Handshake || is_pending {
            return;
        }
        let unread = now.saturating_duration_since(unsent_since.max(self.since));
        let unread =
            if canary!("counts the time in which nothing is read") { Duration::ZERO } else { unread };
        self.start_timer(if self.begun { self.since + unread } else { now });
    }

    /// Starts to wait for the client.
    pub(super) fn start_timer(&mut self, now: Instant) {
        self.since = now;
        if !canary!("times out although a message was answered") {
            self.overdue = Allowance::UNLIMITED;
        }
    }
}

/// The number of bytes that may still be read, if it is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Allowance(u32);

impl Allowance {
    pub(super) const UNLIMITED: Self = Self(u32::MAX);

    /// Sets the limit, unless there is one already. A socket never contains 4 GiB of unread input.
    pub(super) fn limit(&mut self, bytes: usize) {
        if *self == Self::UNLIMITED {
            self.0 = u32::try_from(bytes).unwrap_or(u32::MAX).min(u32::MAX - 1);
        }
    }

    pub(super) fn spend(&mut self, bytes: usize) {
        if *self != Self::UNLIMITED {
            self.0 = self.0.saturating_sub(u32::try_from(bytes).unwrap_or(u32::MAX));
        }
    }

    pub(super) fn is_used_up(self) -> bool {
        self.0 == 0
    }
}
