//! What ends a wait at the poller.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};

use ::serving::Bell;

/// Ends a wait at the poller. The watchman wakes it when it has marked a client: one for all clients, so that none
/// needs a waker of its own. A thread that needs another one notifies it as well, which is no reason to look for marks:
/// that takes as long as there are clients.
pub(crate) struct Notifier {
    pub(crate) bell: Arc<Bell>,
    marked: AtomicBool,
}

impl Notifier {
    pub(crate) fn new() -> io::Result<Arc<Self>> {
        Ok(Arc::new(Self { bell: Bell::new()?, marked: AtomicBool::new(false) }))
    }

    /// The waker of all clients.
    pub(crate) fn waker(self: &Arc<Self>) -> Waker {
        Waker::from(Arc::clone(self))
    }

    /// Has the poller tell one of those who wait, or who comes next.
    pub(crate) fn notify(&self) {
        self.bell.ring();
    }

    /// To be called by who was told. Returns whether clients were marked since the last time.
    pub(crate) fn answer(&self) -> bool {
        self.bell.silence(); // first: a mark that is set after the look below rings anew
        self.marked.swap(false, Ordering::SeqCst)
    }
}

impl Wake for Notifier {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.marked.store(true, Ordering::SeqCst);
        self.bell.ring();
    }
}
