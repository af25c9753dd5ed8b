//! How the accept loop of a worker ends, for the server that waits for it.

use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::Wake;

/// How the accept loop of a worker has ended. The server waits for it or for the stop, whatever comes first: the
/// worker may be within a handler, for whom nobody waits.
#[derive(Clone, Default)]
pub struct Ending(Arc<Shared>);

#[derive(Default)]
struct Shared {
    ended: Mutex<Option<io::Result<()>>>,
    told: Condvar,
}

impl Ending {
    /// Tells it, if nobody has yet.
    pub fn tell(&self, ended: io::Result<()>) {
        let mut slot = self.0.ended.lock().unwrap_or_else(PoisonError::into_inner);
        slot.get_or_insert(ended);
        self.0.told.notify_all();
    }

    /// What wakes who waits for it.
    pub(super) fn waker(&self) -> std::task::Waker {
        Arc::new(Told(self.clone())).into()
    }

    /// Waits for it.
    pub(super) fn wait(&self) -> io::Result<()> {
        let slot = self.0.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let told = self.0.told.wait_while(slot, |ended| ended.is_none());
        told.unwrap_or_else(PoisonError::into_inner).take().unwrap_or(Ok(()))
    }
}

struct Told(Ending);

impl Wake for Told {
    fn wake(self: Arc<Self>) {
        self.0.tell(Ok(()));
    }
}
