//! Observation of a run in progress: its progress, the server's resource use, and other activity of the machine.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::engine::tally::Tally;
use crate::host::Host;
use crate::measurement::Usage;
use crate::plan::Plan;
use crate::process::Account;

/// The progress of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Progress {
    /// The time since the start, with the warm-up.
    pub passed: Duration,
    /// The duration of the run, with the warm-up.
    pub total: Duration,
    /// Whether the run is in its warm-up.
    pub warming_up: bool,
    /// Replies received so far.
    pub replies: u64,
    /// Pushes that subscribers received so far.
    pub deliveries: u64,
    /// Replies and pushes that failed verification.
    pub bad: u64,
    /// Connections that failed.
    pub failed: u64,
    /// The median latency so far, in microseconds.
    pub p50: f64,
    /// Its 99th percentile.
    pub p99: f64,
}

/// The counters of the workers, shared with the observing thread.
pub(super) struct Live {
    /// Whether anything besides the number of replies is observed.
    is_watched: bool,
    workers: Vec<Counts>,
}

/// The counters of one worker, on a separate cache line.
#[derive(Default)]
#[repr(align(128))]
struct Counts {
    replies: AtomicU64,
    deliveries: AtomicU64,
    bad: AtomicU64,
    failed: AtomicU64,
    p50: AtomicU64,
    p99: AtomicU64,
    /// Whether it has no connection left.
    is_alone: AtomicBool,
    /// When the percentiles are computed next.
    next: AtomicU64,
    /// How many messages were answered, when all replies have come that will; until then [`UNFINISHED`].
    accepted: AtomicU64,
}

/// The number of messages that a worker has had answered before it is known.
const UNFINISHED: u64 = u64::MAX;

/// The interval at which percentiles are computed, in nanoseconds: this iterates over the histogram.
const PERCENTILE_INTERVAL: u64 = 250_000_000;

impl Live {
    pub(super) fn new(threads: usize, is_watched: bool) -> Self {
        let unfinished = || Counts { accepted: AtomicU64::new(UNFINISHED), ..Counts::default() };
        Self { is_watched, workers: (0..threads).map(|_| unfinished()).collect() }
    }

    /// Publishes the counters of a worker. `now` is called only if the progress is observed.
    pub(super) fn publish(&self, index: usize, tally: &mut Tally, now: impl FnOnce() -> u64) {
        let counts = &self.workers[index];
        counts.replies.store(tally.verification.replies, Ordering::Relaxed);
        counts.deliveries.store(tally.pushes.delivered, Ordering::Relaxed);
        if !self.is_watched {
            return;
        }
        counts.bad.store(tally.verification.bad() + tally.pushes.bad(), Ordering::Relaxed);
        counts.failed.store(tally.failures.connections(), Ordering::Relaxed);
        let now = now();
        if now >= counts.next.load(Ordering::Relaxed) {
            counts.next.store(now + PERCENTILE_INTERVAL, Ordering::Relaxed);
            counts.p50.store(tally.latency().value_at_quantile(0.5), Ordering::Relaxed);
            counts.p99.store(tally.latency().value_at_quantile(0.99), Ordering::Relaxed);
        }
    }

    /// Stores whether a worker has no connection left, and returns whether no worker has any. A worker without
    /// connections continues as long as another has some: the messages of its schedule are dropped.
    pub(super) fn are_left_alone(&self, index: usize, is_alone: bool) -> bool {
        self.workers[index].is_alone.store(is_alone, Ordering::Relaxed);
        is_alone && self.workers.iter().all(|counts| counts.is_alone.load(Ordering::Relaxed))
    }

    /// Stores how many messages of a worker were answered, when no more replies are waited for.
    pub(super) fn finish(&self, index: usize, accepted: u64) {
        self.workers[index].accepted.store(accepted, Ordering::Relaxed);
    }

    /// How many messages of all workers were answered; `None` until all have finished.
    pub(super) fn accepted(&self) -> Option<u64> {
        let accepted = self.workers.iter().map(|counts| counts.accepted.load(Ordering::Relaxed));
        accepted.map(|accepted| (accepted != UNFINISHED).then_some(accepted)).sum()
    }

