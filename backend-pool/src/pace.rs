//! How long clients are served for.

use std::time::{Duration, Instant};

/// Whether handlers take so long that a client had better be served by a worker that has to be woken than wait for
/// one that is at work.
#[derive(Default)]
pub(crate) struct Pace(u8);

/// Serving a client for longer than this is slow: some times what it costs to wake a worker.
const SLOW: Duration = Duration::from_micros(100);

/// One slow round may be the scheduler's doing.
const SLOW_ROUNDS: u8 = 2;
const MOST_ROUNDS: u8 = 4;

impl Pace {
    /// Whether handlers are slow.
    pub(crate) fn is_slow(&self) -> bool {
        self.0 >= SLOW_ROUNDS
    }

    /// So many clients were served since that time.
    pub(crate) fn note(&mut self, served: u32, since: Instant) {
        if served == 0 {
            return;
        }
        if since.elapsed() / served > SLOW {
            self.0 = (self.0 + 1).min(MOST_ROUNDS);
        } else {
            self.0 = self.0.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handlers_are_slow_after_two_slow_rounds_and_quick_again_after_quick_ones() {
        let mut pace = Pace::default();
        let long_ago = Instant::now().checked_sub(Duration::from_secs(1)).expect("a second ago");
        pace.note(0, long_ago);
        pace.note(1, long_ago);
        assert!(!pace.is_slow());
        pace.note(100, long_ago);
        assert!(pace.is_slow());
        (0..10).for_each(|_| pace.note(1, long_ago));
        (0..3).for_each(|_| pace.note(100_000, long_ago));
        assert!(!pace.is_slow());
    }
}
