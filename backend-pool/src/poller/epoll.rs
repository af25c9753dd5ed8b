//! epoll, which tells of edges.

use std::io;
use std::net::TcpStream;
use std::os::fd::OwnedFd;

use common::Bell;
use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;

use super::{Event, Interest, MOST, Until};

/// Who is ready.
pub(crate) struct Poller(OwnedFd);

/// What was told of at once.
pub(crate) struct Events(Vec<epoll::Event>);

/// The bell's data, which are no client's place.
const BELL: u64 = u64::MAX;

const INTEREST: EventFlags = EventFlags::IN
    .union(EventFlags::OUT)
    .union(EventFlags::PRI)
    .union(EventFlags::RDHUP)
    .union(EventFlags::ET);

/// After one of these, a short read is not the last.
const MORE_BEHIND: EventFlags =
    EventFlags::RDHUP.union(EventFlags::HUP).union(EventFlags::ERR).union(EventFlags::PRI);

impl Poller {
    /// A poller that tells of `bell` as long as it rings.
    pub(crate) fn new(bell: &Bell) -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, bell, EventData::new_u64(BELL), EventFlags::IN)?;
        Ok(Self(epoll))
    }

    /// Tells of a client, and at once, since it can be written to.
    pub(crate) fn add(&self, socket: &TcpStream, place: usize) -> io::Result<()> {
        Ok(epoll::add(&self.0, socket, EventData::new_u64(place as u64), INTEREST)?)
    }

    /// Goes on to tell of a client: an interest in edges needs no renewal.
    pub(crate) fn renew(&self, _: &TcpStream, _: usize, _: Interest) -> io::Result<()> {
        Ok(())
    }

    /// Forgets a client. Its socket may be closed much later: an event of its own would be taken for one of the next
    /// client in its place.
    pub(crate) fn remove(&self, socket: &TcpStream) {
        let _ = epoll::delete(&self.0, socket); // it is there
    }

    /// Looks what has happened.
    pub(crate) fn wait(&self, events: &mut Events, until: Until) -> io::Result<()> {
        let no_time = Timespec { tv_sec: 0, tv_nsec: 0 };
        let timeout = (until == Until::Now).then_some(&no_time);
        events.0.clear();
        match epoll::wait(&self.0, spare_capacity(&mut events.0), timeout) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Events {
    pub(crate) fn new() -> Self {
        Self(Vec::with_capacity(MOST))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Event> {
        self.0.iter().map(|&epoll::Event { flags, data }| match data.u64() {
            BELL => Event::Bell,
            place => Event::Client { place: place as usize, more_behind: flags.intersects(MORE_BEHIND) },
        })
    }
}
