//! How the accepting has ended, for a server whose workers accept.

use std::io;
use std::sync::{Condvar, Mutex, PoisonError};

/// How the accepting has ended. It is told once.
#[derive(Default)]
pub(super) struct Ending {
    ended: Mutex<Option<io::Result<()>>>,
    told: Condvar,
}

impl Ending {
    pub(super) fn tell(&self, ended: io::Result<()>) {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(ended);
        self.told.notify_all();
    }

    pub(super) fn wait(&self) -> io::Result<()> {
        let slot = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let told = self.told.wait_while(slot, |ended| ended.is_none());
        told.unwrap_or_else(PoisonError::into_inner).take().unwrap_or(Ok(()))
    }
}
