//! What a backend is given to serve.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;

use crate::{
    Address, Application, Client, ErrorReply, Framing, Handler, Limits, MAX_READ, MAX_RECORD, Outbox,
    Preamble, Transform, guarded,
};

/// Makes the [`Transform`] of a client, as it is known after the [`Preamble`]; of one that is refused nothing is known. It
/// must not take long.
pub type MakeTransform = Arc<dyn Fn(&Client) -> Box<dyn Transform> + Send + Sync>;

/// Makes the [`Preamble`] of a client. It must not take long.
pub type MakePreamble = Arc<dyn Fn() -> Box<dyn Preamble> + Send + Sync>;

/// What a backend is given to serve: an application, the limits on its clients, and the means.
///
/// ```
/// use std::num::NonZeroUsize;
/// use std::sync::Arc;
///
/// use anyloop::handlers::Echo;
/// use anyloop::{Framing, Limits, Service};
///
/// let service = Service::framed(Arc::new(Echo), Framing::Line)
///     .with_limits(Limits::default().with_max_connections(100))
///     .with_workers(NonZeroUsize::new(2));
/// assert_eq!(service.limits.max_connections, 100);
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Service {
    /// What is served.
    pub application: Arc<dyn Application>,
    /// What a client may cost.
    pub limits: Limits,
    /// How many threads are to work; `None` leaves it to the backend, which takes the number of cores.
    pub workers: Option<NonZeroUsize>,
    /// The stack, in bytes, of a thread that serves one client; `None` leaves it to the backend.
    pub stack_size: Option<NonZeroUsize>,
    /// How many calls of handlers that [may block](crate::Blocking::MayBlock) run at once, on a backend that has
    /// threads for them; `None` is 512.
    pub blocking_threads: Option<NonZeroUsize>,
    /// Whether somebody else goes on to accept from the same listener when this server stops: the clients in its
    /// backlog are then left to them. Otherwise they are accepted, and told that the server stops.
    pub shared_listener: bool,
    /// What makes the transform of each client's bytes, if they are transformed.
    pub transform: Option<MakeTransform>,
    /// What makes that which reads what comes before a client's first byte, if something does.
    pub preamble: Option<MakePreamble>,
}

impl Service {
    /// A service with the default limits, on as many workers as there are cores.
    pub fn new(application: Arc<dyn Application>) -> Self {
        Self {
            application,
            limits: Limits::default(),
            workers: None,
            stack_size: None,
            blocking_threads: None,
            shared_listener: false,
            transform: None,
            preamble: None,
        }
    }

    /// A service that serves `handler` in one of the built-in framings.
    pub fn framed(handler: Arc<dyn Handler>, framing: Framing) -> Self {
        Self::new(framing.application(handler))
    }

    /// Sets what a client may cost.
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Sets how many [threads are to work](Self::workers); `None` leaves it to the backend.
    pub fn with_workers(self, workers: impl Into<Option<NonZeroUsize>>) -> Self {
        Self { workers: workers.into(), ..self }
    }

    /// Sets the [stack](Self::stack_size), in bytes, of a thread that serves one client; `None` leaves it to the backend.
    pub fn with_stack_size(self, stack_size: impl Into<Option<NonZeroUsize>>) -> Self {
        Self { stack_size: stack_size.into(), ..self }
    }

    /// Sets how many calls of handlers that may block [run at once](Self::blocking_threads); `None` is 512.
    pub fn with_blocking_threads(self, blocking_threads: impl Into<Option<NonZeroUsize>>) -> Self {
        Self { blocking_threads: blocking_threads.into(), ..self }
    }

    /// Sets whether somebody else [goes on to accept](Self::shared_listener) from the same listener.
    pub fn with_shared_listener(self, shared_listener: bool) -> Self {
        Self { shared_listener, ..self }
    }

    /// Has all bytes of its clients transformed: each client has a [`Transform`] of its own.
    pub fn with_transform(
        self,
        make: impl Fn(&Client) -> Box<dyn Transform> + Send + Sync + 'static,
    ) -> Self {
        Self { transform: Some(Arc::new(make)), ..self }
    }

    /// Has a [`Preamble`] read before anything else that a client sends.
    pub fn with_preamble(self, make: impl Fn() -> Box<dyn Preamble> + Send + Sync + 'static) -> Self {
        Self { preamble: Some(Arc::new(make)), ..self }
    }

    /// The most bytes that one connection can come to hold: [that of the limits](Limits::memory_bound), and with a
    /// transform what [it holds](Transform::memory) and its raw input, the longest record and one read behind it.
    pub fn memory_bound(&self) -> usize {
        let transform = self.make_transform(&Client::new(Address::Unknown));
        let memory = transform.and_then(|transform| guarded(move || transform.memory()));
        self.limits.memory_bound() + memory.map_or(0, |memory| memory.saturating_add(MAX_RECORD + MAX_READ))
    }

    /// How many calls of handlers that may block run at once, where a backend has threads for them: as many as were
    /// asked for, or else [512](BLOCKING_THREADS).
    pub fn blocking_thread_count(&self) -> usize {
        self.blocking_threads.map_or(BLOCKING_THREADS, NonZeroUsize::get)
    }

    /// What a client is told that is not served, in bytes as sent; empty if the application panics over it. Through a
    /// transform it is told only what needs no handshake.
    pub fn refusal(&self, error: &ErrorReply) -> Outbox {
        let mut out = Outbox::new();
        if guarded(|| self.application.refuse(error, &self.limits, &mut out)).is_none() {
            out.clear();
        }
        if self.transform.is_none() {
            return out;
        }
        let transform = self.make_transform(&Client::new(Address::Unknown));
        let sealed = transform.and_then(|mut transform| {
            let mut sealed = Vec::new();
            guarded(move || {
                if !transform.is_handshaking() && !out.is_empty() {
                    transform.seal(out.bytes(), &mut sealed);
                }
                transform.close(&mut sealed);
                sealed
            })
        });
        let mut told = Outbox::new();
        told.push(&sealed.unwrap_or_default());
        told
    }

    /// Makes the transform of a client. `None` if there is none, or if that has panicked.
    fn make_transform(&self, client: &Client) -> Option<Box<dyn Transform>> {
        self.transform.as_ref().and_then(|make| guarded(|| make(client)))
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut service = f.debug_struct("Service");
        service.field("limits", &self.limits).field("workers", &self.workers);
        service.field("stack_size", &self.stack_size).field("blocking_threads", &self.blocking_threads);
        service.field("shared_listener", &self.shared_listener);
        service.field("transform", &self.transform.is_some()).field("preamble", &self.preamble.is_some());
        service.finish_non_exhaustive()
    }
}

/// How many threads a server has for handlers that block, unless the service asks for another number.
pub const BLOCKING_THREADS: usize = 512;
