//! The `polling` crate, where there is no epoll.

use std::io;
use std::net::TcpStream;
use std::time::Duration;

use polling::{Event, Events, PollMode};

use super::{MOST, Ready};

/// Which connections are ready.
pub(in crate::engine) struct Poller {
    poller: polling::Poller,
    events: Events,
}

impl Poller {
    pub(in crate::engine) fn new() -> io::Result<Self> {
        let events = Events::with_capacity(const { std::num::NonZeroUsize::new(MOST).unwrap() });
        Ok(Self { poller: polling::Poller::new()?, events })
    }

    /// Watches over a connection's input, and its output where it `writes`.
    #[expect(unsafe_code, reason = "polling can't tell that a socket outlives its registration")]
    pub(in crate::engine) fn add(&self, socket: &TcpStream, place: usize, writes: bool) -> io::Result<()> {
        // SAFETY: a worker deletes a socket before it closes it, and one that is dropped with the worker is
        // dropped with the poller.
        unsafe { self.poller.add_with_mode(socket, interest(place, writes), PollMode::Level) }
    }

    pub(in crate::engine) fn modify(&self, socket: &TcpStream, place: usize, writes: bool) -> io::Result<()> {
        self.poller.modify_with_mode(socket, interest(place, writes), PollMode::Level)
    }

    /// Forgets a connection that is going to be closed.
    pub(in crate::engine) fn delete(&self, socket: &TcpStream) {
        let _ = self.poller.delete(socket);
    }

    /// Waits until somebody is ready, at most for so long, and tells who is.
    pub(in crate::engine) fn wait(&mut self, ready: &mut Vec<Ready>, timeout: Duration) -> io::Result<()> {
        ready.clear();
        self.events.clear();
        self.poller.wait(&mut self.events, Some(timeout))?;
        let told =
            |event: Event| Ready { place: event.key, readable: event.readable, writable: event.writable };
        ready.extend(self.events.iter().map(told));
        Ok(())
    }
}

fn interest(place: usize, writes: bool) -> Event {
    if writes { Event::all(place) } else { Event::readable(place) }
}
