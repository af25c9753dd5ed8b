//! A poller for systems without epoll, on the `polling` crate.

use std::io;
use std::num::NonZeroUsize;
use std::os::fd::AsFd;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use polling::PollMode;
use serving::{Notifier, Socket};

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
        unsafe { self.poller.add_with_mode(socket, polling::Event::all(key), PollMode::Edge) }
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
            // An end of the input may be behind what has arrived, and has no event of its own.
            key => Event::Client { key, more_input: true },
        }))
    }
}
