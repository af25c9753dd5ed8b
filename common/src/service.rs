//! The configuration of a server.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;

use crate::{
    Address, Application, Blocking, Client, ErrorReply, Framing, Handler, Limits, MAX_READ, MAX_RECORD,
    Outbox, Preamble, Protocol, Transform, guard::Guarded, guarded,
};

/// Creates the [`Transform`] of a client, which is called after the [`Preamble`] was read. For a refused client it gets
/// no information. It must not block.
pub type MakeTransform = Arc<dyn Fn(&Client) -> Box<dyn Transform> + Send + Sync>;

/// Creates the [`Preamble`] of a client. It must not block.
pub type MakePreamble = Arc<dyn Fn() -> Box<dyn Preamble> + Send + Sync>;

/// Checks the first input of a client, from the given address. An error is sent to the client, and the conversation ends
/// as [`HandshakeFailed`](crate::CloseReason::HandshakeFailed). It must not block. Set by
/// [`Service::with_first_input_check`].
pub type FirstInputCheck = Arc<dyn Fn(&Address, &[u8]) -> Result<(), ErrorReply> + Send + Sync>;

/// Whether what a service depends on is available, such as an [exchange](crate::Exchange::is_ready). It must not block.
/// Set by [`Service::with_ready_check`].
pub type ReadyCheck = Arc<dyn Fn() -> bool + Send + Sync>;

/// The configuration of a server: an application, the limits on its clients, and the number of threads.
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
    /// The application to serve.
    pub application: Arc<dyn Application>,
    /// The limits on clients.
    pub limits: Limits,
    /// The number of worker threads; `None` for the default of the backend, which is the number of cores.
    pub workers: Option<NonZeroUsize>,
    /// The stack size, in bytes, of a thread that serves one client; `None` for the default of the backend.
    pub stack_size: Option<NonZeroUsize>,
    /// The maximum number of concurrent calls that [may block](crate::Blocking::MayBlock), on backends with threads for
    /// them; `None` for 512.
    pub blocking_threads: Option<NonZeroUsize>,
    /// Whether another server continues to accept from the same listener when this one stops. If so, the clients in the
    /// backlog are left to it; otherwise they are accepted and refused with [`ErrorReply::ShuttingDown`].
    pub shared_listener: bool,
    /// Creates the transform of each client, if there is one.
    pub transform: Option<MakeTransform>,
    /// Creates the preamble of each client, if there is one.
    pub preamble: Option<MakePreamble>,
    /// Checks the first input of each client, if it is to be checked.
    pub first_input_check: Option<FirstInputCheck>,
    /// Determines whether the server is ready, if it depends on anything.
    pub ready_check: Option<ReadyCheck>,
}

impl Service {
    /// A service with default limits and one worker per core.
    pub fn new(application: Arc<dyn Application>) -> Self {
        Self {
            application: Arc::new(Guarded::new(application)),
            limits: Limits::default(),
            workers: None,
            stack_size: None,
            blocking_threads: None,
            shared_listener: false,
            transform: None,
            preamble: None,
            first_input_check: None,
            ready_check: None,
        }
    }

    /// A service that serves `handler` in one of the built-in framings.
    pub fn framed(handler: Arc<dyn Handler>, framing: Framing) -> Self {
        Self::new(framing.application(handler))
    }

    /// Sets the limits on clients.
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Sets the [number of worker threads](Self::workers); `None` for the default of the backend.
    pub fn with_workers(self, workers: impl Into<Option<NonZeroUsize>>) -> Self {
        Self { workers: workers.into(), ..self }
    }

    /// Sets the [stack size](Self::stack_size), in bytes, of a thread that serves one client; `None` for the default of
    /// the backend.
    pub fn with_stack_size(self, stack_size: impl Into<Option<NonZeroUsize>>) -> Self {
        Self { stack_size: stack_size.into(), ..self }
    }

    /// Sets the [maximum number of concurrent calls](Self::blocking_threads) that may block; `None` for 512.
    pub fn with_blocking_threads(self, blocking_threads: impl Into<Option<NonZeroUsize>>) -> Self {
        Self { blocking_threads: blocking_threads.into(), ..self }
    }

    /// Sets whether another server [continues to accept](Self::shared_listener) from the same listener.
    pub fn with_shared_listener(self, shared_listener: bool) -> Self {
        Self { shared_listener, ..self }
    }

    /// Transforms all bytes of the clients. `make` creates a [`Transform`] for each client.
    pub fn with_transform(
        self,
        make: impl Fn(&Client) -> Box<dyn Transform> + Send + Sync + 'static,
    ) -> Self {
        let make = Guarded::new(make);
        Self { transform: Some(Arc::new(move |client: &Client| make(client))), ..self }
    }

    /// Reads a [`Preamble`] before all other input of a client.
    pub fn with_preamble(self, make: impl Fn() -> Box<dyn Preamble> + Send + Sync + 'static) -> Self {
        let make = Guarded::new(make);
        Self { preamble: Some(Arc::new(move || make())), ..self }
    }

