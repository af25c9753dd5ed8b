//! The frame of every `serve`: opened before the first accept, and closed after the last.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::acceptor::Acceptor;
use crate::ending::FAILURE_TIMEOUT;
use crate::maintenance::Maintenance;
use crate::state::{Phase, State};
use crate::stop::Registration;
use crate::{Backend, Listener, Notifier, Report, Stop, descriptors};
use common::{Clock, Service, guarded};

/// The frame of every `serve`: [`open`](Self::open) it before the first accept, and [`close`](Self::close) it
/// after the last. In between, a maintenance thread handles deadlines and the stop.
///
/// Dropping a server cuts all clients and then ends it in the same way: the drop waits until the conversations have ended,
/// except for those within a handler, which count as cut, and joins the maintenance thread.
#[derive(Debug)]
pub struct Server {
    state: Arc<State>,
    maintenance: Option<JoinHandle<()>>,
    _registration: Registration,
}

/// The stack size of threads on which sessions are called, in bytes. A session may use half of it. Untouched pages cost
/// nothing.
pub const STACK_SIZE: usize = 2 * 1024 * 1024;

/// How many descriptors a server needs beside those of its clients: for notifiers and the pollers of its workers, or for
/// a runtime.
pub const SERVER_DESCRIPTORS: usize = 16;

impl Server {
    /// Prepares the listener and starts the maintenance thread.
    ///
    /// # Errors
    /// `InvalidInput` if the service asks for something that the backend can't do. An error of the system if it has no
    /// thread or descriptor left.
    pub fn open(
        backend: &dyn Backend,
        listener: &Listener,
        service: Arc<Service>,
        stop: &Stop,
    ) -> io::Result<(Self, Acceptor)> {
        Self::open_with_clock(backend, listener, service, stop, Clock::new(Instant::now))
    }

    /// Like [`open`](Self::open), with a clock other than the system's.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
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
        // Some runtimes panic if they find none.
        descriptors::ensure(listener, SERVER_DESCRIPTORS)?;
        let most = capabilities.max_connections.unwrap_or(usize::MAX);
        let max_connections = service.limits.max_connections.min(most);
        let notifier = Notifier::new()?;
        let state = State::new(service, max_connections, stop.published(), clock, notifier.waker());
        let registration = stop.register(notifier.waker());
        let maintenance = Maintenance::new(Arc::clone(&state), stop.clone(), descriptors::limit());
        let maintenance =
            thread::Builder::new().name("maintenance".into()).spawn(move || maintenance.run(&notifier))?;
        let acceptor = Acceptor::new(Arc::clone(&state), listener.address()?);
        Ok((Self { state, maintenance: Some(maintenance), _registration: registration }, acceptor))
    }

    /// Waits until the [`Acceptor`] was dropped and all conversations have ended, and returns the final statistics. At the
    /// drain deadline it cuts the remaining clients and no longer waits for workers that are within a handler.
    ///
    /// `served` is the result of the backend's own part. If it is an error, the server drains without having been asked to,
    /// and `close` doesn't wait for the acceptor.
    ///
    /// # Errors
    /// The error in `served`, or else the error that broke the listener or ended a worker.
    pub fn close(mut self, served: io::Result<()>) -> io::Result<Report> {
        self.end(served)
    }

    fn end(&mut self, served: io::Result<()>) -> io::Result<Report> {
        match served {
            Ok(()) => self.state.ending.wait(),
            Err(_) => self.state.fail(), // nothing accepts, though the acceptor may still exist
        }
        let mut open = self.state.open();
        loop {
            // Read before the wait, so that clients that are cut during this wait have all of the next one.
            let cut = self.state.phase() == Phase::Cut;
            let still_open = self.state.wait_until_empty(CUT_TIMEOUT);
            if still_open == 0 || (cut && still_open == open) {
                break;
            }
            open = still_open;
        }
        self.finish();
        let report = self.state.close();
        served.and_then(|()| self.state.ending.cause(FAILURE_TIMEOUT)).map(|()| report)
    }

    /// A handle by which the threads of the backend report failures, which end the server.
    pub fn failure(&self) -> Failure {
        Failure::new(&self.state)
    }

    /// Waits for the maintenance thread, which ends when no socket lingers, or at the drain deadline.
    fn finish(&mut self) {
        self.state.finish();
        if let Some(maintenance) = self.maintenance.take() {
            let _ = maintenance.join(); // a panic has been printed already
        }
    }
}

/// Reports failures of the backend's threads, which end the server with an error.
#[derive(Clone, Debug)]
pub struct Failure(Arc<State>);

impl Failure {
    pub(crate) fn new(state: &Arc<State>) -> Self {
        Self(Arc::clone(state))
    }

    /// Stops the server. [`Server::close`] returns this error, unless another was reported before.
    pub fn report(&self, error: io::Error) {
        let why = error.to_string();
        self.0.ending.fail(error);
        self.0.fail();
        tracing::error!(error = why, "the server stops"); // last, since a log subscriber may panic
    }

    /// Runs `work` on this thread. If it fails or panics, the server stops with an error that names the thread.
    pub fn watch(&self, work: impl FnOnce() -> io::Result<()>) {
        if let Err(error) = guarded(work).unwrap_or_else(|| Err(io::Error::other("it panicked"))) {
            let thread = thread::current();
            let name = thread.name().unwrap_or("of a worker");
            self.report(io::Error::new(error.kind(), format!("the thread {name} ended: {error}")));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.maintenance.is_some() {
            self.state.enter(Phase::Cut);
            let _ = self.end(Err(io::Error::other("the server was dropped")));
        }
    }
}

/// Conversations that were cut end by themselves. If none ends for this long, the rest are within handlers, and
/// the server doesn't wait for them.
const CUT_TIMEOUT: Duration = Duration::from_millis(100);
