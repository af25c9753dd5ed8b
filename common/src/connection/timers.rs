//! The deadlines of a connection.

use std::time::Instant;

use super::{Connection, State};
use crate::{CloseReason, ErrorReply, Outbox};

/// What a connection waits for, and with which timeout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// The first byte of a message, for the idle timeout.
    Idle,
    /// The end of a message, or of a preamble and a handshake, for the message timeout.
    Message,
    /// The peer to receive its replies, for the write timeout. The deadline is the time of the next check for progress.
    Write,
}

impl Connection {
    /// The time at which to call [`expire`](super::Active::expire), unless the deadline changes before.
    pub fn deadline(&self) -> Option<Instant> {
        match self.timer()? {
            Timer::Write => self.unsent.as_ref().map(|unsent| unsent.deadline()),
            Timer::Message => self.since.checked_add(self.limits().message_timeout),
            Timer::Idle => self.since.checked_add(self.limits().idle_timeout?),
        }
    }

    /// The timer that the [`deadline`](Self::deadline) belongs to. While it stays the same, the deadline only becomes
    /// later.
    #[inline]
    pub fn timer(&self) -> Option<Timer> {
        match self.state {
            _ if self.unsent.is_some() => Some(Timer::Write),
            State::Open if self.work || self.lent => None,
            State::Open if self.begun => Some(Timer::Message),
            State::Open => Some(Timer::Idle),
            State::Handshake if self.work || self.lent => None,
            State::Handshake => Some(Timer::Message),
            State::Opening | State::Ending(_) | State::Done(_) => None,
        }
    }

    /// See [`Active::expire`](super::Active::expire).
    pub(super) fn expire(&mut self, queued: u64, arrived: usize, out: &mut Outbox, now: Instant) {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return;
        }
        let timeout = self.limits().write_timeout;
        match self.timer() {
            Some(Timer::Idle | Timer::Message) => {
                self.overdue.limit(arrived);
            }
            Some(Timer::Write) => {
                let unsent = self.unsent.as_mut();
                if unsent.is_some_and(|unsent| unsent.stalled(queued, now, timeout)) {
                    self.abandon(CloseReason::WriteTimeout, out);
                }
            }
            None => {}
        }
    }

    /// A deadline has passed, and the input that had arrived by then completed no message.
    pub(super) fn time_out(&mut self, out: &mut Outbox) {
        if self.state == State::Handshake {
            self.fail(CloseReason::HandshakeTimeout, &ErrorReply::MessageTimeout, out);
        } else if self.begun {
            self.fail(CloseReason::MessageTimeout, &ErrorReply::MessageTimeout, out);
        } else {
            self.fail(CloseReason::IdleTimeout, &ErrorReply::IdleTimeout, out);
        }
    }

    /// All replies were sent, and reading resumes. No more replies are produced before the current message ends, so
    /// this restarts its timeout at most once.
    pub(super) fn all_sent(&mut self, now: Instant) {
        // The timeout of a preamble and a handshake runs from the accept.
        if self.state != State::Handshake {
            self.start_timer(now);
        }
    }

    /// Starts to wait for the client.
    pub(super) fn start_timer(&mut self, now: Instant) {
        self.since = now;
        self.overdue = Allowance::UNLIMITED;
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
