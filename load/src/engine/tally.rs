//! The counters of one thread. All memory is allocated before the load starts.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::engine::in_flight::Sent;
use crate::engine::pushes::PushTally;
use crate::engine::timeline::Timeline;
use crate::escape::escaped;
use crate::handshakes::Handshakes;
use crate::histogram::histogram;
use crate::measurement::{EXAMPLES, Failures, Tick, Verification};

/// What one thread counts.
pub(super) struct Tally {
    latency: Histogram<u64>,
    service: Histogram<u64>,
    /// The last latency and service time, and how many equal ones followed each other: a run of them is recorded at
    /// once.
    same: (u64, u64, u64),
    /// Whether latency and service time are the same.
    closed: bool,
    timeline: Timeline,
    /// When the current tick ends.
    tick_end: u64,
    /// When the replies that are counted now arrived.
    now: u64,
    /// Until when replies count for the rate.
    until: u64,
    pub(super) send_lag: Histogram<u64>,
    pub(super) connect: Histogram<u64>,
    /// Messages that were scheduled within the measured time.
    pub(super) offered: u64,
    /// Replies to messages that were scheduled within the measured time, received within the same length of time from
    /// the first one on. So messages of the warm-up are not counted, and the rate is not lowered by messages in flight
    /// at the end.
    pub(super) achieved: u64,
    pub(super) dropped: u64,
    pub(super) unfinished: u64,
    /// How long these had waited.
    pub(super) waited: Histogram<u64>,
    pub(super) verification: Verification,
    pub(super) pushes: PushTally,
    pub(super) failures: Failures,
    pub(super) handshakes: Handshakes,
    /// The connections of the beginning that the server has refused behind their handshake.
    pub(super) refused: usize,
    /// Reconnections, and messages that were sent again on them.
    pub(super) reconnected: u64,
    pub(super) resent: u64,
    /// When and why the thread stopped before its time.
    pub(super) stopped: Option<String>,
    /// The share of a core that the thread used within the measured time.
    pub(super) busy: f64,
}

impl Tally {
    /// Counters for a closed or an open loop. [`Self::start`] sets the measured time.
    pub(super) fn new(closed: bool) -> Self {
        Self {
            latency: histogram(),
            service: histogram(),
            same: (0, 0, 0),
            closed,
            timeline: Timeline::new((0, 0)),
            tick_end: 0,
            now: 0,
            until: u64::MAX,
            send_lag: histogram(),
            connect: histogram(),
            offered: 0,
            achieved: 0,
            dropped: 0,
            unfinished: 0,
            waited: histogram(),
            verification: Verification::default(),
            pushes: PushTally::new(),
            failures: Failures::default(),
            handshakes: Handshakes::default(),
            refused: 0,
            reconnected: 0,
            resent: 0,
            stopped: None,
            busy: 0.0,
        }
    }

    /// Sets the start and the end of the measured time, in nanoseconds.
    pub(super) fn start(&mut self, window: (u64, u64)) {
        self.timeline = Timeline::new(window);
    }

    /// Ends the measured time now, earlier than planned.
    pub(super) fn stop(&mut self, now: u64) {
        let length = self.timeline.length();
        self.timeline.stop(now);
        let earlier = length - self.timeline.length();
        if self.until != u64::MAX {
            self.until -= earlier;
        }
        self.pushes.stop(earlier);
    }

    /// Sets the arrival time of the replies that are counted next.
    #[inline]
    pub(super) fn turn_to(&mut self, now: u64) {
        self.now = now;
        if now >= self.tick_end {
            self.settle();
            self.tick_end = self.timeline.turn_to(now);
        }
    }

    /// Counts a message that was answered now, unless it was due in the warm-up.
    #[inline]
    pub(super) fn answered(&mut self, Sent { scheduled, sent, .. }: Sent) {
        if !self.timeline.is_of(scheduled) {
            return;
        }
        let (latency, service) = (self.now.saturating_sub(scheduled), self.now.saturating_sub(sent));
        if (self.same.0, self.same.1) != (latency, service) {
            self.settle();
            self.same = (latency, service, 0);
            if scheduled < self.timeline.begin {
                self.timeline.waited(scheduled, self.now);
            }
        }
        self.same.2 += 1;
        if self.until == u64::MAX {
            self.until = self.now.saturating_add(self.timeline.length());
        }
        self.achieved += u64::from(self.now < self.until);
    }

    /// Whether a reply would count for the rate now.
    pub(super) fn is_counting(&self, now: u64) -> bool {
        now < self.until
    }

    /// When the replies or pushes that are counted now arrived.
    #[inline]
    pub(super) fn now(&self) -> u64 {
        self.now
    }

    /// Counts a message that was sent then, by this shard or another, and is delivered to a subscriber now.
    #[inline]
    pub(super) fn delivered(&mut self, sent: u64, is_own: bool) {
        self.pushes.delivered += 1;
        // Other shards may begin before this one has set the measured time.
        if self.timeline.length() > 0 && self.timeline.is_after_warmup(sent) {
            self.pushes.measure(sent, is_own, self.now, self.timeline.length());
        }
    }

