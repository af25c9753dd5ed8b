//! The warning about HTTP requests.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyloop::Address;

/// Logs a warning, at most once per [`PAUSE`].
#[derive(Default)]
pub(crate) struct Warning {
    last: Mutex<Option<Instant>>,
}

/// The minimal time between two warnings.
const PAUSE: Duration = Duration::from_secs(60);

impl Warning {
    /// This client has sent an HTTP request.
    pub(crate) fn warn(&self, client: &Address) {
        if self.is_due(Instant::now()) {
            tracing::warn!(%client, "a client sent a request of HTTP, and was sent away: a web page may try to reach the store");
        }
    }

    fn is_due(&self, now: Instant) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = last.is_none_or(|last| now.duration_since(last) >= PAUSE);
        if is_due {
            *last = Some(now);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_given_once_in_a_while() {
        let (warning, start) = (Warning::default(), Instant::now());
        let due = [0, 59, 60, 119, 120].map(|seconds| warning.is_due(start + Duration::from_secs(seconds)));
        assert_eq!(due, [true, false, true, false, true]);
    }
}
