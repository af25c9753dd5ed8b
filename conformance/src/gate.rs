//! A gate at which handlers wait until the case opens it.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// A gate at which handlers wait. It opens when the case opens it or ends.
#[derive(Default)]
pub(crate) struct Gate(Arc<GateHandle>);

/// The handlers' side of a [`Gate`].
#[derive(Default)]
pub(crate) struct GateHandle {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    open: bool,
    waiting: usize,
}

impl Gate {
    /// The handlers' side.
    pub(crate) fn handle(&self) -> Arc<GateHandle> {
        Arc::clone(&self.0)
    }

    /// Blocks until `count` handlers wait at the gate.
    pub(crate) fn wait_for(&self, count: usize, timeout: Duration) {
        let state = self.0.state();
        let waited = self.0.changed.wait_timeout_while(state, timeout, |state| state.waiting < count);
        let waiting = waited.unwrap_or_else(PoisonError::into_inner).0.waiting;
        assert!(waiting >= count, "{waiting} handlers wait at the gate, not {count}");
    }

    /// The number of handlers that wait at the gate.
    pub(crate) fn waiting(&self) -> usize {
        self.0.state().waiting
    }

    /// Blocks until a handler waits at the gate or `otherwise` holds. Returns whether a handler waits.
    pub(crate) fn wait_for_any(&self, otherwise: impl Fn() -> bool, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        while Instant::now() < deadline && !otherwise() {
            if self.0.state().waiting > 0 {
                return true;
            }
            thread::sleep(Duration::from_millis(1));
        }
        assert!(otherwise(), "no handler has reached the gate");
        false
    }

    /// Opens the gate for all waiting and later handlers.
    pub(crate) fn open(&self) {
        self.0.state().open = true;
        self.0.changed.notify_all();
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.open();
    }
}

impl GateHandle {
    /// Waits until the gate is open.
    pub(crate) fn pass(&self) {
        let mut state = self.state();
        state.waiting += 1;
        self.changed.notify_all();
        let state = self.changed.wait_while(state, |state| !state.open);
        state.unwrap_or_else(PoisonError::into_inner).waiting -= 1;
        self.changed.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
