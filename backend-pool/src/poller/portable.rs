//! The `polling` crate, where there is no epoll. It tells of a client once, and again when the interest in it
//! has been renewed, if it is ready then.

use std::io;
use std::net::TcpStream;
use std::num::NonZeroUsize;
use std::os::fd::AsFd;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ::serving::Bell;
use polling::PollMode;

use super::{Event, Interest, MOST, Poller, Until};

/// A poller of the `polling` crate.
pub(crate) struct Portable {
    poller: polling::Poller,
    /// Held by who waits for an event. Of two that wait at once, `polling` sends one away with nothing at once.
    waiting: Mutex<()>,
}

/// The bell's key, which is no client's place.
const BELL: usize = usize::MAX - 1;

impl Poller for Portable {
    type Events = polling::Events;

    #[expect(unsafe_code, reason = "polling can't tell that a descriptor outlives its registration")]
    fn new(bell: &Bell) -> io::Result<Self> {
        let poller = polling::Poller::new()?;
        // By its level: it is told to one thread after the other until it is silenced.
        // SAFETY: whoever has the poller has the bell, and drops both together.
        unsafe { poller.add_with_mode(&bell.as_fd(), polling::Event::readable(BELL), PollMode::Level)? };
        Ok(Self { poller, waiting: Mutex::new(()) })
    }

    #[expect(unsafe_code, reason = "polling can't tell that a socket outlives its registration")]
    fn add(&self, socket: &TcpStream, place: usize) -> io::Result<()> {
        // SAFETY: a client is removed before it is closed, and one that is dropped with the clients is
        // dropped with the poller.
        unsafe { self.poller.add(socket, polling::Event::all(place)) }
    }

    fn renew(&self, socket: &TcpStream, place: usize, interest: Interest) -> io::Result<()> {
        let event = match interest {
            Interest::Input => polling::Event::readable(place),
            Interest::Output => polling::Event::writable(place),
            Interest::None => polling::Event::none(place),
        };
        self.poller.modify(socket, event)
    }

    fn remove(&self, socket: &TcpStream) {
        let _ = self.poller.delete(socket); // it is there
    }

    fn events() -> Self::Events {
        polling::Events::with_capacity(const { NonZeroUsize::new(MOST).unwrap() })
    }

    fn wait(&self, events: &mut Self::Events, until: Until) -> io::Result<()> {
        events.clear();
        match until {
            // Somebody who waits at this moment is told instead, and passes it on.
            Until::Now => self.poller.wait(events, Some(Duration::ZERO)).map(drop),
            Until::Event => {
                let _waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                self.poller.wait(events, None).map(drop)
            }
        }
    }

    fn told(events: &Self::Events) -> impl Iterator<Item = Event> {
        events.iter().map(|event| match event.key {
            BELL => Event::Bell,
            // The end of its input is told of whenever the interest is renewed.
            place => Event::Client { place, more_behind: false },
        })
    }
}
