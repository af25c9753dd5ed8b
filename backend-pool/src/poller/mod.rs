//! Who is ready.
//!
//! On Linux this is epoll itself: an interest in edges is registered once for the whole life of a client, and
//! a look costs one call. The `polling` crate, which does it elsewhere, renews an interest with a call for
//! each message, and makes four calls for each wait.

use std::io;
use std::net::TcpStream;

use ::serving::Bell;

#[cfg(target_os = "linux")]
mod epoll;
#[cfg(any(test, not(target_os = "linux")))]
mod portable;

#[cfg(target_os = "linux")]
pub(crate) use epoll::Epoll as System;
#[cfg(all(test, target_os = "linux"))]
pub(crate) use portable::Portable;
#[cfg(not(target_os = "linux"))]
pub(crate) use portable::Portable as System;

/// Tells who is ready. Several threads may wait at once: each event is told to one of them alone.
pub(crate) trait Poller: Send + Sync + Sized + 'static {
    /// What was told of at once.
    type Events;

    /// A poller that tells somebody who waits of each ring of `bell`, or else who waits next.
    fn new(bell: &Bell) -> io::Result<Self>;

    /// Tells of a client, and at once, since it can be written to.
    fn add(&self, socket: &TcpStream, place: usize) -> io::Result<()>;

    /// Goes on to tell of a client that was told of.
    fn renew(&self, socket: &TcpStream, place: usize, interest: Interest) -> io::Result<()>;

    /// Forgets a client. Its socket may be closed much later: an event of its own would be taken for one of the next
    /// client in its place.
    fn remove(&self, socket: &TcpStream);

    /// Room for what is told of at once.
    fn events() -> Self::Events;

    /// Looks what has happened.
    fn wait(&self, events: &mut Self::Events, until: Until) -> io::Result<()>;

    /// What was told of.
    fn told(events: &Self::Events) -> impl Iterator<Item = Event>;
}

/// What a poller tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The client in this place is ready. With `more_behind`, the end of its input or urgent data have come, which may
    /// not be told of again.
    Client { place: usize, more_behind: bool },
    /// The bell was rung.
    Bell,
}

/// How long a look may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// Until something happens.
    Event,
    /// No time at all.
    Now,
}

/// What a client waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interest {
    Input,
    Output,
    /// Nothing that the poller could tell of.
    None,
}

/// So many are told of at once: the more, the fewer looks; and the fewer, the sooner the others hear of them.
const MOST: usize = 64;

#[cfg(test)]
mod tests;
