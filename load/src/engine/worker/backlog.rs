//! Connections to a Unix socket whose backlog is full. It says so at once, where TCP tries again by itself and tells when
//! there is room. So they wait in a queue, whose first is tried after a pause: as long as there is no room for it, there
//! is none for the others, and however many they are, a pause costs one call.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Worker, nanoseconds};
use crate::engine::sources::Attempt;

/// How long it is waited where the backlog has no room.
const PAUSE: Duration = Duration::from_millis(1);

/// Connections that wait for room in the server's backlog.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    /// The place of each, and its number.
    waiting: VecDeque<(usize, u32)>,
    /// When the first is tried.
    due: u64,
}

impl Backlog {
    /// Whether nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Puts a connection behind the others that wait.
    pub(super) fn push(&mut self, place: usize, number: u32, now: u64) {
        if self.is_empty() {
            self.pause(now);
        }
        self.waiting.push_back((place, number));
    }

    /// How long it is until the first is tried.
    pub(super) fn due_in(&self, now: u64) -> Duration {
        Duration::from_nanos(self.due.saturating_sub(now))
    }

    /// Counts its time from a new epoch, which is so much later.
    pub(super) fn shift_epoch(&mut self, later: u64) {
        self.due = self.due.saturating_sub(later);
    }

    fn pause(&mut self, now: u64) {
        self.due = now.saturating_add(nanoseconds(PAUSE));
    }
}

impl Worker<'_> {
    /// Connects those that wait for room in the backlog, as far as there is room and it is time to look.
    pub(super) fn find_room(&mut self) {
        if self.backlog.is_empty() || !self.backlog.due_in(self.now()).is_zero() {
            return;
        }
        while let Some(&(place, number)) = self.backlog.waiting.front() {
            // It may have been given up meanwhile.
            let client = self.clients[place].as_ref();
            let waiting = client.filter(|client| client.number == number && !client.connected);
            let attempt = waiting.map(|client| self.attempt(&client.socket, place));
            if matches!(attempt, Some(Ok(Attempt::Full))) {
                return self.backlog.pause(self.now());
            }
            self.backlog.waiting.pop_front();
            match attempt {
                Some(Ok(Attempt::Connected)) => self.established(place),
                Some(Err(error)) => self.end(place, &error),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_between_two_attempts_however_many_wait() {
        let (mut backlog, pause) = (Backlog::default(), nanoseconds(PAUSE));
        for number in 0..100 {
            backlog.push(number as usize, number, 1000 + u64::from(number));
        }
        assert_eq!(backlog.due_in(1000), PAUSE, "the first sets the time");
        assert_eq!(backlog.due_in(1000 + pause - 1), Duration::from_nanos(1));
        assert_eq!(backlog.due_in(1000 + pause), Duration::ZERO);
        backlog.pause(1000 + pause);
        assert_eq!(backlog.due_in(1000 + pause), PAUSE);
        backlog.shift_epoch(1000);
        assert_eq!(backlog.due_in(pause), PAUSE);
        assert_eq!(backlog.waiting.front(), Some(&(0, 0)));
    }
}