    /// The number of deliveries to subscribers so far.
    pub(super) fn deliveries(&self) -> u64 {
        self.workers.iter().map(|counts| counts.deliveries.load(Ordering::Relaxed)).sum()
    }

    /// The number of replies so far.
    pub(super) fn replies(&self) -> u64 {
        self.workers.iter().map(|counts| counts.replies.load(Ordering::Relaxed)).sum()
    }

    /// The sum of all counters; for percentiles, the maximum.
    pub(super) fn progress(&self) -> Progress {
        let sum = |of: fn(&Counts) -> &AtomicU64| {
            self.workers.iter().map(|counts| of(counts).load(Ordering::Relaxed)).sum()
        };
        let most = |of: fn(&Counts) -> &AtomicU64| {
            let most = self.workers.iter().map(|counts| of(counts).load(Ordering::Relaxed)).max();
            most.unwrap_or(0) as f64 / 1e3
        };
        Progress {
            replies: self.replies(),
            deliveries: self.deliveries(),
            bad: sum(|counts| &counts.bad),
            failed: sum(|counts| &counts.failed),
            p50: most(|counts| &counts.p50),
            p99: most(|counts| &counts.p99),
            ..Progress::default()
        }
    }
}

/// The interval at which the progress is reported.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

/// Resource use and machine activity within the measured time.
#[derive(Default)]
pub(super) struct Observed {
    pub(super) usage: Option<Usage>,
    pub(super) steal: f64,
}

/// Reports the progress, and samples the server and the machine at the start and the end of the measured time.
pub(super) fn observe(
    plan: &Plan,
    start: Instant,
    at_work: &dyn Fn() -> bool,
    live: &Live,
    tell: Option<&dyn Fn(Progress)>,
) -> Observed {
    let total = plan.warmup + plan.duration;
    let watch_until = |end: Duration| {
        while at_work() && start.elapsed() < end {
            thread::sleep(PROGRESS_INTERVAL.min(end.saturating_sub(start.elapsed())));
            if let Some(tell) = tell {
                let passed = start.elapsed().min(total);
                tell(Progress { passed, total, warming_up: passed < plan.warmup, ..live.progress() });
            }
        }
    };
    watch_until(plan.warmup);
    let account = plan.server.and_then(|server| Account::open(server).ok());
    let before = (live.replies(), live.deliveries());
    let host = Host::now();
    watch_until(total);
    let steal = host.and_then(|host| Some(Host::now()?.steal_since(&host)));
    let mut deliveries = 0;
    let usage = account.and_then(|account| {
        account.usage(|| {
            deliveries = live.deliveries().saturating_sub(before.1);
            live.replies().saturating_sub(before.0)
        })
    });
    Observed { usage: usage.map(|usage| Usage { deliveries, ..usage }), steal: steal.unwrap_or(0.0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::in_flight::Sent;

    #[test]
    fn percentiles_are_computed_periodically_and_only_for_an_observer() {
        for is_watched in [false, true] {
            let live = Live::new(2, is_watched);
            let mut tally = Tally::new(true);
            tally.start((0, 1_000_000_000));
            tally.verification.replies = 7;
            let sent = Sent { number: 0, scheduled: 0, sent: 0, length: 0, asks_for_head: false };
            tally.turn_to(100_000);
            tally.answered(sent);
            live.publish(1, &mut tally, || 100_000);
            let seen = live.progress();
            assert_eq!((seen.replies, seen.p50 > 0.0), (7, is_watched));
            tally.turn_to(900_000);
            tally.answered(sent);
            live.publish(1, &mut tally, || 900_000);
            assert_eq!(live.progress().p99, seen.p99, "it was computed just now");
            live.publish(1, &mut tally, || 100_000 + PERCENTILE_INTERVAL);
            assert_eq!(live.progress().p99 > seen.p99, is_watched);
        }
    }
}
