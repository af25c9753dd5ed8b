//! What the sessions of a case have been through.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use common::CloseReason;

/// What the sessions of a case have been through.
#[derive(Default)]
pub(crate) struct Journal {
    entries: Mutex<Entries>,
    changed: Condvar,
}

/// The events of all sessions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Entries {
    /// The number of open sessions.
    pub(crate) present: usize,
    /// The maximum number of sessions that were open at once.
    pub(crate) max_present: usize,
    /// The number of answered messages.
    pub(crate) answered: usize,
    /// The reasons why sessions were closed, in order.
    pub(crate) closed: Vec<CloseReason>,
}

impl Journal {
    /// Records an event.
    pub(crate) fn record(&self, happened: impl FnOnce(&mut Entries)) {
        happened(&mut self.entries());
        self.changed.notify_all();
    }

    /// The events so far.
    pub(crate) fn read(&self) -> Entries {
        self.entries().clone()
    }

    /// Waits until `condition` holds.
    pub(crate) fn wait_until(&self, timeout: Duration, condition: impl Fn(&Entries) -> bool) -> Entries {
        let waited = self.changed.wait_timeout_while(self.entries(), timeout, |entries| !condition(entries));
        let entries = waited.unwrap_or_else(PoisonError::into_inner).0.clone();
        assert!(condition(&entries), "the expected event does not happen: {entries:?}");
        entries
    }

    /// Checks that no more sessions are closed for a short time.
    pub(crate) fn assert_unchanged(&self) {
        let closed = self.entries().closed.len();
        let waited =
            self.changed.wait_timeout(self.entries(), A_MOMENT).unwrap_or_else(PoisonError::into_inner);
        assert_eq!(waited.0.closed.len(), closed, "`closed` was called twice for a session");
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const A_MOMENT: Duration = Duration::from_millis(50);
