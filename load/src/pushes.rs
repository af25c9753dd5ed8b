//! What subscribers received, as plain data.

use serde::{Deserialize, Serialize};

use crate::histogram::Distribution;
use crate::measurement::EXAMPLES;

/// What the subscribers of a run received. Each is to be pushed every message of the measured connections whose reply
/// was no error, whole, and in the order in which its connection sent it.
///
/// Pushes are at most once: one that never comes is counted as [`missed`](Self::missed), and is no fault of the server.
/// One that is wrong, doubled or reordered is a fault.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Pushes {
    /// How many subscribers there were when the load began.
    pub subscribers: usize,
    /// Messages that a subscriber received, including the warm-up; each is counted once for each subscriber.
    pub delivered: u64,
    /// Messages that a subscriber did not receive, although their replies were no errors, including the warm-up. Those
    /// that came after the connection of a subscriber had ended are among them. Unknown, and 0, if the run was
    /// interrupted. Of a shard, those that it has sent itself.
    pub missed: u64,
    /// Pushes that equal no message of the run.
    pub wrong: u64,
    /// Pushes that a subscriber received again.
    pub doubled: u64,
    /// Pushes that a subscriber received after a later one of the same connection. They are delivered, too. One of more
    /// than a thousand that are outstanding is taken for doubled.
    pub reordered: u64,
    /// Deliveries per second, of the same messages.
    pub rate: f64,
    /// The time from the sending of a message to its delivery, of messages that were sent after the warm-up, by the same
    /// shard.
    pub delay: Distribution,
    /// The first few faults, with subscriber, connection and sequence number, for display.
    pub examples: Vec<String>,
}

impl Pushes {
    /// The number of pushes that failed verification.
    pub fn bad(&self) -> u64 {
        self.wrong + self.doubled + self.reordered
    }

    /// Merges what the subscribers of several generators received: `None` if there were none.
    pub(crate) fn merged<'a>(pushes: impl Iterator<Item = &'a Self> + Clone) -> Option<Self> {
        pushes.clone().next()?;
        let sum = |of: fn(&Self) -> u64| pushes.clone().map(of).sum();
        let examples = pushes.clone().flat_map(|pushes| &pushes.examples);
        Some(Self {
            subscribers: pushes.clone().map(|pushes| pushes.subscribers).sum(),
            delivered: sum(|pushes| pushes.delivered),
            missed: sum(|pushes| pushes.missed),
            wrong: sum(|pushes| pushes.wrong),
            doubled: sum(|pushes| pushes.doubled),
            reordered: sum(|pushes| pushes.reordered),
            rate: pushes.clone().map(|pushes| pushes.rate).sum(),
            delay: Distribution::merged(pushes.clone().map(|pushes| &pushes.delay)),
            examples: examples.take(EXAMPLES).cloned().collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::times;

    #[test]
    fn merging_loses_nothing() {
        let pushes = |delay: f64, count: u64| Pushes {
            subscribers: 2,
            delivered: count,
            missed: 3,
            wrong: 1,
            doubled: 4,
            reordered: 5,
            rate: count as f64,
            delay: Distribution::of(&times(&[(delay, count)]).histogram()),
            examples: vec![format!("{count}"); 3],
        };
        let (one, other) = (pushes(100.0, 7), pushes(200.0, 8));
        let merged = Pushes::merged([&one, &other].into_iter()).unwrap();
        assert_eq!((merged.subscribers, merged.delivered, merged.missed, merged.bad()), (4, 15, 6, 20));
        assert_eq!((merged.rate, merged.examples.len()), (15.0, EXAMPLES));
        assert_eq!(merged.delay, Distribution::of(&times(&[(100.0, 7), (200.0, 8)]).histogram()));
        assert_eq!(Pushes::merged([&one].into_iter()), Some(one));
        assert_eq!(Pushes::merged([].into_iter()), None);
    }
}
