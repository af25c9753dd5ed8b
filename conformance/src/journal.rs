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

/// How often what has happened.
#[derive(Clone, Debug, Default)]
pub(crate) struct Entries {
    /// How many sessions are open.
    pub(crate) present: usize,
    /// The most that were open at once.
    pub(crate) most: usize,
    /// How many messages were answered.
    pub(crate) answered: usize,
    /// Why sessions were closed, in the order in which they were.
    pub(crate) closed: Vec<CloseReason>,
}

impl Journal {
    /// Enters what has happened.
    pub(crate) fn enter(&self, happened: impl FnOnce(&mut Entries)) {
        happened(&mut self.entries());
        self.changed.notify_all();
    }

    /// What was entered by now.
    pub(crate) fn read(&self) -> Entries {
        self.entries().clone()
    }

    /// Waits until `condition` holds.
    pub(crate) fn waits_until(&self, patience: Duration, condition: impl Fn(&Entries) -> bool) -> Entries {
        let waited = self.changed.wait_timeout_while(self.entries(), patience, |entries| !condition(entries));
        let entries = waited.unwrap_or_else(PoisonError::into_inner).0.clone();
        assert!(condition(&entries), "what was waited for does not happen: {entries:?}");
        entries
    }

    /// Checks that nothing more is entered for a moment.
    pub(crate) fn stays_so(&self) {
        let closed = self.entries().closed.len();
        let waited =
            self.changed.wait_timeout(self.entries(), A_MOMENT).unwrap_or_else(PoisonError::into_inner);
        assert_eq!(waited.0.closed.len(), closed, "a session was told of its end twice");
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const A_MOMENT: Duration = Duration::from_millis(50);
