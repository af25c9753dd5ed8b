//! The `polling` crate, where there is no epoll. It reports a client once, and again when it has been rearmed, if it
//! is ready then.

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
    /// Held by who waits for an event. Of two that wait at once, `polling` sends one away with nothing at once.
    waiting: Mutex<()>,
}

impl Poller for Portable {
    type Events = polling::Events;

    #[expect(unsafe_code, reason = "polling can't tell that a descriptor outlives its registration")]
    fn new(notifier: &Notifier) -> io::Result<Self> {
        let poller = polling::Poller::new()?;
        // By its level: it is reported to one thread after the other until it is cleared.
        // SAFETY: whatever has the poller has the notifier, and drops both together.
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
        // SAFETY: a client is removed before it is closed, and one that is dropped with the clients is
        // dropped with the poller.
        unsafe { self.poller.add(socket, polling::Event::all(key)) }
    }

    fn rearm(&self, socket: &Socket, key: usize, wait: Wait) -> io::Result<()> {
        let (readable, writable) = (wait == Wait::Readable, wait == Wait::Writable);
        self.poller.modify(socket, polling::Event::new(key, readable, writable))
    }

    fn remove(&self, socket: &Socket) {
        let _ = self.poller.delete(socket); // it is there
    }

    fn wait(
        &self,
        events: &mut Self::Events,
        timeout: Option<Duration>,
    ) -> io::Result<impl Iterator<Item = Event>> {
        events.clear();
        // One that doesn't wait needs no turn: if another waits at this moment, that one is told instead.
        let _waiting = timeout.is_none().then(|| self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        self.poller.wait(events, timeout)?;
        Ok(events.iter().map(|event| match event.key {
            WAKEUP => Event::Wakeup,
            // The end of its input is reported whenever it is rearmed.
            key => Event::Client { key, more_input: false },
        }))
    }
}
