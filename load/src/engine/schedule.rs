//! The schedule of an open loop: when messages are due on which connection, and which of them wait for it.

use std::collections::VecDeque;

use crate::plan::{Arrivals, Dispatch};

/// The schedule of an open loop: when messages are due, in nanoseconds, and on which connection.
///
/// Each connection has its own schedule. With constant arrivals, the schedules are offset so that messages are due at
/// equal intervals: one schedule that rotates through the connections represents all of them. Independent Poisson
/// arrivals on many connections are equivalent to one Poisson process that assigns each message to a random connection.
#[derive(Debug)]
pub(super) struct Schedule {
    /// The mean interval between two messages, in nanoseconds.
    distance: f64,
    arrivals: Arrivals,
    random: fastrand::Rng,
    /// Not rounded, so that an interval of 1.5 ns is exact on average.
    next: f64,
    places: Vec<usize>,
    /// The next connection in rotation.
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

    /// Advances to the following message. Returns the position of the connection on which the previous one is due.
    pub(super) fn advance(&mut self) -> usize {
        let place = self.places.get(self.turn).copied().unwrap_or(0);
        match self.arrivals {
            Arrivals::Constant => {
                self.next += self.distance;
                self.turn = if self.turn + 1 < self.places.len() { self.turn + 1 } else { 0 };
            }
            Arrivals::Poisson => {
                // The intervals of a Poisson process are exponentially distributed.
                self.next -= self.distance * (1.0 - self.random.f64()).ln();
                self.turn = self.random.usize(..self.places.len().max(1));
            }
        }
        place
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