    /// Checks the first input of each client that had no [`Preamble`], or whose preamble used none of it, before anything
    /// else receives it: what one read has returned, which may be part of a message or several. It is raw input, that of
    /// a [`Transform`] included. A check recognises a client that speaks another protocol, without delaying what the application sends first.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use anyloop::handlers::Echo;
    /// use anyloop::testing::TestClient;
    /// use anyloop::{ErrorReply, Framing, Service};
    ///
    /// let service = Service::framed(Arc::new(Echo), Framing::Line).with_first_input_check(|_, input| {
    ///     if input.starts_with(b"GET ") { Err(ErrorReply::rejected("this is no HTTP server")) } else { Ok(()) }
    /// });
    /// let mut client = TestClient::connect(service);
    /// client.say("GET / HTTP/1.1\r\n");
    /// assert_eq!(client.heard(), "ERR this is no HTTP server\n");
    /// ```
    pub fn with_first_input_check(
        self,
        check: impl Fn(&Address, &[u8]) -> Result<(), ErrorReply> + Send + Sync + 'static,
    ) -> Self {
        let check = Guarded::new(check);
        Self {
            first_input_check: Some(Arc::new(move |peer: &Address, input: &[u8]| check(peer, input))),
            ..self
        }
    }

    /// Sets what determines whether a running server is ready, for example that an [exchange](crate::Exchange::is_ready) is.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use anyloop::handlers::Echo;
    /// use anyloop::{Exchange, Framing, Service};
    ///
    /// fn service(exchange: Arc<dyn Exchange>) -> Service {
    ///     Service::framed(Arc::new(Echo), Framing::Line).with_ready_check(move || exchange.is_ready())
    /// }
    /// # service(Arc::new(anyloop::LocalExchange::new()));
    /// ```
    pub fn with_ready_check(self, check: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        let check = Guarded::new(check);
        let check = move || check();
        Self { ready_check: Some(Arc::new(check)), ..self }
    }

    /// The maximum size of the buffers of one connection, in bytes: that [of the limits](Limits::memory_bound), and
    /// with a transform that [of the transform](Transform::memory) and of its raw input, which is the longest record
    /// and one more read. By how much sealing lengthens the output is not known, and comes on top.
    pub fn memory_bound(&self) -> usize {
        let limits = self.limits.memory_bound();
        if self.transform.is_none() {
            return limits;
        }
        let transform = self.make_transform(&Client::new(Address::Unknown));
        let memory = transform.and_then(|transform| guarded(move || transform.memory()));
        limits + memory.unwrap_or(0).saturating_add(MAX_RECORD + MAX_READ)
    }

    /// The maximum number of concurrent calls that may block, on backends with threads for them:
    /// [`blocking_threads`](Self::blocking_threads), or else [512](BLOCKING_THREADS).
    pub fn blocking_thread_count(&self) -> usize {
        self.blocking_threads.map_or(BLOCKING_THREADS, NonZeroUsize::get)
    }

    /// The bytes to send to a refused client; empty if the application panics. With a transform, they contain only what
    /// can be sent without a handshake.
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
            let closed = guarded(|| {
                if !transform.is_handshaking() && !out.is_empty() {
                    transform.seal(out.bytes(), &mut sealed);
                }
                transform.close(&mut sealed);
                drop(transform); // a result that is returned past a destructor that panics would leak
            });
            closed.map(|()| sealed)
        });
        let mut refusal = Outbox::new();
        refusal.push(&sealed.unwrap_or_default());
        refusal
    }

    /// Creates the transform of a client. `None` if there is none, or if creating it panicked.
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
        service.field("first_input_check", &self.first_input_check.is_some());
        service.finish_non_exhaustive()
    }
}

impl Application for Guarded<Arc<dyn Application>> {
    fn open(&self, client: Client, limits: &Limits, out: &mut Outbox) -> Box<dyn Protocol> {
        (**self).open(client, limits, out)
    }

    fn refuse(&self, error: &ErrorReply, limits: &Limits, out: &mut Outbox) {
        (**self).refuse(error, limits, out);
    }

    fn blocking(&self) -> Blocking {
        (**self).blocking()
    }
}

/// The default of [`Service::blocking_threads`].
pub const BLOCKING_THREADS: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Replies, Session};

    struct Fragile;

    impl Handler for Fragile {
        fn open(&self, _client: &Client, _out: &mut Replies<'_>) -> Box<dyn Session> {
            panic!("no session is opened")
        }
    }

    impl Drop for Fragile {
        fn drop(&mut self) {
            panic!("the destructor panics");
        }
    }

    /// What each closure of a service may capture.
    fn captured<T>(result: T) -> impl Fn() -> T
    where
        T: Clone,
    {
        let fragile = Fragile;
        move || {
            let _ = &fragile;
            result.clone()
        }
    }

    #[test]
    fn a_destructor_that_panics_ends_no_thread() {
        let service = || Service::framed(Arc::new(Fragile), Framing::Line);
        let [transform, preamble] = [(); 2].map(captured);
        let (check, ready) = (captured(Ok(())), captured(true));
        for service in [
            service(),
            service().with_transform(move |_| panic!("no transform is created: {:?}", transform())),
            service().with_preamble(move || panic!("no preamble is created: {:?}", preamble())),
            service().with_first_input_check(move |_, _| check()),
            service().with_ready_check(ready),
        ] {
            let clone = service.clone();
            drop(service);
            drop(clone);
        }
    }

    #[test]
    fn the_memory_bound_has_room_for_raw_input_whatever_the_transform_says() {
        let service = Service::framed(Arc::new(Fragile), Framing::Line);
        let bound = service.memory_bound();
        let service = service.with_transform(|_| panic!("no transform is created"));
        assert_eq!(service.memory_bound(), bound + MAX_RECORD + MAX_READ);
    }
}
