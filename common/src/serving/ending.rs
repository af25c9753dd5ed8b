//! How the accepting has ended, and what has failed.

use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// How the accepting has ended, and what has failed.
#[derive(Default)]
pub(super) struct Ending {
    told: Mutex<Told>,
    changed: Condvar,
}

#[derive(Default)]
struct Told {
    ended: Option<io::Result<()>>,
    failure: Option<io::Error>,
}

impl Ending {
    /// The accepting has ended. What is told first counts.
    pub(super) fn tell(&self, ended: io::Result<()>) {
        self.told().ended.get_or_insert(ended);
        self.changed.notify_all();
    }

    /// Something has failed that the server can't do without.
    pub(super) fn fail(&self, error: io::Error) {
        self.told().failure.get_or_insert(error);
        self.changed.notify_all();
    }

    /// Waits until the accepting has ended, or something has failed.
    pub(super) fn wait(&self) {
        let goes_on = |told: &mut Told| told.ended.is_none() && told.failure.is_none();
        drop(self.changed.wait_while(self.told(), goes_on));
    }

    /// How it came to this: the failure, which is the cause of what came with it, or else how the accepting has ended.
    pub(super) fn cause(&self) -> io::Result<()> {
        let mut told = self.told();
        match told.failure.take() {
            Some(error) => Err(error),
            None => told.ended.take().unwrap_or(Ok(())),
        }
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
