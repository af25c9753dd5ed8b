//! The poller that all workers share.
//!
//! On Linux this is epoll itself: a socket is registered once for its whole life, and a look costs one call. The
//! `polling` crate, which does it elsewhere, renews a registration with a call for each message, and makes four calls for
//! each wait.

use std::io;
use std::time::Duration;

#[cfg(target_os = "linux")]
use serving::epoll::{Epoll, Events, Interest};
use serving::{Notifier, Socket, Wait};

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

/// Reports who is ready. Several threads may wait at once: each event is reported to one of them.
pub(crate) trait Poller: Send + Sync + Sized + 'static {
    /// Room for what is reported at once.
    type Events;

    /// A poller that reports each notification of `notifier` to one of the threads that wait, or to the next that waits.
    fn new(notifier: &Notifier) -> io::Result<Self>;

    fn events() -> Self::Events;

    /// Reports what happens to a client from now on, and at once that it can be written to.
    fn add(&self, socket: &Socket, key: usize) -> io::Result<()>;

    /// Goes on to report a client that was reported.
    fn rearm(&self, socket: &Socket, key: usize, wait: Wait) -> io::Result<()>;

    /// Forgets a client. Its socket may be closed much later: an event of its own would be taken for one of the next
    /// client with its key.
    fn remove(&self, socket: &Socket);

    /// Waits until something happens, or `timeout` has passed, and returns what has happened.
    fn wait(
        &self,
        events: &mut Self::Events,
        timeout: Option<Duration>,
    ) -> io::Result<impl Iterator<Item = Event>>;
}

/// What a poller reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The client with this key is ready. With `more_input`, the end of its input or urgent data have come, which may
    /// not be reported again.
    Client { key: usize, more_input: bool },
    /// The notifier was notified.
    Wakeup,
}

/// So many are reported at once: the more, the fewer calls; and the fewer, the sooner others hear of the rest.
const EVENTS: usize = 64;

/// The key of the wake-up descriptor, which is no client's.
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

    fn rearm(&self, _: &Socket, _: usize, _: Wait) -> io::Result<()> {
        Ok(())
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
