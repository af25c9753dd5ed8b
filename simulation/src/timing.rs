//! When each timeout may end a conversation, and when it must have: independent of the deadlines of the core.

use std::time::Duration;

use common::{CloseReason, Limits};

use crate::book::Account;
use crate::kernel::Wire;
use crate::options::Options;

/// When what happened to a client that a timeout counts from.
#[derive(Debug, Default)]
pub(crate) struct Timing {
    /// When it was accepted.
    pub(crate) accepted: Duration,
    /// When the session was opened, or a message was handled or delivered.
    idle: Duration,
    /// When the first byte of an incomplete message was processed.
    begun: Option<Duration>,
    /// When an answer was announced.
    announced: Duration,
}

impl Timing {
    /// The session was opened, or a message was handled.
    pub(crate) fn message(&mut self, now: Duration) {
        (self.idle, self.begun) = (now, None);
    }

    /// The input contains no complete message, and a part of one if `begun`.
    pub(crate) fn more(&mut self, begun: bool, now: Duration) {
        if !begun {
            if self.begun.take().is_some() {
                self.idle = now;
            }
        } else if self.begun.is_none() {
            self.begun = Some(now);
        }
    }

    pub(crate) fn announced(&mut self, now: Duration) {
        self.announced = now;
    }

    /// An answer was written. The part of a message that has arrived counts from now on.
    pub(crate) fn answered(&mut self, now: Duration) {
        self.idle = now;
        self.begun = self.begun.map(|_| now);
    }

    /// A pushed message was delivered between two messages.
    pub(crate) fn notified(&mut self, now: Duration) {
        if self.begun.is_none() {
            self.idle = now;
        }
    }

    /// Since when an incomplete message has been read, without the time in which replies were unsent.
    fn message_since(&self, wire: &Wire) -> Duration {
        let begun = self.begun.unwrap_or(self.idle);
        wire.unsent
            .iter()
            .filter(|(_, end)| *end > begun)
            .fold(begun, |since, (start, end)| since + end.saturating_sub(since.max(*start)))
    }

    /// Since when the client has been idle.
    fn idle_since(&self, wire: &Wire) -> Duration {
        wire.unsent.last().map_or(self.idle, |(_, end)| self.idle.max(*end))
    }
}

/// The time before which a timeout must not end a conversation for this reason, if it is a timeout.
pub(crate) fn earliest(
    why: CloseReason,
    account: &Account,
    wire: &Wire,
    limits: &Limits,
    cut_at: Option<Duration>,
    options: &Options,
) -> Option<Duration> {
    let timing = &account.timing;
    let lends = options.driving.lends();
    Some(match why {
        // What completes later is known later, so only what is certain counts.
        CloseReason::IdleTimeout if lends => timing.idle.saturating_add(limits.idle_timeout?),
        CloseReason::MessageTimeout if lends => timing.begun? + limits.message_timeout,
        CloseReason::IdleTimeout => {
            timing.idle_since(wire).saturating_add(limits.idle_timeout.unwrap_or(Duration::MAX))
        }
        CloseReason::MessageTimeout => timing.message_since(wire) + limits.message_timeout,
        CloseReason::HandshakeTimeout => timing.accepted + limits.message_timeout,
        CloseReason::AnswerTimeout => timing.announced + limits.answer_timeout,
        CloseReason::Cut => cut_at.unwrap_or(Duration::MAX),
        _ => return None,
    })
}

/// Whether the write timeout may end a conversation now: nothing was received for that time, or less than the minimum rate.
pub(crate) fn may_time_out_writing(wire: &Wire, options: &Options, now: Duration) -> bool {
    let lends = options.driving.lends();
    // A lent output is written while the server does not look, so the queue may be as long as before although bytes have left it.
    // Then only the write counts as progress.
    let progress = match wire.written_at {
        _ if !lends => wire.progressed_at,
        written_at if written_at == now => wire.written_before, // the completion may be reported next
        written_at => written_at,
    };
    // More output may wait behind what was lent, until it is lent in its turn.
    let mut unsent_since = wire.unsent_since();
    for &(since, end) in wire.unsent.iter().rev() {
        if !lends || end != unsent_since.unwrap_or(wire.written_at) {
            break;
        }
        unsent_since = Some(since);
    }
    now >= progress + options.limits.write_timeout || wire.rate.may_end(unsent_since, now)
}

/// For how long a conversation pauses after several refused writes.
const REFUSED: Duration = Duration::from_millis(20);

/// What a conversation waits for, when nothing can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waits {
    Input,
    Output,
    Answer,
}

/// The time at which a timeout must have ended a wait, or at least be noticed, if it is limited.
pub(crate) fn latest(waits: Waits, account: &Account, wire: &Wire, limits: &Limits) -> Option<Duration> {
    let timing = &account.timing;
    let written = wire.written_at;
    Some(match waits {
        Waits::Output => {
            let since = wire.progressed_at.max(wire.blocked_at?).max(wire.noticed_at);
            let stalled = since + limits.write_timeout * 9 / 8 + REFUSED;
            wire.rate.ends_at().map_or(stalled, |end| stalled.min(end))
        }
        Waits::Answer => timing.announced.max(timing.idle) + limits.answer_timeout,
        Waits::Input if !account.is_open => {
            timing.accepted.max(account.handshake_until) + limits.message_timeout
        }
        Waits::Input => match timing.begun {
            Some(_) => timing.message_since(wire).max(written) + limits.message_timeout,
            None => timing.idle_since(wire).max(written) + limits.idle_timeout?,
        },
    })
}
