//! The durations of connections, as a histogram.

use std::time::Duration;

/// How long the connections lasted that have ended, without those that were refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Durations {
    counts: [u64; Self::BOUNDS.len() + 1],
    sum: Duration,
}

impl Durations {
    /// The upper bounds of the buckets, inclusive, in ascending order. The last bucket has none. They are those of
    /// OpenTelemetry's `kestrel.connection.duration`.
    pub const BOUNDS: &'static [Duration] = &[
        Duration::from_millis(10),
        Duration::from_millis(20),
        Duration::from_millis(50),
        Duration::from_millis(100),
        Duration::from_millis(200),
        Duration::from_millis(500),
        Duration::from_secs(1),
        Duration::from_secs(2),
        Duration::from_secs(5),
        Duration::from_secs(10),
        Duration::from_secs(30),
        Duration::from_secs(60),
        Duration::from_secs(120),
        Duration::from_secs(300),
    ];

    /// How many connections are in each bucket: one for each of the [`BOUNDS`](Self::BOUNDS), and the last one for those
    /// that lasted longer.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// How many connections there are.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The sum of their durations.
    pub fn sum(&self) -> Duration {
        self.sum
    }

    pub(crate) fn add(&mut self, duration: Duration) {
        self.counts[Self::BOUNDS.partition_point(|&bound| bound < duration)] += 1;
        self.sum = self.sum.saturating_add(duration);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_in_the_first_bucket_that_is_long_enough() {
        let mut durations = Durations::default();
        for milliseconds in [0, 10, 11, 300_000, 300_001] {
            durations.add(Duration::from_millis(milliseconds));
        }
        let counts = durations.counts();
        assert_eq!((counts[0], counts[1], counts[13], counts[14], durations.count()), (2, 1, 1, 1, 5));
        assert_eq!(durations.sum(), Duration::from_millis(600_022));
    }
}
