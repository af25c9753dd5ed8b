//! The result of accepting, and failures that end the server.

use std::io;
use std::sync::PoisonError;
use std::time::Duration;

use common::sync::{Condvar, Mutex, MutexGuard};

/// The result of accepting, and failures that end the server.
#[derive(Default)]
pub(crate) struct Ending {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The result of accepting, once it has ended.
    accepted: Option<io::Result<()>>,
    failure: Option<io::Error>,
    /// Whether all clients were cut.
    cut: bool,
}

impl Ending {
    /// Records the result of accepting. Only the first one counts.
    pub(crate) fn accepting_ended(&self, accepted: io::Result<()>) {
        self.state().accepted.get_or_insert(accepted);
        self.changed.notify_all();
    }

    /// Records the failure of a part that the server depends on. Only the first one counts.
    pub(crate) fn fail(&self, error: io::Error) {
        self.state().failure.get_or_insert(error);
        self.changed.notify_all();
    }

    /// Records that all clients were cut.
    pub(crate) fn cut(&self) {
        self.state().cut = true;
        self.changed.notify_all();
    }

    /// Whether accepting has ended or a part has failed.
    pub(crate) fn has_begun(&self) -> bool {
        let state = self.state();
        state.accepted.is_some() || state.failure.is_some()
    }

    /// Waits until accepting has ended or a part has failed, or for [`ACCEPTOR_TIMEOUT`] after a cut.
    pub(crate) fn wait(&self) {
        let accepts = |state: &mut State| state.accepted.is_none() && state.failure.is_none();
        let state = self.changed.wait_while(self.state(), |state| accepts(state) && !state.cut);
        let state = state.unwrap_or_else(PoisonError::into_inner);
        drop(self.changed.wait_timeout_while(state, ACCEPTOR_TIMEOUT, accepts));
    }

    /// Why the server ended: the failure, or else the result of accepting. A thread that fails drops its acceptor before it
    /// reports the failure, so this waits for that report, for `timeout` at most.
    pub(crate) fn cause(&self, timeout: Duration) -> io::Result<()> {
        let is_unexplained =
            |state: &mut State| state.failure.is_none() && matches!(state.accepted, Some(Err(_)));
        let waited = self.changed.wait_timeout_while(self.state(), timeout, is_unexplained);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        match state.failure.take() {
            Some(error) => Err(error),
            None => state.accepted.take().unwrap_or(Ok(())),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const ACCEPTOR_TIMEOUT: Duration = Duration::from_millis(200);
/// How long the report of a failure may take after the acceptor was dropped.
pub(crate) const FAILURE_TIMEOUT: Duration = Duration::from_millis(200);

/// For shuttle: `RUSTFLAGS="--cfg shuttle" cargo test -p anyloop-serving --lib models`.
#[cfg(all(test, shuttle))]
mod models {
    use std::sync::Arc;

    use shuttle::thread;

    use super::*;

    /// A server that waits for its end learns of it, and a failure explains the end of accepting, in any order.
    #[test]
    fn the_end_is_seen_and_the_failure_is_its_cause() {
        let model = || {
            let ending = Arc::new(Ending::default());
            let (failing, accepting) = (Arc::clone(&ending), Arc::clone(&ending));
            thread::spawn(move || failing.fail(io::Error::other("a worker")));
            thread::spawn(move || accepting.accepting_ended(Err(io::Error::other("the acceptor"))));
            ending.wait();
            assert_eq!(ending.cause(FAILURE_TIMEOUT).unwrap_err().to_string(), "a worker");
        };
        shuttle::check_random(model, 20_000);
    }
}
