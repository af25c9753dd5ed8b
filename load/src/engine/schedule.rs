//! The schedule of an open loop: when messages are due on which connection.

use crate::plan::{Arrivals, Plan};
use crate::shard::Shard;

/// The schedule of an open loop: when messages are due, in nanoseconds, and on which connection.
///
/// Each connection has its own schedule. With constant arrivals, the schedules are offset so that the messages of all
/// connections, those of other threads and shards included, are due at equal intervals. Independent Poisson arrivals on
/// many connections are equivalent to one Poisson process that assigns each message to a random connection, and those of
/// several threads and shards to one for all.
#[derive(Debug)]
pub(super) struct Schedule {
    turns: Turns,
    arrivals: Arrivals,
    random: fastrand::Rng,
    /// When the next message is due. Not rounded, so that an interval of 1.5 ns is exact on average.
    next: f64,
    /// The place of each connection, and its rank among the open ones of the shard.
    places: Vec<(usize, usize)>,
    /// The next connection in rotation, and how many rotations there were.
    turn: usize,
    lap: u64,
}

/// When the messages of a shard are due among those of all shards, if all are due at equal intervals.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turns {
    /// The interval between two messages of all shards, in nanoseconds.
    interval: f64,
    shard: Shard,
    /// The connections of all shards, of this one, and the open ones of this one.
    connections: usize,
    own: usize,
    open: usize,
}

impl Turns {
    /// The turns in a plan with this rate, when so many connections of its shard are open. They take over what is due on
    /// the others, so that the shard keeps its rate.
    pub(super) fn new(plan: &Plan, rate: f64, open: usize) -> Self {
        let (connections, own) = (plan.connections, plan.own_connections());
        Self { interval: 1e9 / rate, shard: plan.shard, connections, own, open }
    }

    /// When the message of this number of the shard is due.
    fn due(&self, number: u64) -> f64 {
        let own = self.own as u64;
        let before = (number / own).saturating_mul(self.connections as u64);
        let turn = self.shard.number_of((number % own) as usize) as u64;
        before.saturating_add(turn) as f64 * self.interval
    }

    /// The mean interval between two messages on so many of the open connections.
    fn distance(&self, places: usize) -> f64 {
        let own_interval = self.interval * self.connections as f64 / self.own as f64;
        own_interval * self.open as f64 / places.max(1) as f64
    }
}

impl Schedule {
    /// The messages on the connections at these places, each with its rank among the open ones of the shard, in
    /// ascending order.
    pub(super) fn new(
        turns: Turns,
        arrivals: Arrivals,
        places: Vec<(usize, usize)>,
        random: fastrand::Rng,
    ) -> Self {
        let mut schedule = Self { turns, arrivals, random, next: 0.0, places, turn: 0, lap: 0 };
        if arrivals == Arrivals::Poisson {
            schedule.advance();
        } else {
            schedule.find_next();
        }
        schedule
    }

    /// When the next message is due.
    pub(super) fn next(&self) -> u64 {
        if self.places.is_empty() { u64::MAX } else { self.next as u64 }
    }

    /// Advances to the following message. Returns the position of the connection on which the previous one is due.
    pub(super) fn advance(&mut self) -> usize {
        let (place, _) = self.places.get(self.turn).copied().unwrap_or_default();
        match self.arrivals {
            Arrivals::Constant => {
                self.turn += 1;
                if self.turn >= self.places.len() {
                    self.turn = 0;
                    self.lap += 1;
                }
                self.find_next();
            }
            Arrivals::Poisson => {
                // The intervals of a Poisson process are exponentially distributed.
                self.next -= self.turns.distance(self.places.len()) * (1.0 - self.random.f64()).ln();
                self.turn = self.random.usize(..self.places.len().max(1));
            }
        }
        place
    }

