//! What holds whenever a connection has been driven: the bound of its memory, and when its deadlines lie and pass.

use std::ops::Range;
use std::time::{Duration, Instant};

use anyloop::backend::Timer;
use anyloop::{CloseReason, Limits};

use super::client::Client;
use super::session::Kind;

/// What a connection waits for that can do nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    Input,
    /// Until more can be written.
    Output,
    /// Until lent output is returned.
    Lent,
    Answer,
    /// It has ended.
    Over,
}

/// When something last happened from which a timeout may be counted, as the client and the handler have seen it. What a ring
/// delivers by itself is left out, since the end may have been decided before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    /// When input was last received, and when it last completed a message.
    received: Instant,
    completed: Instant,
    /// When a message was last handled, and the number of messages.
    handled: (Instant, usize),
    /// When output was last written.
    pub(super) written: Instant,
}

impl Times {
    pub(super) fn new(now: Instant) -> Self {
        Self { received: now, completed: now, handled: (now, 0), written: now }
    }

    /// This piece of what was sent is received. `messages` has the end of each message.
    pub(super) fn receive(&mut self, piece: &Range<usize>, messages: &[(Kind, usize)], now: Instant) {
        self.received = now;
        if messages.iter().any(|(_, end)| piece.start < *end && *end <= piece.end) {
            self.completed = now;
        }
    }

    /// This number of messages was handled by now.
    pub(super) fn handle(&mut self, count: usize, now: Instant) {
        if count != self.handled.1 {
            self.handled = (now, count);
        }
    }

    /// The earliest time at which a conversation may end for this reason.
    fn earliest(&self, reason: CloseReason, limits: &Limits) -> Option<Instant> {
        let idle = limits.idle_timeout.unwrap_or(Duration::MAX);
        Some(match reason {
            CloseReason::IdleTimeout => self.received + idle,
            // At the end of the idle timeout, what had arrived by then must complete a message.
            CloseReason::MessageTimeout => self.completed + idle.min(limits.message_timeout),
            CloseReason::AnswerTimeout => self.handled.0 + limits.answer_timeout,
            CloseReason::WriteTimeout => self.written + limits.write_timeout,
            _ => return None,
        })
    }
}

/// The mailbox charges each message its length and this many bytes.
const PUSH_OVERHEAD: usize = 64;

/// The buffers of the connection and its mailbox stay within the bound of the service.
pub(super) fn check_memory(client: &Client) {
    let counts = client.record.cell.push_counts();
    let waiting = (counts.pushed - counts.refused - counts.delivered - counts.dropped) as usize;
    let waiting = &client.pushes[client.pushes.len() - waiting..]; // the oldest are delivered or dropped first
    let mailbox: usize = waiting.iter().map(|message| message.len() + PUSH_OVERHEAD).sum();
    assert!(mailbox <= client.settings.limits.mailbox, "{mailbox} bytes are in the mailbox");
    let lent = client.lent.as_ref().map_or(0, |output| output.capacity());
    let memory = client.connection.memory() + lent + mailbox;
    assert!(memory <= client.memory_bound, "{memory} bytes exceed the bound of {}", client.memory_bound);
}

/// A timer that is due. If the session has a timer, it is named also when another one is due, so the deadline tells which.
pub(super) type Due = (Timer, Option<Instant>);

/// The timer that is due, if the deadline has passed.
pub(super) fn due(client: &Client) -> Option<Due> {
    let deadline = client.connection.deadline().filter(|deadline| *deadline <= client.time.now())?;
    let timer = client.connection.timer()?;
    Some((timer, (timer == Timer::Session).then_some(deadline)))
}

/// The deadline of a connection that has come to rest. `was_due` is the timer that was due when it was last told that its
/// deadline had passed, at this time. `is_sent` if output was sent since then: while a session has a timer, the time for the
/// next message or answer, which may have passed too, can't be told from the time of the check of that output.
pub(super) fn check_deadline(client: &Client, rest: Rest, was_due: Option<Due>, is_sent: bool) {
    let (limits, now) = (&client.settings.limits, client.time.now());
    // New output is due for its first check at once.
    let is_other = is_sent && matches!(was_due, Some((Timer::Session, _)));
    if was_due.is_some() && rest != Rest::Lent && !is_other {
        assert_ne!(due(client), was_due, "it is due again: {:?}", client.connection);
    }
    let deadline = client.connection.deadline();
    let longest = match rest {
        Rest::Input => limits.message_timeout.max(limits.idle_timeout.unwrap_or(Duration::MAX)),
        Rest::Output => limits.write_timeout,
        Rest::Answer => limits.answer_timeout,
        Rest::Lent => return,
        Rest::Over => return assert_eq!(deadline, None, "it has ended"),
    };
    let is_set = deadline.is_some_and(|deadline| deadline <= now + longest);
    assert!(is_set, "it waits for {rest:?} until {deadline:?}, and it is {now:?}");
}

/// The conversation has just ended for this reason.
pub(super) fn check_end(client: &Client, reason: CloseReason) {
    // What is a message is decided below a transform.
    let is_opaque = client.settings.transformed
        && matches!(reason, CloseReason::IdleTimeout | CloseReason::MessageTimeout);
    let earliest = client.times.earliest(reason, &client.settings.limits).filter(|_| !is_opaque);
    let now = client.time.now();
    assert!(earliest.is_none_or(|earliest| earliest <= now), "{reason:?} before {earliest:?}, at {now:?}");
}
