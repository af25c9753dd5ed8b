//! The frame of every `serve`: opened before the first accept, closed after the last.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::acceptor::Acceptor;
use crate::maintenance::Maintenance;
use crate::state::{Phase, State};
use crate::stop::Subscription;
use crate::{Backend, Clock, Listener, Report, Stop, descriptors};
use common::Service;

/// The frame of every `serve`: [`open`](Self::open) it before the first accept, [`close`](Self::close) it
/// after the last. In between, a maintenance thread looks after deadlines and the stop.
///
/// A server that is dropped instead cuts everybody off, and then ends in the same way: it waits until they have left,
/// though not for handlers, counts those who are left as cut, and ends its maintenance thread.
#[derive(Debug)]
pub struct Server {
    state: Arc<State>,
    maintenance: Option<JoinHandle<()>>,
    finishing: Arc<AtomicBool>,
    _subscription: Subscription,
}

/// The stack of a thread on which sessions are called, in bytes. A session may use half of it. Pages that are not
/// touched cost nothing.
pub const STACK_SIZE: usize = 2 * 1024 * 1024;

/// How many descriptors a server needs to begin with, beyond those of its clients: those of its notifiers
/// and its workers' pollers, or of a runtime.
pub const SERVER_DESCRIPTORS: usize = 16;

impl Server {
    /// Prepares the listener and starts the maintenance thread.
    ///
    /// # Errors
    /// If the service asks for what the backend can't do (`InvalidInput`), or if the system has no thread or
    /// no descriptor left.
    pub fn open(
        backend: &dyn Backend,
        listener: &Listener,
        service: Arc<Service>,
        stop: &Stop,
    ) -> io::Result<(Self, Acceptor)> {
        Self::open_with_clock(backend, listener, service, stop, Clock::default())
    }

    /// As [`open`](Self::open), with another clock than the system's.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with_clock(
        backend: &dyn Backend,
        listener: &Listener,
        service: Arc<Service>,
        stop: &Stop,
        clock: Clock,
    ) -> io::Result<(Self, Acceptor)> {
        let capabilities = backend.capabilities();
        let invalid = |why| io::Error::new(io::ErrorKind::InvalidInput, why);
        capabilities.check(backend.name(), &service).map_err(invalid)?;
        listener.prepare(&service.limits)?;
        // Some runtimes panic where they find none.
        descriptors::ensure(listener, SERVER_DESCRIPTORS)?;
        let most = capabilities.max_connections.unwrap_or(usize::MAX);
        let max_connections = service.limits.max_connections.min(most);
        let state = State::new(service, max_connections, stop.shown(), clock)?;
        let subscription = stop.subscribe(state.notifier.waker());
        let finishing = Arc::new(AtomicBool::new(false));
        let maintenance = Maintenance::new(Arc::clone(&state), stop.clone(), Arc::clone(&finishing));
        let maintenance = thread::Builder::new().name("maintenance".into()).spawn(|| maintenance.run())?;
        let acceptor = Acceptor::new(Arc::clone(&state), listener.address()?);
        Ok((Self { state, maintenance: Some(maintenance), finishing, _subscription: subscription }, acceptor))
    }

    /// Waits until the [`Acceptor`] was dropped and everybody has left, or has been cut off, and ends the counting.
    /// `served` is how the backend's own part ended: with an error, the server stops by itself, and doesn't wait for the
    /// acceptor. A worker that is
    /// within a handler is waited for until the drain deadline.
    ///
    /// # Errors
    /// That of the backend's own part, or what has broken the listener or ended a worker.
    pub fn close(mut self, served: io::Result<()>) -> io::Result<Report> {
        self.end(served)
    }

    fn end(&mut self, served: io::Result<()>) -> io::Result<Report> {
        match served {
            Ok(()) => self.state.ending.wait(),
            Err(_) => self.state.fail(), // nobody accepts, though the acceptor may still be there
        }
        let mut open = self.state.open();
        loop {
            // Looked at first, so that those who are cut while it waits have all of the next wait.
            let cut = self.state.phase() == Phase::Cut;
            let still_open = self.state.wait_until_empty(PATIENCE);
            if still_open == 0 || (cut && still_open == open) {
                break;
            }
            open = still_open;
        }
        self.finish();
        let report = self.state.close();
        served.and_then(|()| self.state.ending.cause()).map(|()| report)
    }

    /// What a thread of the backend's tells if it fails, which ends the server.
    pub fn failure(&self) -> Failure {
        Failure(Arc::clone(&self.state))
    }

    /// Waits for the maintenance thread, which ends when no socket lingers, or at the drain deadline.
    fn finish(&mut self) {
        self.state.blocking_threads.close();
        self.finishing.store(true, Ordering::SeqCst);
        self.state.notifier.notify();
        if let Some(maintenance) = self.maintenance.take() {
            let _ = maintenance.join(); // a panic of its own would have been said
        }
    }
}

/// Ends a server with an error.
#[derive(Clone, Debug)]
pub struct Failure(Arc<State>);

impl Failure {
    /// Stops the server, whose [end](Server::close) is this error unless there was one before.
    pub fn report(&self, error: io::Error) {
        let why = error.to_string();
        self.0.ending.fail(error);
        self.0.fail();
        tracing::error!(error = why, "the server stops"); // last: who writes the log may panic
    }

    /// Does the work of this thread. If that fails or panics, the server stops with an error that names the thread.
    pub fn watch(&self, work: impl FnOnce() -> io::Result<()>) {
        let worked = catch_unwind(AssertUnwindSafe(work));
        if let Err(error) = worked.unwrap_or_else(|_| Err(io::Error::other("it has panicked"))) {
            let thread = thread::current();
            let name = thread.name().unwrap_or("of a worker");
            self.report(io::Error::new(error.kind(), format!("the thread {name} has ended: {error}")));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.maintenance.is_some() {
            self.state.enter(Phase::Cut);
            let _ = self.end(Err(io::Error::other("the server was dropped"))); // nobody is told
        }
    }
}

/// Conversations that have been cut end by themselves. When none has for so long, those that are left are
/// within a handler, and are not waited for.
const PATIENCE: Duration = Duration::from_millis(100);
