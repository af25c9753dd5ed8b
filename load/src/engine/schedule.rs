//! When the messages of an open loop are due, and on which connection.

use crate::plan::Arrivals;

/// When the messages of an open loop are due, in nanoseconds, and on which of the connections.
///
/// Each connection has a schedule of its own. Those of constant arrivals are offset against each other so that they
/// follow one another at equal distances: so one schedule that goes round through the connections is all of them.
/// And independent arrivals of so many are the same as those of one, each on a connection drawn by chance.
#[derive(Debug)]
pub(super) struct Schedule {
    /// The mean distance between two messages, in nanoseconds.
    distance: f64,
    arrivals: Arrivals,
    random: fastrand::Rng,
    /// Kept as a fraction, so that a distance of 1.5 ns is one on average.
    next: f64,
    places: Vec<usize>,
    /// Whose turn it is.
    turn: usize,
}

impl Schedule {
    /// `rate` messages per second in all on the connections at these places. `worker` is which of how many it is for,
    /// since workers' messages are offset against each other, too.
    pub(super) fn new(
        rate: f64,
        arrivals: Arrivals,
        worker: (usize, usize),
        places: Vec<usize>,
        random: fastrand::Rng,
    ) -> Self {
        let distance = 1e9 / rate;
        let next = distance * worker.0 as f64 / worker.1 as f64;
        let mut schedule = Self { distance, arrivals, random, next, places, turn: 0 };
        if arrivals == Arrivals::Poisson {
            schedule.advance();
        }
        schedule
    }

    /// When the next message is due.
    pub(super) fn next(&self) -> u64 {
        if self.places.is_empty() { u64::MAX } else { self.next as u64 }
    }

    /// Goes on to the message after it. Tells at which place the one that was next is due.
    pub(super) fn advance(&mut self) -> usize {
        let place = self.places.get(self.turn).copied().unwrap_or(0);
        match self.arrivals {
            Arrivals::Constant => {
                self.next += self.distance;
                self.turn = if self.turn + 1 < self.places.len() { self.turn + 1 } else { 0 };
            }
            Arrivals::Poisson => {
                // The distances of independent arrivals have an exponential distribution.
                self.next -= self.distance * (1.0 - self.random.f64()).ln();
                self.turn = self.random.usize(..self.places.len().max(1));
            }
        }
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(rate: f64, arrivals: Arrivals, connections: usize) -> Schedule {
        let random = fastrand::Rng::with_seed(3);
        Schedule::new(rate, arrivals, (0, 1), (0..connections).collect(), random)
    }

    fn count_in_a_second(rate: f64, arrivals: Arrivals) -> (usize, f64) {
        let mut schedule = schedule(rate, arrivals, 7);
        let mut distances = Vec::new();
        while schedule.next() < 1_000_000_000 {
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

    #[test]
    fn each_connection_has_its_share_whatever_the_arrivals() {
        for (arrivals, tolerance) in [(Arrivals::Constant, 1), (Arrivals::Poisson, 300)] {
            let mut schedule = schedule(1e6, arrivals, 8);
            let mut counts = [0_usize; 8];
            (0..80_000).for_each(|_| counts[schedule.advance()] += 1);
            assert!(counts.iter().all(|count| count.abs_diff(10_000) <= tolerance), "{counts:?}");
        }
    }

    #[test]
    fn connections_do_not_send_together() {
        let mut schedule = schedule(1000.0, Arrivals::Constant, 4);
        let mut last = [0; 4];
        let instants: Vec<u64> = (0..400)
            .map(|_| {
                let due = schedule.next();
                last[schedule.advance()] = due;
                due
            })
            .collect();
        assert!(instants.windows(2).all(|pair| pair[1] - pair[0] == 1_000_000));
        last.sort_unstable();
        assert!(last.windows(2).all(|pair| pair[0] < pair[1]), "{last:?}");
    }

    #[test]
    fn workers_do_not_send_together() {
        let worker = |index| {
            let random = fastrand::Rng::with_seed(3);
            let mut schedule = Schedule::new(250.0, Arrivals::Constant, (index, 4), vec![0, 1], random);
            let due = move || {
                let due = schedule.next();
                schedule.advance();
                due
            };
            std::iter::repeat_with(due).take(100)
        };
        let mut instants: Vec<u64> = (0..4).flat_map(worker).collect();
        instants.sort_unstable();
        assert!(instants.windows(2).all(|pair| pair[1] - pair[0] == 1_000_000), "{instants:?}");
    }

    #[test]
    fn nothing_is_due_where_there_is_no_connection() {
        assert_eq!(schedule(10.0, Arrivals::Constant, 0).next(), u64::MAX);
    }
}
