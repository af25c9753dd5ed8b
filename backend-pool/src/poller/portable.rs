//! The `polling` crate, where there is no epoll. It tells of a client once, and again when the interest in it
//! has been renewed, if it is ready then.

use std::io;
use std::net::TcpStream;
use std::num::NonZeroUsize;
use std::os::fd::AsFd;
use std::time::Duration;

use common::Bell;
use polling::PollMode;

use super::{Event, Interest, MOST, Until};

/// Who is ready.
pub(crate) struct Poller(polling::Poller);

/// What was told of at once.
pub(crate) struct Events(polling::Events);

/// The bell's key, which is no client's place.
const BELL: usize = usize::MAX - 1;

impl Poller {
    /// A poller that tells of `bell` as long as it rings.
    #[expect(unsafe_code, reason = "polling can't tell that a descriptor outlives its registration")]
    pub(crate) fn new(bell: &Bell) -> io::Result<Self> {
        let poller = polling::Poller::new()?;
        // SAFETY: whoever has the poller has the bell, and drops both together.
        unsafe { poller.add_with_mode(&bell.as_fd(), polling::Event::readable(BELL), PollMode::Level)? };
        Ok(Self(poller))
    }

    /// Tells of a client, and at once, since it can be written to.
    #[expect(unsafe_code, reason = "polling can't tell that a socket outlives its registration")]
    pub(crate) fn add(&self, socket: &TcpStream, place: usize) -> io::Result<()> {
        // SAFETY: a client is removed before it is closed, and one that is dropped with the clients is
        // dropped with the poller.
        unsafe { self.0.add(socket, polling::Event::all(place)) }
    }

    /// Goes on to tell of a client.
    pub(crate) fn renew(&self, socket: &TcpStream, place: usize, interest: Interest) -> io::Result<()> {
        let event = match interest {
            Interest::Input => polling::Event::readable(place),
            Interest::Output => polling::Event::writable(place),
            Interest::None => polling::Event::none(place),
        };
        self.0.modify(socket, event)
    }

    /// Forgets a client that is going to be closed.
    pub(crate) fn remove(&self, socket: &TcpStream) {
        let _ = self.0.delete(socket);
    }

    /// Looks what has happened.
    pub(crate) fn wait(&self, events: &mut Events, until: Until) -> io::Result<()> {
        events.0.clear();
        self.0.wait(&mut events.0, (until == Until::Now).then_some(Duration::ZERO)).map(drop)
    }
}

impl Events {
    pub(crate) fn new() -> Self {
        Self(polling::Events::with_capacity(const { NonZeroUsize::new(MOST).unwrap() }))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Event> {
        self.0.iter().map(|event| match event.key {
            BELL => Event::Bell,
            // The end of its input is told of whenever the interest is renewed.
            place => Event::Client { place, more_behind: false },
        })
    }
}
