//! The schedule of an open loop: when messages are due on which connection, and which of them wait for it.

use std::collections::VecDeque;

use crate::plan::{Arrivals, Dispatch, Plan};
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

/// The due times of the waiting messages, in nanoseconds.
pub(super) struct Queue {
    dispatch: Dispatch,
    /// A queue per connection, or one for all.
    waiting: Vec<VecDeque<u64>>,
    count: usize,
    /// Places at which something may be sent: those whose queue is no longer empty, or, with one queue for all,
    /// those that are free, longest free first.
    ready: VecDeque<usize>,
    /// Whether each place is among those, where they are the free ones.
    is_free: Vec<bool>,
}

/// The maximal number of waiting messages per thread, in addition to one per connection. Messages due beyond that are
/// dropped: the server is overloaded by then. A connection without waiting messages always has room, even if others
/// stall.
const MAX_WAITING: usize = 1 << 18;

impl Queue {
    /// A queue for this number of connections.
    pub(super) fn new(dispatch: Dispatch, places: usize) -> Self {
        let queues = if dispatch == Dispatch::Each { places } else { 1 };
        let ready = VecDeque::with_capacity(places);
        Self {
            dispatch,
            waiting: vec![VecDeque::new(); queues],
            count: 0,
            ready,
            is_free: vec![false; places],
        }
    }

    /// Adds a message, of the connection at this place or of any. Tells whether there is room for it.
    pub(super) fn push(&mut self, place: usize, due: u64) -> bool {
        let queue = &mut self.waiting[index(self.dispatch, place)];
        if self.count >= MAX_WAITING && !queue.is_empty() {
            return false;
        }
        if self.dispatch == Dispatch::Each && queue.is_empty() {
            // Where others wait already, their connection has no room, and goes on by itself.
            self.ready.push_back(place);
        }
        queue.push_back(due);
        self.count += 1;
        true
    }

    /// Removes the oldest message that waits for the connection at this place.
    pub(super) fn pop(&mut self, place: usize) -> Option<u64> {
        let due = self.waiting[index(self.dispatch, place)].pop_front()?;
        self.count -= 1;
        Some(due)
    }

    /// Whether nothing waits for the connection at this place.
    pub(super) fn is_empty(&self, place: usize) -> bool {
        self.waiting[index(self.dispatch, place)].is_empty()
    }

    /// A place at which something is to be sent, and how many messages it may have of those that wait.
    pub(super) fn next_ready(&mut self) -> Option<(usize, usize)> {
        match self.dispatch {
            Dispatch::Each => Some((self.ready.pop_front()?, usize::MAX)),
            Dispatch::Any if self.count > 0 => {
                let place = self.ready.pop_front()?;
                self.is_free[place] = false;
                Some((place, 1))
            }
            Dispatch::Any => None,
        }
    }

    /// Whether free connections have to be reported with [`Self::free`].
    pub(super) fn is_shared(&self) -> bool {
        self.dispatch == Dispatch::Any
    }

    /// The connection at this place is free. Another that was there before may have been free already.
    pub(super) fn free(&mut self, place: usize) {
        if !std::mem::replace(&mut self.is_free[place], true) {
            self.ready.push_back(place);
        }
    }

    /// When each message that waits was due.
    pub(super) fn iter(&self) -> impl Iterator<Item = u64> {
        self.waiting.iter().flatten().copied()
    }
}

fn index(dispatch: Dispatch, place: usize) -> usize {
    if dispatch == Dispatch::Each { place } else { 0 }
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

    #[test]
    fn messages_wait_for_their_own_connection() {
        let mut queue = Queue::new(Dispatch::Each, 3);
        assert!(queue.push(2, 10) && queue.push(0, 20) && queue.push(2, 30));
        assert_eq!(queue.next_ready(), Some((2, usize::MAX)));
        assert_eq!((queue.pop(2), queue.pop(1), queue.pop(0)), (Some(10), None, Some(20)));
        assert_eq!(queue.next_ready(), Some((0, usize::MAX)));
        assert_eq!(queue.next_ready(), None, "2 was returned when its first message was added");
        assert_eq!(queue.iter().collect::<Vec<_>>(), [30]);
        assert!(queue.is_empty(0) && !queue.is_empty(2));
    }

    #[test]
    fn a_shared_queue_serves_the_connection_that_was_free_longest() {
        let mut queue = Queue::new(Dispatch::Any, 3);
        queue.free(1);
        queue.free(0);
        queue.free(1);
        assert_eq!(queue.next_ready(), None, "nothing waits");
        assert!(queue.push(2, 10) && queue.push(2, 20));
        assert_eq!(queue.next_ready(), Some((1, 1)));
        assert_eq!(queue.pop(1), Some(10));
        assert_eq!(queue.next_ready(), Some((0, 1)));
        assert_eq!(queue.pop(0), Some(20));
        assert_eq!(queue.next_ready(), None);
    }

    #[test]
    fn a_full_queue_rejects_messages() {
        for dispatch in [Dispatch::Each, Dispatch::Any] {
            let mut queue = Queue::new(dispatch, 2);
            assert!((0..MAX_WAITING).all(|number| queue.push(number % 2, 1)));
            assert!(!queue.push(1, 1));
            queue.pop(1);
            assert!(queue.push(1, 1));
        }
    }

    #[test]
    fn a_stalled_connection_takes_no_room_from_others() {
        let mut queue = Queue::new(Dispatch::Each, 2);
        assert!((0..MAX_WAITING).all(|_| queue.push(0, 1)));
        assert!(queue.push(1, 1), "nothing waits for it");
        assert!(!queue.push(1, 1) && !queue.push(0, 1));
        assert_eq!((queue.pop(1), queue.push(1, 1)), (Some(1), true));
    }
}
