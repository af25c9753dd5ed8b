//! The state of an exchange, under its lock.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::PublishError;
use serving::LogLimiter;

use crate::outgoing::{Message, Outgoing};

/// The number of messages of a [`RedisExchange`](crate::RedisExchange), and what became of them: `published = sent + lost + refused`
/// and those that wait to be sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RedisCounts {
    /// All messages that were published in this process.
    pub published: u64,
    /// The messages that Redis has confirmed.
    pub sent: u64,
    /// The messages that were accepted and not confirmed: Redis was lost, or has rejected them.
    pub lost: u64,
    /// The messages that were not accepted: those for which [`publish`](common::Exchange::publish) has returned an error.
    pub refused: u64,
    /// The messages of other processes that were received.
    pub received: u64,
    /// The messages that were received and not delivered, since no exchange has published them.
    pub invalid: u64,
    /// The messages that were received and not delivered, since later ones of the same exchange had come before.
    pub late: u64,
    /// How often a connection was lost or could not be made. There are two connections.
    pub failures: u64,
}

impl RedisCounts {
    /// The number of messages that don't wait to be sent any more.
    pub(crate) fn finished(&self) -> u64 {
        self.sent + self.lost + self.refused
    }
}

pub(crate) struct State {
    pub(crate) counts: RedisCounts,
    pub(crate) outgoing: Outgoing,
    /// Whether the publisher has a connection.
    pub(crate) publishes: bool,
    /// Whether the receiver has a connection, and all that was subscribed before it was made is confirmed.
    pub(crate) receives: bool,
    /// How many connections the receiver has lost.
    losses: u64,
    /// The channels whose subscribers have changed, while the receiver has a connection.
    pub(crate) changes: Option<BTreeSet<String>>,
    /// The number of changes, and how many of them Redis has confirmed.
    pub(crate) requested: u64,
    pub(crate) confirmed: u64,
    /// Whether the receiver is to be woken, by a message.
    pub(crate) wakes_receiver: bool,
    pub(crate) closed: bool,
    pub(crate) log: LogLimiter,
}

/// What the publisher does next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Publish these messages, and one that wakes the receiver if the flag is set.
    Publish(Vec<Message>, bool),
    /// Check the connection, since the receiver has lost its own.
    Check,
    /// Wait for changes, not longer than this.
    Wait(Duration),
    /// End.
    End,
}

/// What the publisher knows since its last work.
#[derive(Debug)]
pub(crate) struct Known {
    /// The receiver's losses.
    losses: u64,
    /// When the receiver was woken last.
    woken: Instant,
}

impl State {
    /// The state without connections, with a queue of this many bytes.
    pub(crate) fn new(queue: usize) -> Self {
        Self {
            counts: RedisCounts::default(),
            outgoing: Outgoing::new(queue),
            publishes: false,
            receives: false,
            losses: 0,
            changes: None,
            requested: 0,
            confirmed: 0,
            wakes_receiver: false,
            closed: false,
            log: LogLimiter::default(),
        }
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.publishes && self.receives
    }

    /// Accepts a message to be sent to the other processes.
    pub(crate) fn accept(&mut self, channel: &str, content: &Arc<[u8]>) -> Result<(), PublishError> {
        self.counts.published += 1;
        let accepted = if !self.publishes {
            Err(PublishError::Unreachable)
        } else if self.outgoing.push(channel, content) {
            Ok(())
        } else {
            Err(PublishError::Full)
        };
        self.counts.refused += u64::from(accepted.is_err());
        accepted
    }

    /// What a publisher knows that is about to connect.
    pub(crate) fn known(&self, now: Instant) -> Known {
        Known { losses: self.losses, woken: now }
    }