    /// Counts a message of the measured time for which the wait ends now, without a reply. `sent` is when it was sent,
    /// if it was.
    pub(super) fn give_up(&mut self, scheduled: u64, sent: Option<u64>, now: u64) {
        self.unfinished += 1;
        self.timeline.waited(scheduled, now);
        self.latency.saturating_record(now.saturating_sub(scheduled));
        self.waited.saturating_record(now.saturating_sub(scheduled));
        if let Some(sent) = sent.filter(|_| !self.closed) {
            self.service.saturating_record(now.saturating_sub(sent));
        }
    }

    /// Counts a message as lost although its connection is open. A message of the measured time has waited until now.
    pub(super) fn lose(&mut self, sent: Sent, connection: u32) {
        self.verification.lost += 1;
        self.example(|| format!("lost: connection {connection}, message {}: no reply came", sent.number));
        if self.timeline.is_of(sent.scheduled) {
            self.give_up(sent.scheduled, Some(sent.sent), self.now);
        }
    }

    /// From the scheduled time to the reply.
    pub(super) fn latency(&mut self) -> &Histogram<u64> {
        self.settle();
        &self.latency
    }

    /// From the sending to the reply.
    pub(super) fn service(&mut self) -> &Histogram<u64> {
        self.settle();
        if self.closed { &self.latency } else { &self.service }
    }

    /// The timeline of the measured time.
    pub(super) fn timeline(&mut self, measured: Duration) -> Vec<Tick> {
        self.settle();
        self.timeline.ticks(measured)
    }

    fn settle(&mut self) {
        let (latency, service, count) = self.same;
        if count == 0 {
            return;
        }
        self.latency.saturating_record_n(latency, count);
        if !self.closed {
            self.service.saturating_record_n(service, count);
        }
        self.timeline.add(count, latency);
        self.same.2 = 0;
    }

    /// Records an example of a reply that failed verification.
    pub(super) fn bad(&mut self, what: &str, connection: u32, number: u64, line: &[u8]) {
        self.example(|| format!("{what}: connection {connection}, message {number}: `{}`", beginning(line)));
    }

    /// Records an example of a problem.
    pub(super) fn example(&mut self, text: impl FnOnce() -> String) {
        if self.verification.examples.len() < EXAMPLES {
            self.verification.examples.push(text());
        }
    }

    /// Records a failed connection.
    pub(super) fn failure(&mut self, text: impl FnOnce() -> String) {
        if self.failures.examples.len() < EXAMPLES {
            self.failures.examples.push(text());
        }
    }

    /// Adds the counters of another thread.
    pub(super) fn add(&mut self, mut other: Self) {
        other.settle();
        for (mine, its) in [
            (&mut self.latency, other.latency),
            (&mut self.service, other.service),
            (&mut self.send_lag, other.send_lag),
            (&mut self.connect, other.connect),
            (&mut self.waited, other.waited),
        ] {
            mine.add(its).expect("all histograms have the same bounds");
        }
        self.timeline.merge(&other.timeline);
        self.offered += other.offered;
        self.achieved += other.achieved;
        self.dropped += other.dropped;
        self.unfinished += other.unfinished;
        self.busy = self.busy.max(other.busy);
        self.verification.add(other.verification);
        self.pushes.add(other.pushes);
        self.failures.add(other.failures);
        self.handshakes.add(other.handshakes);
        self.refused += other.refused;
        self.reconnected += other.reconnected;
        self.resent += other.resent;
        self.stopped = self.stopped.take().or(other.stopped);
    }
}

/// The beginning of a reply, escaped for display.
pub(super) fn beginning(said: &[u8]) -> String {
    let is_inside = |at: &usize| said.get(*at).is_some_and(|byte| byte & 0xc0 == 0x80);
    // A character is at most 4 bytes long, and none is cut.
    let end = (LONGEST_SHOWN - 3..=LONGEST_SHOWN).rev().find(|at| !is_inside(at)).unwrap_or(LONGEST_SHOWN);
    escaped(&said[..said.len().min(end)]).to_string()
}

/// How much of a reply is shown, in bytes.
const LONGEST_SHOWN: usize = 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_of_a_reply_is_shown_as_text() {
        assert_eq!(beginning("第1條信息: \"你好\"".as_bytes()), "第1條信息: \"你好\"");
        assert_eq!(beginning(b"a\x1b[2J\0\xff\r"), r"a\x1b[2J\x00\xff\r");
        assert_eq!(beginning(&b"x".repeat(70)), "x".repeat(60));
        assert_eq!(beginning(&b"\x80".repeat(70)), r"\x80".repeat(60));
        for shift in 0..4 {
            let text = "x".repeat(shift) + &"🦀".repeat(20);
            let shown = beginning(text.as_bytes());
            assert!(text.starts_with(&shown) && shown.len() > 60 - 4, "{shown}");
        }
    }
}
