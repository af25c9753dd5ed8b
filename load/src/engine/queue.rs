//! The messages of an open loop that are due and wait for a connection.

use std::collections::VecDeque;

use crate::plan::Dispatch;

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
