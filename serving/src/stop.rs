//! The one way to tell a server to stop.

use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::statistics::Statistics;

/// Tells every server that was given a clone of it to stop. It can be pressed from any thread, and
/// [waited for](Self::requested) in any task.
///
/// ```
/// use anyloop::Stop;
/// use anyloop::stop::Urgency;
///
/// let stop = Stop::new();
/// let button = stop.clone();
/// std::thread::spawn(move || button.drain()).join().unwrap();
/// assert_eq!(stop.urgency(), Urgency::Drain);
/// stop.now();
/// assert_eq!(stop.urgency(), Urgency::Now);
/// stop.drain(); // it never becomes less urgent
/// assert_eq!(stop.urgency(), Urgency::Now);
/// ```
#[derive(Clone, Default)]
pub struct Stop {
    shared: Arc<Shared>,
    /// Where a server that is given this clone shows its statistics.
    shown: Option<Arc<Mutex<Statistics>>>,
}

#[derive(Default)]
struct Shared {
    pressed: AtomicU8,
    wakers: Mutex<Vec<(Arc<()>, Waker)>>,
}

/// How urgently a server is to stop, as [`Stop::urgency`] tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Urgency {
    /// Not at all: it goes on.
    None,
    /// It lets nobody in, answers what has arrived, and ends by the drain deadline.
    Drain,
    /// It cuts everybody off.
    Now,
}

impl Stop {
    /// One that nobody has pressed.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, for a server that shows its statistics there.
    pub(crate) fn showing(&self, shown: &Arc<Mutex<Statistics>>) -> Self {
        Self { shared: Arc::clone(&self.shared), shown: Some(Arc::clone(shown)) }
    }

    /// Where a server that was given this shows its statistics.
    pub(crate) fn shown(&self) -> Option<Arc<Mutex<Statistics>>> {
        self.shown.clone()
    }

    /// Lets the servers drain and end, as [`Backend::serve`](crate::Backend::serve) promises.
    pub fn drain(&self) {
        self.press(Urgency::Drain);
    }

    /// Ends the servers at once.
    pub fn now(&self) {
        self.press(Urgency::Now);
    }

    /// How urgent it is.
    pub fn urgency(&self) -> Urgency {
        match self.shared.pressed.load(Ordering::SeqCst) {
            0 => Urgency::None,
            1 => Urgency::Drain,
            _ => Urgency::Now,
        }
    }

    /// Wakes `waker` at each press, until the subscription is dropped.
    pub fn subscribe(&self, waker: Waker) -> Subscription {
        let key = Arc::new(());
        self.wakers().push((Arc::clone(&key), waker));
        Subscription { stop: self.clone(), key }
    }

    /// A future that is ready as soon as the stop was pressed, however urgently. It needs no runtime and polls nothing.
    pub fn requested(&self) -> Requested {
        Requested { stop: self.clone(), subscription: None }
    }

    fn press(&self, urgency: Urgency) {
        self.shared.pressed.fetch_max(urgency as u8, Ordering::SeqCst);
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

/// Waits until a [`Stop`] was pressed: what [`Stop::requested`] returns.
#[derive(Debug)]
#[must_use = "a future does nothing unless it is polled"]
pub struct Requested {
    stop: Stop,
    subscription: Option<(Waker, Subscription)>,
}

impl Future for Requested {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let subscribed = self.subscription.as_ref().is_some_and(|(waker, _)| waker.will_wake(cx.waker()));
        if !subscribed {
            let waker = cx.waker();
            self.subscription = Some((waker.clone(), self.stop.subscribe(waker.clone())));
        }
        // Looked at afterwards: a press in between has woken nobody.
        if self.stop.urgency() == Urgency::None { Poll::Pending } else { Poll::Ready(()) }
    }
}

/// Keeps a waker subscribed to a [`Stop`]: what [`Stop::subscribe`] returns.
#[derive(Debug)]
pub struct Subscription {
    stop: Stop,
    key: Arc<()>,
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.stop.wakers().retain(|(key, _)| !Arc::ptr_eq(key, &self.key));
    }
}
