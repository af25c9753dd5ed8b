//! The trait of a backend, and what a backend says of itself.

use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;

use crate::{Listener, Report, Stop};
use common::Service;

/// A way to serve many clients: one of the concurrency models.
///
/// A backend moves bytes and waits. It inspects no byte and compares no length with a limit: what happens
/// to a connection is decided by [`Conversation`](crate::Conversation), and who is let in by
/// [`Acceptor`](crate::Acceptor).
///
/// [`start`](crate::start) has one serve, and a `&dyn Backend` is one too, so that it can be chosen while a program runs:
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
    /// Its name, as the flag `--backend` takes it.
    fn name(&self) -> &'static str;

    /// What it can do and what it can't.
    fn capabilities(&self) -> Capabilities;

    /// Serves until `stop` is pressed and everybody has been drained, and says what became of them. The
    /// caller's thread is kept until then, but not beyond the drain deadline, even if a handler still runs.
    ///
    /// **After a clean drain, in which nobody was [cut](common::Outcome::Cut), what was not answered was not handled**: a
    /// client that was told `ERR shutting-down`, or saw the end, may send what got no reply again elsewhere.
    ///
    /// The listener, which was bound by somebody else, is closed and never shut down: it may have
    /// duplicates that others listen on. Clients that are in its backlog are accepted and told that the server stops,
    /// unless [somebody else](Service::shared_listener) goes on to accept them.
    ///
    /// # Errors
    /// If the service asks for what this backend can't do (`InvalidInput`), if the system has no thread or
    /// descriptor to begin with, or if the listener breaks; in that case after a drain.
    fn serve(&self, listener: Listener, service: Arc<Service>, stop: &Stop) -> io::Result<Report>;
}

/// What refers to a backend is one too.
macro_rules! refer {
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

refer!(&B, Box<B>, Arc<B>);

/// What a backend can do. The conformance kit tests what is said here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// Its model, in a few words.
    pub model: &'static str,
    /// The most connections that it can hold at once, if it is the backend that bounds them.
    pub max_connections: Option<usize>,
    /// What its threads are.
    pub workers: Workers,
    /// Where a handler runs that may block.
    pub blocking_handlers: BlockingHandlers,
    /// Why it should not be chosen for something new.
    pub legacy: Option<&'static str>,
}

/// What a backend's threads are, and so what `--workers` and `--stack-size` mean to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Workers {
    /// One thread is all there is.
    Caller,
    /// Each connection has its own.
    PerConnection,
    /// As many as are asked for.
    Chosen,
    /// As many as this environment variable said when the process first used the runtime.
    Environment(&'static str),
    /// Those of a runtime that the program has made.
    Runtime,
}

/// How many threads are to work for a service: as many as it asks for, or else the cores.
pub fn worker_count(service: &Service) -> usize {
    match service.workers {
        Some(count) => count.get(),
        None => thread::available_parallelism().map_or(1, NonZeroUsize::get),
    }
}

/// Where a handler runs that may block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BlockingHandlers {
    /// On the connection's own thread: nobody else waits for it.
    OwnThread,
    /// On a worker, which serves nobody else meanwhile: as many at once as there are workers.
    OnWorker,
    /// On threads made for it, so that the workers go on: as many at once as the service
    /// [says](Service::blocking_threads). Beyond that a call waits, and holds up nobody but its own client.
    Offloaded,
}

impl Capabilities {
    /// Those of a backend of this model, in a few words, which bounds its connections by nothing of its own.
    pub const fn new(model: &'static str, workers: Workers, blocking_handlers: BlockingHandlers) -> Self {
        Self { model, max_connections: None, workers, blocking_handlers, legacy: None }
    }

    /// The same, of a backend that can hold so many connections at once.
    pub const fn with_max_connections(self, most: usize) -> Self {
        Self { max_connections: Some(most), ..self }
    }

    /// The same, of a backend that should not be chosen for something new, and why.
    pub const fn with_legacy(self, why: &'static str) -> Self {
        Self { legacy: Some(why), ..self }
    }

    /// Whether a service asks for what this backend can't do.
    ///
    /// # Errors
    /// What it asks for, why that can't be, and what to do instead.
    pub fn check(&self, name: &str, service: &Service) -> Result<(), String> {
        match self.workers {
            Workers::Chosen => {}
            _ if service.workers.is_none() => {}
            Workers::Caller => {
                return Err(format!("{name} works on one thread alone; leave out --workers"));
            }
            Workers::PerConnection => {
                return Err(format!(
                    "{name} has a thread for each connection; leave out --workers, and bound the threads \
                     with --max-connections"
                ));
            }
            Workers::Environment(variable) => {
                return Err(format!(
                    "{name} takes its number of threads from the environment alone; leave out --workers, and \
                     set {variable} instead"
                ));
            }
            Workers::Runtime => {
                return Err(format!(
                    "{name} works on the threads of the runtime that it was given; leave out --workers, and set \
                     the number where that runtime is built"
                ));
            }
        }
        if service.blocking_threads.is_some() && self.blocking_handlers != BlockingHandlers::Offloaded {
            let place = match self.blocking_handlers {
                BlockingHandlers::OwnThread => "the thread of their connection",
                BlockingHandlers::OnWorker | BlockingHandlers::Offloaded => "its workers",
            };
            return Err(format!("{name} calls handlers that block on {place}; leave out --blocking-threads"));
        }
        if service.stack_size.is_some() && self.workers != Workers::PerConnection {
            return Err(format!("{name} has no thread for each connection; leave out --stack-size"));
        }
        Ok(())
    }
}
