//! A log of the sessions of a case.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use common::CloseReason;

/// A log of the sessions of a case, which the handler writes and the case reads.
#[derive(Default)]
pub(crate) struct SessionLog {
    sessions: Mutex<Sessions>,
    changed: Condvar,
}

/// What has happened to all sessions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sessions {
    /// The number of open sessions.
    pub(crate) open: usize,
    /// The maximum number of sessions that were open at once.
    pub(crate) max_open: usize,
    /// The number of answered messages.
    pub(crate) answered: usize,
    /// The reasons why sessions were closed, in order.
    pub(crate) closed: Vec<CloseReason>,
}

impl SessionLog {
    /// Records an event.
    pub(crate) fn record(&self, event: impl FnOnce(&mut Sessions)) {
        event(&mut self.sessions());
        self.changed.notify_all();
    }

    /// The events so far.
    pub(crate) fn read(&self) -> Sessions {
        self.sessions().clone()
    }

    /// Waits until `condition` holds.
    pub(crate) fn wait_until(&self, timeout: Duration, condition: impl Fn(&Sessions) -> bool) -> Sessions {
        let waited =
            self.changed.wait_timeout_while(self.sessions(), timeout, |sessions| !condition(sessions));
        let sessions = waited.unwrap_or_else(PoisonError::into_inner).0.clone();
        assert!(condition(&sessions), "the expected event does not happen: {sessions:?}");
        sessions
    }

    /// Checks that `closed` was called `count` times, and is not called again for a short time.
    pub(crate) fn assert_closed(&self, count: usize) {
        let is_right = |sessions: &mut Sessions| sessions.closed.len() == count;
        let waited = self.changed.wait_timeout_while(self.sessions(), SILENCE, is_right);
        let closed = waited.unwrap_or_else(PoisonError::into_inner).0.closed.len();
        assert_eq!(closed, count, "`closed` was not called once for each session");
    }

    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long the absence of another call is checked.
const SILENCE: Duration = Duration::from_millis(50);
