//! The counters of one thread for what its subscribers receive.

use hdrhistogram::Histogram;

use crate::histogram::{Distribution, histogram};
use crate::measurement::{EXAMPLES, Pushes};

/// What one thread counts of its subscribers.
pub(super) struct PushTally {
    /// How many have subscribed.
    pub(super) subscribers: usize,
    pub(super) delivered: u64,
    pub(super) wrong: u64,
    pub(super) doubled: u64,
    pub(super) reordered: u64,
    /// How many of the expected ones did not come.
    pub(super) missed: u64,
    /// How many messages were delivered to each subscriber whose connection has ended.
    ended: Vec<u64>,
    /// Deliveries of messages that were sent after the warm-up, received within the length of the measured time from the
    /// first one on.
    achieved: u64,
    /// Until when they count.
    until: u64,
    delay: Histogram<u64>,
    examples: Vec<String>,
}

impl PushTally {
    pub(super) fn new() -> Self {
        Self {
            subscribers: 0,
            delivered: 0,
            wrong: 0,
            doubled: 0,
            reordered: 0,
            missed: 0,
            ended: Vec::new(),
            achieved: 0,
            until: u64::MAX,
            delay: histogram(),
            examples: Vec::new(),
        }
    }

    /// Counts the delivery of a message that was sent after the warm-up. `length` is that of the measured time. The delay
    /// of another shard's message is not known, since clocks differ.
    #[inline]
    pub(super) fn measure(&mut self, sent: u64, is_own: bool, now: u64, length: u64) {
        if is_own {
            self.delay.saturating_record(now.saturating_sub(sent));
        }
        if self.until == u64::MAX {
            self.until = now.saturating_add(length);
        }
        self.achieved += u64::from(now < self.until);
    }

    /// Shortens the measured time.
    pub(super) fn stop(&mut self, earlier: u64) {
        if self.until != u64::MAX {
            self.until -= earlier;
        }
    }

    /// Keeps how many messages of its own shard were delivered to a subscriber whose connection has ended.
    pub(super) fn end(&mut self, own: u64) {
        self.ended.push(own);
    }

    /// Counts what each subscriber has missed of so many messages, those that have ended and these.
    pub(super) fn miss(&mut self, accepted: u64, open: impl Iterator<Item = u64>) {
        let missed = open.chain(self.ended.iter().copied());
        // A message without a reply may have been delivered as well.
        self.missed = missed.map(|delivered| accepted.saturating_sub(delivered)).sum();
    }

    /// The number of pushes that failed verification.
    pub(super) fn bad(&self) -> u64 {
        self.wrong + self.doubled + self.reordered
    }

    /// Records an example of a fault.
    pub(super) fn example(&mut self, text: impl FnOnce() -> String) {
        if self.examples.len() < EXAMPLES {
            self.examples.push(text());
        }
    }

    /// Adds the counters of another thread.
    pub(super) fn add(&mut self, other: Self) {
        self.subscribers += other.subscribers;
        self.delivered += other.delivered;
        self.wrong += other.wrong;
        self.doubled += other.doubled;
        self.reordered += other.reordered;
        self.missed += other.missed;
        self.achieved += other.achieved;
        self.delay.add(other.delay).expect("all histograms have the same bounds");
        self.examples.extend(other.examples);
        self.examples.truncate(EXAMPLES);
    }

    /// The counters as plain data.
    pub(super) fn pushes(&self, rate: impl Fn(u64) -> f64) -> Pushes {
        Pushes {
            subscribers: self.subscribers,
            delivered: self.delivered,
            missed: self.missed,
            wrong: self.wrong,
            doubled: self.doubled,
            reordered: self.reordered,
            rate: rate(self.achieved),
            delay: Distribution::of(&self.delay),
            examples: self.examples.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_subscriber_misses_what_was_not_delivered_to_it() {
        let mut tally = PushTally::new();
        tally.end(7);
        tally.miss(10, [10, 8, 12].into_iter());
        assert_eq!(tally.missed, 3 + 2, "12 were delivered of 10 with a reply and some without");
    }

    #[test]
    fn deliveries_count_for_the_length_of_the_measured_time() {
        let mut tally = PushTally::new();
        for (sent, now) in [(100, 150), (100, 249), (149, 250), (149, 300)] {
            tally.measure(sent, true, now, 100);
        }
        let pushes = tally.pushes(|count| count as f64);
        assert_eq!((pushes.rate, pushes.delay.count), (2.0, 4), "from 150 to 250: {pushes:?}");
        tally.stop(50);
        tally.measure(100, true, 200, 50);
        assert_eq!(tally.pushes(|count| count as f64).rate, 2.0);
        tally.measure(100, false, 160, 50);
        let pushes = tally.pushes(|count| count as f64);
        assert_eq!((pushes.rate, pushes.delay.count), (3.0, 5), "the delay of another shard's is not known");
    }
}
