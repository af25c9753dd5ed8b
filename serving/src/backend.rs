//! The trait that backends implement, and their capabilities.

use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;

use crate::{Listener, Report, Stop};
use common::Service;

/// A way to serve many clients: one concurrency model.
///
/// A backend moves bytes and waits. It inspects no byte and compares no length with a limit: a
/// [`Conversation`](crate::Conversation) decides what happens to a connection, and the
/// [`Acceptor`](crate::Acceptor) decides which clients are served.
///
/// A `&dyn Backend` is a backend too, so a program can choose one at run time and pass it to [`start`](crate::start):
///
/// ```
/// use anyloop::{Backend, Threads};
///
/// fn find(name: &str) -> Option<&'static dyn Backend> {
///     let backends: [&dyn Backend; 1] = [&Threads];
///     backends.into_iter().find(|backend| backend.name() == name)
/// }
///
/// assert!(find("threads").is_some());
/// ```
pub trait Backend: Send + Sync {
    /// The name that the flag `--backend` takes.
    fn name(&self) -> &'static str;

    /// What the backend can do.
    fn capabilities(&self) -> Capabilities;

    /// Serves until `stop` is requested and all clients have drained, and returns the final statistics. The call
    /// blocks the caller's thread until then, but not beyond the drain deadline, even if a handler still runs.
    ///
    /// **After a clean drain, in which no client was [cut](common::Outcome::Cut), each unanswered message was also not
    /// handled.** A client that received `ERR shutting-down` or the end of the stream may send such messages to another
    /// server.
    ///
    /// The listener is closed and never shut down, since other processes may listen on duplicates of it. The clients in
    /// its backlog are accepted and receive `ERR shutting-down`, unless
    /// [another process](Service::shared_listener) continues to accept them.
    ///
    /// # Errors
    /// `InvalidInput` if the service asks for something that this backend can't do. An error of the system if the
    /// server can't start a thread or open a descriptor, or if the listener fails; in the latter case after a drain.
    fn serve(&self, listener: Listener, service: Arc<Service>, stop: &Stop) -> io::Result<Report>;
}

/// Implements [`Backend`] for pointers to backends.
macro_rules! forward {
    ($($reference:ty),*) => {$(
        impl<B: Backend + ?Sized> Backend for $reference {
            fn name(&self) -> &'static str {
                (**self).name()
            }

            fn capabilities(&self) -> Capabilities {
                (**self).capabilities()
            }

            fn serve(&self, listener: Listener, service: Arc<Service>, stop: &Stop) -> io::Result<Report> {
                (**self).serve(listener, service, stop)
            }
        }
    )*};
}

forward!(&B, Box<B>, Arc<B>);

/// What a backend can do. The conformance kit tests that it is true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// The concurrency model, in a few words.
    pub model: &'static str,
    /// The most connections that the backend can hold at once, if the backend itself limits them.
    pub max_connections: Option<usize>,
    /// The threads that serve.
    pub workers: Workers,
    /// Where handlers that may block run.
    pub blocking_handlers: BlockingHandlers,
    /// How many bytes of input a connection may hold beyond [`Service::memory_bound`], since the backend had received
    /// them before it was told to stop reading.
    pub read_ahead: usize,
    /// Why new projects should choose another backend, if they should.
    pub legacy: Option<&'static str>,
}

/// The threads of a backend. This decides what `--workers` and `--stack-size` mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Workers {
    /// Only the thread that called [`Backend::serve`].
    Caller,
    /// One thread for each connection.
    PerConnection,
    /// The number of threads that the service asks for.
    Chosen,
    /// The number of threads that this environment variable held when the process first used the runtime.
    Environment(&'static str),
    /// The threads of a runtime that the program created.
    Runtime,
}

/// The number of workers for a service: the number it asks for, or else the number of cores.
pub fn worker_count(service: &Service) -> usize {
    match service.workers {
        Some(count) => count.get(),
        None => thread::available_parallelism().map_or(1, NonZeroUsize::get),
    }
}

/// Where handlers that may block run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BlockingHandlers {
    /// On the thread of the connection. No other client waits.
    OwnThread,
    /// On a worker, which serves no other client meanwhile. As many run at once as there are workers.
    OnWorker,
    /// On dedicated threads, while the workers serve other clients. At most
    /// [`blocking_threads`](Service::blocking_threads) run at once. Further calls wait, and delay only their own clients.
    Offloaded,
}

impl Capabilities {
    /// The capabilities of a backend that doesn't limit its connections. `model` describes it in a few words.
    pub const fn new(model: &'static str, workers: Workers, blocking_handlers: BlockingHandlers) -> Self {
        Self { model, max_connections: None, workers, blocking_handlers, read_ahead: 0, legacy: None }
    }

    /// Sets the most connections that the backend can hold at once.
    pub const fn with_max_connections(self, most: usize) -> Self {
        Self { max_connections: Some(most), ..self }
    }

    /// Sets how many bytes of input a connection may [hold beyond its bound](Self::read_ahead).
    pub const fn with_read_ahead(self, bytes: usize) -> Self {
        Self { read_ahead: bytes, ..self }
    }

    /// Marks the backend as legacy, for this reason.
    pub const fn with_legacy(self, why: &'static str) -> Self {
        Self { legacy: Some(why), ..self }
    }

    /// Checks that the backend `name` can do what a service asks for.
    ///
    /// # Errors
    /// What the service asks for, why the backend can't do it, and what to do instead.
    pub fn check(&self, name: &str, service: &Service) -> Result<(), String> {
        match self.workers {
            Workers::Chosen => {}
            _ if service.workers.is_none() => {}
            Workers::Caller => {
                return Err(format!(
                    "{name} uses a single thread; leave out the number of workers (--workers)"
                ));
            }
            Workers::PerConnection => {
                return Err(format!(
                    "{name} has a thread for each connection; leave out the number of workers (--workers), and limit \
                     the threads with the number of connections (--max-connections)"
                ));
            }
            Workers::Environment(variable) => {
                return Err(format!(
                    "{name} takes its number of threads from the environment only; leave out the number of \
                     workers (--workers), and set {variable} instead"
                ));
            }
            Workers::Runtime => {
                return Err(format!(
                    "{name} uses the threads of an existing runtime; leave out the number of workers (--workers), and \
                     set it where that runtime is built"
                ));
            }
        }
        if service.blocking_threads.is_some() && self.blocking_handlers != BlockingHandlers::Offloaded {
            let place = match self.blocking_handlers {
                BlockingHandlers::OwnThread => "the thread of their connection",
                BlockingHandlers::OnWorker | BlockingHandlers::Offloaded => "its workers",
            };
            return Err(format!(
                "{name} runs blocking handlers on {place}; leave out the number of blocking threads \
                 (--blocking-threads)"
            ));
        }
        if service.stack_size.is_some() && self.workers != Workers::PerConnection {
            return Err(format!(
                "{name} has no thread for each connection; leave out the stack size (--stack-size)"
            ));
        }
        Ok(())
    }
}
