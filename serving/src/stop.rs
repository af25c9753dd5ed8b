//! A handle that stops servers.

use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::published::Published;

/// A handle that stops the servers that run with a clone of it. Any thread can request the stop, and any task can
/// [await](Self::requested) the request.
///
/// ```
/// use anyloop::Stop;
/// use anyloop::stop::Urgency;
///
/// let stop = Stop::new();
/// let other = stop.clone();
/// std::thread::spawn(move || other.drain()).join().unwrap();
/// assert_eq!(stop.urgency(), Urgency::Drain);
/// stop.now();
/// assert_eq!(stop.urgency(), Urgency::Now);
/// stop.drain(); // it never becomes less urgent
/// assert_eq!(stop.urgency(), Urgency::Now);
/// ```
#[derive(Clone, Default)]
pub struct Stop {
    shared: Arc<Shared>,
    /// Where a server that runs with this clone publishes what it counts.
    published: Option<Arc<Published>>,
}

#[derive(Default)]
struct Shared {
    requested: AtomicU8,
    wakers: Mutex<Vec<(Arc<()>, Waker)>>,
}

/// How urgently the servers are asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Urgency {
    /// Not at all.
    None,
    /// They serve no new clients, answer the input that has arrived, and end by the drain deadline.
    Drain,
    /// They cut all clients and end.
    Now,
}

impl Stop {
    /// A handle that has not been used yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A clone for a server that publishes what it counts there.
    pub(crate) fn publishing(&self, published: &Arc<Published>) -> Self {
        Self { shared: Arc::clone(&self.shared), published: Some(Arc::clone(published)) }
    }

    /// Where a server that runs with this clone publishes what it counts.
    pub(crate) fn published(&self) -> Option<Arc<Published>> {
        self.published.clone()
    }

    /// Asks the servers to drain and end, as described at [`Backend::serve`](crate::Backend::serve).
    pub fn drain(&self) {
        self.request(Urgency::Drain);
    }

    /// Asks the servers to cut all clients and end.
    pub fn now(&self) {
        self.request(Urgency::Now);
    }

    /// The most urgent request so far.
    pub fn urgency(&self) -> Urgency {
        match self.shared.requested.load(Ordering::SeqCst) {
            0 => Urgency::None,
            1 => Urgency::Drain,
            _ => Urgency::Now,
        }
    }

    /// Wakes `waker` at each request, until the registration is dropped.
    pub fn register(&self, waker: Waker) -> Registration {
        let key = Arc::new(());
        self.wakers().push((Arc::clone(&key), waker));
        Registration { stop: self.clone(), key }
    }

    /// A future that completes when a stop is requested, with any urgency. It needs no runtime.
    pub fn requested(&self) -> Requested {
        Requested { stop: self.clone(), registration: None }
    }

    fn request(&self, urgency: Urgency) {
        self.shared.requested.fetch_max(urgency as u8, Ordering::SeqCst);
        let wakers: Vec<_> = self.wakers().iter().map(|(_, waker)| waker.clone()).collect();
        wakers.iter().for_each(Waker::wake_by_ref);
    }

    fn wakers(&self) -> std::sync::MutexGuard<'_, Vec<(Arc<()>, Waker)>> {
        self.shared.wakers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Stop").field(&self.urgency()).finish()
    }
}

/// The future that [`Stop::requested`] returns.
#[derive(Debug)]
#[must_use = "a future does nothing unless it is polled"]
pub struct Requested {
    stop: Stop,
    registration: Option<(Waker, Registration)>,
}

impl Future for Requested {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let registered = self.registration.as_ref().is_some_and(|(waker, _)| waker.will_wake(cx.waker()));
        if !registered {
            let waker = cx.waker();
            self.registration = Some((waker.clone(), self.stop.register(waker.clone())));
        }
        // Checked after registering: an earlier request has not woken this task.
        if self.stop.urgency() == Urgency::None { Poll::Pending } else { Poll::Ready(()) }
    }
}

/// Keeps a waker registered with a [`Stop`] until it is dropped. [`Stop::register`] returns it.
#[derive(Debug)]
pub struct Registration {
    stop: Stop,
    key: Arc<()>,
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.stop.wakers().retain(|(key, _)| !Arc::ptr_eq(key, &self.key));
    }
}
