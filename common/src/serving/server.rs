//! The frame of every `serve`: opened before the first accept, closed after the last.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::core::Service;
use crate::serving::acceptor::Acceptor;
use crate::serving::state::{Phase, State};
use crate::serving::stop::Subscription;
use crate::serving::watchman::Watchman;
use crate::serving::{Backend, Report, Stop, socket};

/// The frame of every `serve`: [`open`](Self::open) it before the first accept, [`close`](Self::close) it
/// after the last. In between, a watchman looks after deadlines and the stop.
pub struct Server {
    state: Arc<State>,
    watchman: JoinHandle<()>,
    dismissed: Arc<AtomicBool>,
    _subscription: Subscription,
}

impl Server {
    /// Prepares the listener and starts the watchman.
    ///
    /// # Errors
    /// If the service asks for what the backend can't do (`InvalidInput`), or if the system has no thread or
    /// no descriptor left.
    pub fn open(
        backend: &dyn Backend,
        listener: &TcpListener,
        service: Arc<Service>,
        stop: &Stop,
    ) -> io::Result<(Self, Acceptor)> {
        let capabilities = backend.capabilities();
        let invalid = |why| io::Error::new(io::ErrorKind::InvalidInput, why);
        capabilities.check(backend.name(), &service).map_err(invalid)?;
        socket::prepare(listener, &service.limits)?;
        let most = capabilities.max_connections.unwrap_or(usize::MAX);
        let max_connections = service.limits.max_connections.min(most);
        let state = State::new(service, max_connections)?;
        let subscription = stop.subscribe(state.bell.waker());
        let dismissed = Arc::new(AtomicBool::new(false));
        let watchman = Watchman::new(Arc::clone(&state), stop.clone(), Arc::clone(&dismissed));
        let watchman = thread::Builder::new().name("watchman".into()).spawn(|| watchman.watch())?;
        let acceptor = Acceptor::new(Arc::clone(&state));
        Ok((Self { state, watchman, dismissed, _subscription: subscription }, acceptor))
    }

    /// As [`close`](Self::close), where a worker accepts: waits until it has dropped the [`Acceptor`]. A worker
    /// that is within a handler is waited for until the drain deadline.
    ///
    /// # Errors
    /// What has broken the listener.
    pub fn close_after_workers(self) -> io::Result<Report> {
        let accepted = self.state.ending.wait();
        self.close(accepted)
    }

    /// Waits until everybody has left, or has been cut off, and closes the books. `accepted` is how the
    /// accept loop ended: with an error, the server stops by itself.
    ///
    /// # Errors
    /// That of the accept loop.
    pub fn close(self, accepted: io::Result<()>) -> io::Result<Report> {
        if accepted.is_err() {
            self.state.fail();
        }
        let mut open = self.state.ledger.open();
        loop {
            // Looked at first, so that those who are cut while it waits have all of the next wait.
            let cut = self.state.phase() == Phase::Cut;
            let still_open = self.state.ledger.wait(PATIENCE);
            if still_open == 0 || (cut && still_open == open) {
                break;
            }
            open = still_open;
        }
        self.dismissed.store(true, Ordering::SeqCst);
        self.state.bell.ring();
        // It ends when nobody lingers, or at the drain deadline. A panic of its own would have been said.
        let _ = self.watchman.join();
        let report = self.state.ledger.close();
        accepted.map(|()| report)
    }
}

/// Conversations that have been cut end by themselves. When none has for so long, those that are left are
/// within a handler, and are not waited for.
const PATIENCE: Duration = Duration::from_millis(100);
