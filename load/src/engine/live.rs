//! What is seen of a run while it goes on.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::engine::tally::Tally;

/// What is seen of a run while it goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Progress {
    /// How much of the time has passed, and how much there is, warm-up included.
    pub passed: Duration,
    /// How long the run takes.
    pub total: Duration,
    /// Whether the warm-up goes on.
    pub warming_up: bool,
    /// Replies that have come so far.
    pub replies: u64,
    /// Replies that were not as they should be.
    pub bad: u64,
    /// Connections that failed.
    pub failed: u64,
    /// The median latency so far, in microseconds.
    pub p50: f64,
    /// Its 99th percentile.
    pub p99: f64,
}

/// Where the workers leave what they have counted, for the others to see.
pub(super) struct Live(Vec<Counts>);

#[derive(Default)]
struct Counts {
    replies: AtomicU64,
    bad: AtomicU64,
    failed: AtomicU64,
    p50: AtomicU64,
    p99: AtomicU64,
}

/// Percentiles take a walk over the histogram: so many replies are waited for before the next.
const MANY: u64 = 1000;

impl Live {
    pub(super) fn new(threads: usize) -> Self {
        Self((0..threads).map(|_| Counts::default()).collect())
    }

    pub(super) fn publish(&self, index: usize, tally: &mut Tally) {
        let counts = &self.0[index];
        // Percentiles take a walk over the histogram, so only every so often.
        if tally.verification.replies >= counts.replies.load(Ordering::Relaxed) + MANY {
            counts.p50.store(tally.latency().value_at_quantile(0.5), Ordering::Relaxed);
            counts.p99.store(tally.latency().value_at_quantile(0.99), Ordering::Relaxed);
        }
        counts.replies.store(tally.verification.replies, Ordering::Relaxed);
        counts.bad.store(tally.verification.bad(), Ordering::Relaxed);
        counts.failed.store(tally.failures.connections(), Ordering::Relaxed);
    }

    /// What all of them have left; of the percentiles, the largest.
    pub(super) fn progress(&self) -> Progress {
        let sum = |of: fn(&Counts) -> &AtomicU64| {
            self.0.iter().map(|counts| of(counts).load(Ordering::Relaxed)).sum()
        };
        let most = |of: fn(&Counts) -> &AtomicU64| {
            let most = self.0.iter().map(|counts| of(counts).load(Ordering::Relaxed)).max();
            most.unwrap_or(0) as f64 / 1e3
        };
        Progress {
            replies: sum(|counts| &counts.replies),
            bad: sum(|counts| &counts.bad),
            failed: sum(|counts| &counts.failed),
            p50: most(|counts| &counts.p50),
            p99: most(|counts| &counts.p99),
            ..Progress::default()
        }
    }
}