    /// Sets when the message of the present turn is due.
    fn find_next(&mut self) {
        if let Some(&(_, rank)) = self.places.get(self.turn) {
            self.next = self.turns.due(self.lap.saturating_mul(self.turns.open as u64) + rank as u64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The schedule of a thread of a shard, whose connections are all open.
    fn part(rate: f64, arrivals: Arrivals, connections: usize, shard: Shard, thread: Shard) -> Schedule {
        let plan = Plan { connections, shard, ..Plan::new(std::net::SocketAddr::from(([127, 0, 0, 1], 1))) };
        let own = plan.own_connections();
        let places = (0..thread.share(own)).map(|place| (place, thread.number_of(place))).collect();
        let random = fastrand::Rng::with_seed(3 + shard.number() as u64);
        Schedule::new(Turns::new(&plan, rate, own), arrivals, places, random)
    }

    fn schedule(rate: f64, arrivals: Arrivals, connections: usize) -> Schedule {
        part(rate, arrivals, connections, Shard::WHOLE, Shard::WHOLE)
    }

    /// When the messages before this instant are due, in nanoseconds.
    fn due_before(mut schedule: Schedule, end: u64) -> Vec<u64> {
        let mut all = Vec::new();
        while schedule.next() < end {
            all.push(schedule.next());
            schedule.advance();
        }
        all
    }

    fn all(count: usize) -> impl Iterator<Item = Shard> {
        (1..=count).map(move |number| Shard::new(number, count).unwrap())
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
    fn constant_arrivals_have_equal_intervals() {
        for rate in [3.0, 1000.0, 70_000.0] {
            let (count, spread) = count_in_a_second(rate, Arrivals::Constant);
            assert_eq!(count, rate as usize);
            assert!(spread < 0.001);
        }
    }

    #[test]
    fn poisson_arrivals_have_the_rate_and_the_variance_of_a_poisson_process() {
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
    fn the_messages_of_all_threads_and_shards_are_due_when_those_of_one_are() {
        for (connections, shards, threads, rate) in [
            (64, 1, 4, 1000.0),
            (64, 4, 1, 1000.0),
            (7, 3, 1, 700.0),
            (7, 3, 2, 333.3),
            (5, 5, 1, 7e5),
            (10, 4, 3, 50.0),
        ] {
            let one = due_before(schedule(rate, Arrivals::Constant, connections), 500_000_000);
            let thread = |shard, thread| part(rate, Arrivals::Constant, connections, shard, thread);
            let of_shard =
                |shard| all(threads).flat_map(move |of| due_before(thread(shard, of), 500_000_000));
            let mut together: Vec<_> = all(shards).flat_map(of_shard).collect();
            together.sort_unstable();
            assert_eq!(together, one, "{connections} connections in {shards} shards of {threads} threads");
            assert!(one.windows(2).all(|pair| pair[0] < pair[1]), "none coincide");
        }
    }

    #[test]
    fn shards_of_poisson_arrivals_have_the_rate_together_and_differ() {
        let part = |shard| part(100_000.0, Arrivals::Poisson, 7, shard, Shard::WHOLE);
        let shards: Vec<_> = all(3).map(|shard| due_before(part(shard), 1_000_000_000)).collect();
        let count: usize = shards.iter().map(Vec::len).sum();
        assert!((count as f64 / 100_000.0 - 1.0).abs() < 0.02, "{count}");
        assert!((shards[0].len() as f64 / (100_000.0 * 3.0 / 7.0) - 1.0).abs() < 0.02, "{}", shards[0].len());
        assert!(shards[1][..3] != shards[2][..3], "they have seeds of their own");
    }

    #[test]
    fn open_connections_take_over_the_messages_of_others() {
        // Of four connections of the second of two shards, three are open, on two threads.
        let shard = Shard::new(2, 2).unwrap();
        let plan =
            Plan { connections: 8, shard, ..Plan::new(std::net::SocketAddr::from(([127, 0, 0, 1], 1))) };
        let part = |places: &[(usize, usize)]| {
            let random = fastrand::Rng::with_seed(3);
            Schedule::new(Turns::new(&plan, 1000.0, 3), Arrivals::Constant, places.to_vec(), random)
        };
        let parts = [part(&[(0, 0), (5, 2)]), part(&[(1, 1)])];
        let mut due: Vec<_> = parts.into_iter().flat_map(|part| due_before(part, 1_000_000_000)).collect();
        due.sort_unstable();
        let expected =
            due_before(self::part(1000.0, Arrivals::Constant, 8, shard, Shard::WHOLE), 1_000_000_000);
        assert_eq!(due, expected);
    }

    #[test]
    fn nothing_is_due_without_connections() {
        assert_eq!(schedule(10.0, Arrivals::Constant, 0).next(), u64::MAX);
    }
}
