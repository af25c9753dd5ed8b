//! When the messages of an open loop are due.

use crate::plan::Arrivals;

/// When the messages of an open loop are due, in nanoseconds.
#[derive(Debug)]
pub(super) struct Schedule {
    /// The mean distance, in nanoseconds.
    distance: f64,
    arrivals: Arrivals,
    random: fastrand::Rng,
    /// Kept as a fraction, so that a distance of 1.5 ns is one on average.
    next: f64,
}

impl Schedule {
    /// `rate` messages per second, from `start` on.
    pub(super) fn new(rate: f64, arrivals: Arrivals, start: u64, random: fastrand::Rng) -> Self {
        let mut schedule = Self { distance: 1e9 / rate, arrivals, random, next: start as f64 };
        if arrivals == Arrivals::Poisson {
            schedule.advance();
        }
        schedule
    }

    /// When the next message is due.
    pub(super) fn next(&self) -> u64 {
        self.next as u64
    }

    /// Goes on to the message after it.
    pub(super) fn advance(&mut self) {
        self.next += match self.arrivals {
            Arrivals::Constant => self.distance,
            // The distances of independent arrivals have an exponential distribution.
            Arrivals::Poisson => -self.distance * (1.0 - self.random.f64()).ln(),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count_in_a_second(rate: f64, arrivals: Arrivals) -> (usize, f64) {
        let mut schedule = Schedule::new(rate, arrivals, 500, fastrand::Rng::with_seed(3));
        let mut distances = Vec::new();
        while schedule.next() < 1_000_000_500 {
            let last = schedule.next();
            schedule.advance();
            distances.push((schedule.next() - last) as f64);
        }
        let mean = distances.iter().sum::<f64>() / distances.len() as f64;
        let variance = distances.iter().map(|distance| (distance - mean).powi(2)).sum::<f64>();
        (distances.len(), (variance / distances.len() as f64).sqrt() / mean)
    }

    #[test]
    fn constant_arrivals_have_equal_distances() {
        for rate in [3.0, 1000.0, 70_000.0] {
            let (count, spread) = count_in_a_second(rate, Arrivals::Constant);
            assert_eq!(count, rate as usize);
            assert!(spread < 0.001);
        }
    }

    #[test]
    fn poisson_arrivals_have_the_rate_and_the_spread_of_chance() {
        let (count, spread) = count_in_a_second(100_000.0, Arrivals::Poisson);
        assert!((count as f64 / 100_000.0 - 1.0).abs() < 0.02, "{count}");
        assert!((spread - 1.0).abs() < 0.02, "{spread}");
    }
}
