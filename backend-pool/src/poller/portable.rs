//! A poller for systems without epoll, on the `polling` crate. It reports a client once, until the client is rearmed.

use std::io;
use std::num::NonZeroUsize;
use std::os::fd::AsFd;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use polling::PollMode;
use serving::{Notifier, Socket, Wait};

use super::{EVENTS, Event, Poller, WAKEUP};

/// A poller of the `polling` crate.
pub(crate) struct Portable {
    poller: polling::Poller,
    /// Held by a waiting thread, since `polling` lets only one thread wait at a time and returns to others immediately.
    waiting: Mutex<()>,
}

impl Poller for Portable {
    type Events = polling::Events;

    #[expect(unsafe_code, reason = "polling can't tell that a descriptor outlives its registration")]
    fn new(notifier: &Notifier) -> io::Result<Self> {
        let poller = polling::Poller::new()?;
        // Level-triggered, so that it is reported until it is cleared.
        // SAFETY: the owner of the poller also owns the notifier, and drops both together.
        unsafe {
            poller.add_with_mode(&notifier.as_fd(), polling::Event::readable(WAKEUP), PollMode::Level)?
        };
        Ok(Self { poller, waiting: Mutex::new(()) })
    }

    fn events() -> Self::Events {
        polling::Events::with_capacity(const { NonZeroUsize::new(EVENTS).unwrap() })
    }

    #[expect(unsafe_code, reason = "polling can't tell that a socket outlives its registration")]
    fn add(&self, socket: &Socket, key: usize) -> io::Result<()> {
        // SAFETY: a client is removed before its socket is closed, or dropped together with the poller.
        unsafe { self.poller.add(socket, polling::Event::all(key)) }
    }

    fn rearm(&self, socket: &Socket, key: usize, wait: Wait) -> io::Result<()> {
        let (readable, writable) = (wait == Wait::Readable, wait == Wait::Writable);
        self.poller.modify(socket, polling::Event::new(key, readable, writable))
    }

    fn remove(&self, socket: &Socket) {
        let _ = self.poller.delete(socket); // fails only if it is not registered
    }

    fn wait(
        &self,
        events: &mut Self::Events,
        timeout: Option<Duration>,
    ) -> io::Result<impl Iterator<Item = Event>> {
        events.clear();
        // Without a wait the lock is not needed: if another thread waits, that one gets the events.
        let _waiting = timeout.is_none().then(|| self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        self.poller.wait(events, timeout)?;
        Ok(events.iter().map(|event| match event.key {
            WAKEUP => Event::Wakeup,
            // A rearmed client is reported again if its input has ended, so `more_input` isn't needed.
            key => Event::Client { key, more_input: false },
        }))
    }
}
