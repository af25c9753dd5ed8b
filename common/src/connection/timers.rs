//! When a connection has waited for its client for too long.

use std::time::Instant;

use super::{Connection, State};
use crate::{CloseReason, ErrorReply, Outbox};

/// What a connection waits for, and how long it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// The first byte of a message: as long as the idle timeout.
    Idle,
    /// The end of a message, or of a preamble and a handshake: as long as the message timeout.
    Message,
    /// That the peer takes its replies: as long as the write timeout. The deadline is when to look whether
    /// it has taken any.
    Write,
}

impl Connection {
    /// When it [expires](super::Active::expire), unless something happens before.
    pub fn deadline(&self) -> Option<Instant> {
        match self.timer()? {
            Timer::Write => self.unsent.as_ref().map(|unsent| unsent.deadline()),
            Timer::Message => self.since.checked_add(self.limits().message_timeout),
            Timer::Idle => self.since.checked_add(self.limits().idle_timeout?),
        }
    }

    /// Which timer the [`deadline`](Self::deadline) is of. As long as it is the same, the deadline only moves
    /// to a later time.
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

    /// A deadline has passed, and what had arrived by then completed no message.
    pub(super) fn time_out(&mut self, out: &mut Outbox) {
        if self.state == State::Handshake {
            self.fail(CloseReason::HandshakeTimeout, &ErrorReply::MessageTimeout, out);
        } else if self.begun {
            self.fail(CloseReason::MessageTimeout, &ErrorReply::MessageTimeout, out);
        } else {
            self.fail(CloseReason::IdleTimeout, &ErrorReply::IdleTimeout, out);
        }
    }

    /// The client has all that it is owed, and is read again. Nothing more is owed before a message that has begun
    /// ends, so this starts its time anew once at the most.
    pub(super) fn all_sent(&mut self, now: Instant) {
        // A preamble and a handshake have one time, from the accept.
        if self.state != State::Handshake {
            self.start_timer(now);
        }
    }

    /// From here on the client is waited for.
    pub(super) fn start_timer(&mut self, now: Instant) {
        self.since = now;
        self.overdue = Allowance::UNLIMITED;
    }
}

/// How many bytes may still be read, if that is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Allowance(u32);

impl Allowance {
    pub(super) const UNLIMITED: Self = Self(u32::MAX);

    /// Limits it, unless it is limited already. More than 4 GiB can't have arrived.
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
