//! The one way to tell a server to stop.

use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;

/// Tells every server that was given a clone of it to stop. It can be pressed from any thread.
#[derive(Clone, Default)]
pub struct Stop(Arc<Shared>);

#[derive(Default)]
struct Shared {
    pressed: AtomicU8,
    wakers: Mutex<Vec<(Arc<()>, Waker)>>,
}

/// How urgently a server is to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
        match self.0.pressed.load(Ordering::SeqCst) {
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

    fn press(&self, urgency: Urgency) {
        self.0.pressed.fetch_max(urgency as u8, Ordering::SeqCst);
        let wakers: Vec<_> = self.wakers().iter().map(|(_, waker)| waker.clone()).collect();
        wakers.iter().for_each(Waker::wake_by_ref);
    }

    fn wakers(&self) -> std::sync::MutexGuard<'_, Vec<(Arc<()>, Waker)>> {
        self.0.wakers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Stop").field(&self.urgency()).finish()
    }
}

/// Keeps a waker subscribed to a [`Stop`].
pub struct Subscription {
    stop: Stop,
    key: Arc<()>,
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.stop.wakers().retain(|(key, _)| !Arc::ptr_eq(key, &self.key));
    }
}