    /// The publisher's next work. The receiver is woken once in `heartbeat` at least, since it takes Redis for lost if nothing
    /// comes.
    pub(crate) fn next_work(&mut self, known: &mut Known, now: Instant, heartbeat: Duration) -> Work {
        if self.losses != known.losses {
            known.losses = self.losses;
            return Work::Check;
        }
        let left = heartbeat.saturating_sub(now.duration_since(known.woken));
        if left.is_zero() || self.wakes_receiver || !self.outgoing.is_empty() {
            let messages = self.outgoing.take();
            // At the end all messages go first, since the receiver ends when it is woken.
            let may_wake = !self.closed || self.outgoing.is_empty();
            let wakes = may_wake && (std::mem::take(&mut self.wakes_receiver) || left.is_zero());
            if wakes {
                known.woken = now;
            }
            Work::Publish(messages, wakes)
        } else if self.closed {
            Work::End
        } else {
            Work::Wait(left)
        }
    }

    /// The publisher has no connection any more: what waits is lost.
    pub(crate) fn publisher_lost(&mut self) {
        self.publishes = false;
        self.counts.lost += self.outgoing.clear() as u64;
    }

    /// The receiver has no connection any more.
    pub(crate) fn receiver_lost(&mut self) {
        (self.receives, self.changes) = (false, None);
        self.losses += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEARTBEAT: Duration = Duration::from_secs(1);

    fn connected() -> (State, Known, Instant) {
        let mut state = State::new(1000);
        let now = Instant::now();
        state.publishes = true;
        let known = state.known(now);
        (state, known, now)
    }

    fn message(channel: &str) -> Message {
        Message { channel: channel.to_owned(), content: (*b"m").into() }
    }

    fn accept(state: &mut State, channel: &str) -> Result<(), PublishError> {
        state.accept(channel, &(*b"m").into())
    }

    #[test]
    fn without_a_connection_nothing_waits() {
        let (mut state, ..) = connected();
        assert_eq!(accept(&mut state, "a"), Ok(()));
        state.publisher_lost();
        assert_eq!(accept(&mut state, "b"), Err(PublishError::Unreachable));
        assert!(state.outgoing.is_empty());
        assert_eq!(state.counts, RedisCounts { published: 2, lost: 1, refused: 1, ..RedisCounts::default() });
    }

    #[test]
    fn the_receiver_is_woken_at_the_heartbeat_also_while_messages_are_published() {
        let (mut state, mut known, start) = connected();
        let almost = start + HEARTBEAT - Duration::from_millis(1);
        assert_eq!(state.next_work(&mut known, almost, HEARTBEAT), Work::Wait(Duration::from_millis(1)));
        assert_eq!(accept(&mut state, "a"), Ok(()));
        assert_eq!(state.next_work(&mut known, almost, HEARTBEAT), Work::Publish(vec![message("a")], false));
        assert_eq!(accept(&mut state, "b"), Ok(()));
        let due = start + HEARTBEAT;
        assert_eq!(state.next_work(&mut known, due, HEARTBEAT), Work::Publish(vec![message("b")], true));
        assert_eq!(state.next_work(&mut known, due, HEARTBEAT), Work::Wait(HEARTBEAT));
        state.wakes_receiver = true;
        assert_eq!(state.next_work(&mut known, due, HEARTBEAT), Work::Publish(vec![], true));
    }

    #[test]
    fn when_the_receiver_has_lost_its_connection_the_other_is_checked_once() {
        let (mut state, mut known, now) = connected();
        state.receiver_lost();
        assert_eq!(state.next_work(&mut known, now, HEARTBEAT), Work::Check);
        assert_eq!(state.next_work(&mut known, now, HEARTBEAT), Work::Wait(HEARTBEAT));
    }

    #[test]
    fn at_the_end_all_messages_are_published_before_the_receiver_is_woken() {
        let (mut state, mut known, now) = connected();
        state.outgoing = Outgoing::new(usize::MAX);
        let long: Arc<[u8]> = vec![0; 100_000].into();
        assert_eq!((state.accept("a", &long), state.accept("b", &long)), (Ok(()), Ok(())));
        (state.closed, state.wakes_receiver) = (true, true);
        for (channel, wakes) in [("a", false), ("b", true)] {
            let expected = Message { channel: channel.to_owned(), content: Arc::clone(&long) };
            assert_eq!(state.next_work(&mut known, now, HEARTBEAT), Work::Publish(vec![expected], wakes));
        }
        assert_eq!(state.next_work(&mut known, now, HEARTBEAT), Work::End);
    }
}
