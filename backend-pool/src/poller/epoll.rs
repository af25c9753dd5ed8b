//! epoll, which tells of edges.

use std::io;
use std::net::TcpStream;
use std::os::fd::OwnedFd;

use ::serving::Bell;
use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;

use super::{Event, Interest, MOST, Poller, Until};

/// An epoll descriptor.
pub(crate) struct Epoll(OwnedFd);

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

impl Poller for Epoll {
    type Events = Vec<epoll::Event>;

    fn new(bell: &Bell) -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        // By its edges: a level would wake all who wait.
        epoll::add(&epoll, bell, EventData::new_u64(BELL), EventFlags::IN | EventFlags::ET)?;
        Ok(Self(epoll))
    }

    fn add(&self, socket: &TcpStream, place: usize) -> io::Result<()> {
        Ok(epoll::add(&self.0, socket, EventData::new_u64(place as u64), INTEREST)?)
    }

    fn renew(&self, _: &TcpStream, _: usize, _: Interest) -> io::Result<()> {
        Ok(()) // an interest in edges needs no renewal
    }

    fn remove(&self, socket: &TcpStream) {
        let _ = epoll::delete(&self.0, socket); // it is there
    }

    fn events() -> Self::Events {
        Vec::with_capacity(MOST)
    }

    fn wait(&self, events: &mut Self::Events, until: Until) -> io::Result<()> {
        let no_time = Timespec { tv_sec: 0, tv_nsec: 0 };
        let timeout = (until == Until::Now).then_some(&no_time);
        events.clear();
        match epoll::wait(&self.0, spare_capacity(events), timeout) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn told(events: &Self::Events) -> impl Iterator<Item = Event> {
        events.iter().map(|&epoll::Event { flags, data }| match data.u64() {
            BELL => Event::Bell,
            place => Event::Client { place: place as usize, more_behind: flags.intersects(MORE_BEHIND) },
        })
    }
}
