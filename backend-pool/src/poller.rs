//! The poller that all workers share.
//!
//! A socket is registered once, and its events are edges. On Linux this is epoll, where a wait is one system call. Other systems use
//! the `polling` crate, which doesn't tell whether input has ended or urgent data has arrived, so each event costs another read.

use std::io;
use std::time::Duration;

#[cfg(target_os = "linux")]
use serving::epoll::{Epoll, Events, Interest};
use serving::{Notifier, Socket};

#[cfg(any(test, not(target_os = "linux")))]
mod portable;
#[cfg(test)]
mod tests;

#[cfg(all(test, target_os = "linux"))]
pub(crate) use portable::Portable;
#[cfg(not(target_os = "linux"))]
pub(crate) use portable::Portable as System;
#[cfg(target_os = "linux")]
pub(crate) use serving::epoll::Epoll as System;

/// Reports events. Several threads may wait at once. Each event is reported to one of them.
pub(crate) trait Poller: Send + Sync + Sized + 'static {
    /// A buffer for events.
    type Events;

    /// Creates a poller that reports each notification of `notifier` to one waiting thread.
    fn new(notifier: &Notifier) -> io::Result<Self>;

    fn events() -> Self::Events;

    /// Adds a client. This reports an event, since the socket is writable.
    fn add(&self, socket: &Socket, key: usize) -> io::Result<()>;

    /// Removes a client. Otherwise a lingering socket could report events under the key of another client.
    fn remove(&self, socket: &Socket);

    /// Waits for events until `timeout` has passed, and returns them.
    fn wait(
        &self,
        events: &mut Self::Events,
        timeout: Option<Duration>,
    ) -> io::Result<impl Iterator<Item = Event>>;
}

/// An event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The client with this key is ready. `more_input` is the argument of [`ready`](serving::Conversation::ready).
    Client { key: usize, more_input: bool },
    /// The notifier was notified.
    Wakeup,
}

/// The most events that one wait returns. More would take fewer calls, but fewer leave the rest to other threads.
const EVENTS: usize = 64;

/// The key of the notifier, which belongs to no client.
const WAKEUP: usize = usize::MAX - 1;

#[cfg(target_os = "linux")]
impl Poller for Epoll {
    type Events = Events;

    fn new(notifier: &Notifier) -> io::Result<Self> {
        let epoll = Self::new()?;
        epoll.add(notifier, WAKEUP, Interest::Arrival)?;
        Ok(epoll)
    }

    fn events() -> Events {
        Events::with_capacity(EVENTS)
    }

    fn add(&self, socket: &Socket, key: usize) -> io::Result<()> {
        self.add(socket, key, Interest::Socket)
    }

    fn remove(&self, socket: &Socket) {
        self.remove(socket);
    }

    fn wait(
        &self,
        events: &mut Events,
        timeout: Option<Duration>,
    ) -> io::Result<impl Iterator<Item = Event>> {
        let ready = self.wait(events, timeout)?;
        Ok(ready.map(|ready| match ready.key {
            WAKEUP => Event::Wakeup,
            key => Event::Client { key, more_input: ready.more_input },
        }))
    }
}
