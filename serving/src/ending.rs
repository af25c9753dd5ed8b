//! How the accepting has ended, and what has failed.

use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How the accepting has ended, and what has failed.
#[derive(Default)]
pub(crate) struct Ending {
    told: Mutex<Told>,
    changed: Condvar,
}

#[derive(Default)]
struct Told {
    ended: Option<io::Result<()>>,
    failure: Option<io::Error>,
    /// Whether everybody was cut off, so that nobody is waited for.
    cut: bool,
}

impl Ending {
    /// The accepting has ended. What is told first counts.
    pub(crate) fn tell(&self, ended: io::Result<()>) {
        self.told().ended.get_or_insert(ended);
        self.changed.notify_all();
    }

    /// Something has failed that the server can't do without.
    pub(crate) fn fail(&self, error: io::Error) {
        self.told().failure.get_or_insert(error);
        self.changed.notify_all();
    }

    /// Everybody was cut off.
    pub(crate) fn cut(&self) {
        self.told().cut = true;
        self.changed.notify_all();
    }

    /// Waits until the accepting has ended, or something has failed; at a cut, only a little.
    pub(crate) fn wait(&self) {
        let accepts = |told: &mut Told| told.ended.is_none() && told.failure.is_none();
        let told = self.changed.wait_while(self.told(), |told| accepts(told) && !told.cut);
        let told = told.unwrap_or_else(PoisonError::into_inner);
        drop(self.changed.wait_timeout_while(told, A_LITTLE, accepts));
    }

    /// How it came to this: the failure, which is the cause of what came with it, or else how the accepting has ended. A
    /// thread that fails drops what it has before it can say why, so that is waited for a little.
    pub(crate) fn cause(&self) -> io::Result<()> {
        let unexplained = |told: &mut Told| told.failure.is_none() && matches!(told.ended, Some(Err(_)));
        let waited = self.changed.wait_timeout_while(self.told(), A_LITTLE, unexplained);
        let mut told = waited.unwrap_or_else(PoisonError::into_inner).0;
        match told.failure.take() {
            Some(error) => Err(error),
            None => told.ended.take().unwrap_or(Ok(())),
        }
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const A_LITTLE: Duration = Duration::from_millis(200);
