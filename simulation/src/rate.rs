//! The model of the minimum rate at which a client must receive replies that are unsent.

use std::time::Duration;

use common::Limits;

/// How fast a client receives.
#[derive(Debug, Default)]
pub(crate) struct Rate {
    /// In bytes per second; 0 if there is no minimum.
    min: usize,
    window: Duration,
    /// How late the end of a window may be noticed: later, the server was busy, and judges nothing.
    tolerance: Duration,
    /// Whether the server learns later what it has written.
    lends: bool,
    /// How many bytes had left the send queue at which time.
    received: Vec<(Duration, usize)>,
    /// When the current window began, and how many bytes had left the send queue then. There are several if more output may have
    /// waited behind what was lent: the model does not know whether the server began a new window.
    begun: Vec<(Duration, usize)>,
    /// When all output was sent that the model knows of, unless there is newer output.
    sent_at: Option<Duration>,
    /// Whether the output that is lent may be the rest of what was unsent before.
    may_continue: bool,
    /// Whether the server has noticed the end of a window in which the client received too little.
    pub(crate) is_too_slow: bool,
}

impl Rate {
    pub(crate) fn new(limits: &Limits, lends: bool) -> Self {
        let (min, window, tolerance) = (limits.min_rate, limits.min_rate_window, limits.write_timeout / 8);
        Self { min, window, tolerance, lends, ..Self::default() }
    }

    /// More bytes have left the send queue.
    pub(crate) fn receive(&mut self, count: usize, now: Duration) {
        let total = self.total() + count;
        match self.received.last_mut() {
            Some((at, last)) if *at == now => *last = total,
            _ => self.received.push((now, total)),
        }
    }

    fn total(&self) -> usize {
        self.received.last().map_or(0, |(_, total)| *total)
    }

    /// How many bytes had left the send queue at this time.
    fn total_at(&self, time: Duration) -> usize {
        let count = self.received.partition_point(|(at, _)| *at <= time);
        count.checked_sub(1).map_or(0, |last| self.received[last].1)
    }

    fn is_below(&self, received: usize) -> bool {
        received as u128 * Duration::from_secs(1).as_nanos() < self.min as u128 * self.window.as_nanos()
    }

    /// All output was sent, or all that was lent.
    pub(crate) fn all_sent(&mut self, now: Duration) {
        self.sent_at = Some(now);
    }

    /// Output is lent.
    pub(crate) fn lend(&mut self, now: Duration) {
        if self.sent_at == Some(now) {
            (self.sent_at, self.may_continue) = (None, true);
        }
    }

    /// A write would block.
    pub(crate) fn block(&mut self, now: Duration) {
        if self.sent_at.take().is_some() {
            self.begun.clear();
        }
        if self.begun.is_empty() || self.may_continue {
            let window = (now, self.total());
            self.begun.push(window);
            self.may_continue = false;
        }
    }

    /// The server checks the send queue. It is empty if the client has received all that it could.
    pub(crate) fn check(&mut self, is_empty: bool, written_at: Duration, now: Duration) {
        if self.sent_at.is_some() {
            return;
        }
        let total = self.total();
        let is_known = !self.lends || written_at < now;
        let is_judged = |end| is_known && self.min > 0 && !is_empty && now <= end + self.tolerance;
        let is_slow = |&(start, before): &(Duration, usize)| {
            let end = start + self.window;
            now >= end && is_judged(end) && self.is_below(total - before)
        };
        let is_certain = !self.may_continue && !self.begun.is_empty();
        self.is_too_slow |= is_certain && self.begun.iter().all(is_slow);
        for window in &mut self.begun {
            if now >= window.0 + self.window {
                *window = (now, total);
            }
        }
        self.begun.dedup();
    }

    /// When the server must notice the end of the current window.
    pub(crate) fn ends_at(&self) -> Option<Duration> {
        let is_certain = self.sent_at.is_none() && !self.may_continue;
        let begun = self.begun.iter().filter(|_| self.min > 0 && is_certain);
        begun.map(|(start, _)| *start + self.window).max()
    }

    /// Whether the client has received too little for a window that ends now, during all of which output was unsent.
    pub(crate) fn may_end(&self, unsent_since: Option<Duration>, now: Duration) -> bool {
        let Some(start) = now.checked_sub(self.window) else { return false };
        self.min > 0
            && unsent_since.is_some_and(|since| since <= start)
            && self.is_below(self.total() - self.total_at(start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_in_which_too_little_was_received_is_noticed_at_its_end() {
        let (second, ms) = (Duration::from_secs(1), Duration::from_millis(1));
        let limits = Limits::default().with_min_rate(100).with_min_rate_window(second);
        for (bytes, is_empty, late, is_too_slow) in [
            (99, false, 0, true),
            (100, false, 0, false),
            (0, true, 0, false),
            (0, false, limits.write_timeout.as_millis() / 8, true),
            (0, false, limits.write_timeout.as_millis() / 8 + 1, false),
        ] {
            let mut rate = Rate::new(&limits, false);
            rate.receive(1000, Duration::ZERO);
            rate.block(Duration::ZERO);
            rate.receive(bytes, 500 * ms);
            rate.check(false, Duration::ZERO, second - ms);
            let end = second + late as u32 * ms;
            assert!(!rate.is_too_slow && rate.ends_at() == Some(second));
            assert_eq!(rate.may_end(Some(Duration::ZERO), second), bytes < 100);
            rate.check(is_empty, Duration::ZERO, end);
            assert_eq!((rate.is_too_slow, rate.ends_at()), (is_too_slow, Some(end + second)));
        }
    }

    #[test]
    fn output_that_is_lent_at_once_may_be_the_rest_of_what_was_unsent() {
        let (second, ms) = (Duration::from_secs(1), Duration::from_millis(1));
        let limits = Limits::default().with_min_rate(100).with_min_rate_window(second);
        for (lent_at, ends, ends_then) in [(500, 1500, 2000), (501, 1501, 1501)] {
            let mut rate = Rate::new(&limits, true);
            rate.lend(Duration::ZERO);
            rate.block(Duration::ZERO);
            assert_eq!(rate.ends_at(), Some(second));
            rate.all_sent(500 * ms);
            assert_eq!(rate.ends_at(), None);
            rate.lend(lent_at * ms);
            rate.block(lent_at * ms);
            assert_eq!(rate.ends_at(), Some(ends * ms));
            // The window of before is over, if it goes on, and the other is not.
            rate.check(false, Duration::ZERO, second);
            assert_eq!((rate.is_too_slow, rate.ends_at()), (false, Some(ends_then * ms)));
        }
    }
}
