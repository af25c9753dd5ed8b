//! The timeline of a run: replies and the longest wait in each tenth of a second.

use std::time::Duration;

use crate::measurement::Tick;

/// The ticks of the measured time. All memory is allocated before the load starts.
pub(super) struct Timeline {
    window: (u64, u64),
    ticks: Vec<Slot>,
    /// The current tick and when it began; it is past the last one when the time is up.
    now: usize,
    pub(super) begin: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Slot {
    replies: u64,
    longest: u64,
}

/// How long a tick is, in nanoseconds.
const TICK: u64 = 100_000_000;

/// The maximal number of ticks, which is an hour. Later events are not recorded.
const MAX_TICKS: u64 = 36_000;

impl Timeline {
    /// A timeline from the first to the second instant, in nanoseconds.
    pub(super) fn new(window: (u64, u64)) -> Self {
        let ticks = (window.1 - window.0).div_ceil(TICK).min(MAX_TICKS) as usize;
        Self { window, ticks: vec![Slot::default(); ticks], now: 0, begin: window.0 }
    }

    /// The length of the measured time, in nanoseconds.
    pub(super) fn length(&self) -> u64 {
        self.window.1 - self.window.0
    }

    /// Whether a message that is due then is within the measured time.
    pub(super) fn is_of(&self, scheduled: u64) -> bool {
        (self.window.0..self.window.1).contains(&scheduled)
    }

    /// Whether a message that was sent then was sent after the warm-up.
    pub(super) fn is_after_warmup(&self, sent: u64) -> bool {
        sent >= self.window.0
    }

    /// Ends the measured time now, earlier than planned.
    pub(super) fn stop(&mut self, now: u64) {
        self.window.1 = now.clamp(self.window.0, self.window.1);
    }

    /// Sets the current time. Returns when the current tick ends.
    pub(super) fn turn_to(&mut self, now: u64) -> u64 {
        self.now = self.at(now).min(self.ticks.len());
        self.begin = self.window.0 + self.now as u64 * TICK;
        if self.now < self.ticks.len() { self.begin + TICK } else { u64::MAX }
    }

    /// Adds replies to this tick, with their latency.
    pub(super) fn add(&mut self, replies: u64, latency: u64) {
        if let Some(tick) = self.ticks.get_mut(self.now) {
            tick.replies += replies;
            tick.longest = tick.longest.max(latency);
        }
    }

    /// Adds a message that was due then and has waited until now, to every tick that has ended since.
    pub(super) fn waited(&mut self, scheduled: u64, now: u64) {
        let (first, last) = (self.at(scheduled), self.at(now).min(self.ticks.len()));
        for index in first..last {
            let end = self.window.0 + (index as u64 + 1) * TICK;
            self.ticks[index].longest = self.ticks[index].longest.max(end.saturating_sub(scheduled));
        }
    }

    fn at(&self, instant: u64) -> usize {
        (instant.saturating_sub(self.window.0) / TICK) as usize
    }

    /// Adds the timeline of another thread for the same time.
    pub(super) fn merge(&mut self, other: &Self) {
        for (mine, its) in self.ticks.iter_mut().zip(&other.ticks) {
            mine.replies += its.replies;
            mine.longest = mine.longest.max(its.longest);
        }
    }

    /// The ticks of this measured time, as plain data.
    pub(super) fn ticks(&self, measured: Duration) -> Vec<Tick> {
        let begun = measured.as_nanos().div_ceil(TICK.into()) as usize;
        let ticks = self.ticks.iter().take(begun).enumerate();
        ticks
            .map(|(index, tick)| Tick {
                at: index as f64 / 10.0,
                replies: tick.replies,
                max: tick.longest as f64 / 1e3,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn longest(timeline: &Timeline) -> Vec<f64> {
        timeline.ticks(Duration::from_secs(1)).iter().map(|tick| tick.max / 1e3).collect()
    }

    #[test]
    fn events_are_recorded_in_their_tick() {
        let mut timeline = Timeline::new((1000 * MS, 1250 * MS));
        assert_eq!(timeline.turn_to(1000 * MS), 1100 * MS);
        timeline.add(3, 5 * MS);
        timeline.add(1, 2 * MS);
        assert_eq!(timeline.turn_to(1200 * MS), 1300 * MS);
        timeline.add(2, MS);
        assert_eq!(timeline.turn_to(1300 * MS), u64::MAX);
        timeline.add(7, 9 * MS);
        let ticks = timeline.ticks(Duration::from_millis(250));
        let tick = |at, replies, max| Tick { at, replies, max };
        assert_eq!(ticks, [tick(0.0, 4, 5000.0), tick(0.1, 0, 0.0), tick(0.2, 2, 1000.0)]);
        assert_eq!(timeline.ticks(Duration::from_millis(101)).len(), 2, "it was stopped early");
    }

    #[test]
    fn a_message_counts_in_every_tick_in_which_it_waits() {
        let mut timeline = Timeline::new((1000 * MS, 1500 * MS));
        timeline.waited(1130 * MS, 1350 * MS);
        assert_eq!(longest(&timeline), [0.0, 70.0, 170.0, 0.0, 0.0]);
        timeline.waited(1190 * MS, 2000 * MS);
        assert_eq!(longest(&timeline), [0.0, 70.0, 170.0, 210.0, 310.0]);
    }

    #[test]
    fn timelines_of_threads_are_added() {
        let (mut one, mut other) = (Timeline::new((0, 200 * MS)), Timeline::new((0, 200 * MS)));
        one.add(3, 5 * MS);
        other.add(4, 2 * MS);
        one.merge(&other);
        assert_eq!(one.ticks(Duration::from_secs(1))[0], Tick { at: 0.0, replies: 7, max: 5000.0 });
    }

    #[test]
    fn a_long_run_has_the_ticks_of_an_hour() {
        assert_eq!(Timeline::new((0, u64::MAX)).ticks.len(), 36_000);
    }
}
