//! epoll, as the backends of this kind wait at it.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;

/// An epoll instance. Several threads may wait at it.
#[derive(Debug)]
pub struct Epoll(OwnedFd);

/// What is to be reported of a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Each change of a client's socket, which is registered once for its whole life, so that a message costs no further
    /// call. It is reported when it is added as well, since it can be written to. Each change is reported once, to one of the
    /// threads that wait.
    Socket,
    /// That there is input, again and again until it is read.
    Input,
    /// Each arrival of input, once, to one of the threads that wait.
    Arrival,
}

/// What has happened to the descriptor that was registered with this key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// The key.
    pub key: usize,
    /// Whether the end of the input or urgent data have come, which are not reported again: the
    /// [conversation](crate::Conversation::ready) has to be told.
    pub more_input: bool,
}

/// Room for what is reported at once.
pub struct Events(Vec<epoll::Event>);

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.0.iter().map(|event| event.data.u64());
        f.debug_list().entries(keys).finish()
    }
}

const SOCKET: EventFlags = EventFlags::IN
    .union(EventFlags::OUT)
    .union(EventFlags::PRI)
    .union(EventFlags::RDHUP)
    .union(EventFlags::ET);

/// After one of these, a short read is not the last.
const MORE_BEHIND: EventFlags =
    EventFlags::RDHUP.union(EventFlags::HUP).union(EventFlags::ERR).union(EventFlags::PRI);

impl Epoll {
    /// An instance that watches nothing yet.
    pub fn new() -> io::Result<Self> {
        Ok(Self(epoll::create(CreateFlags::CLOEXEC)?))
    }

    /// Watches a descriptor. It has to be [removed](Self::remove) before it is given to somebody who closes it later: an
    /// event of its own would be taken for one of the next with this key.
    ///
    /// # Errors
    /// If the system has no memory left for it, or the descriptor can't be watched.
    pub fn add(&self, descriptor: impl AsFd, key: usize, interest: Interest) -> io::Result<()> {
        let flags = match interest {
            Interest::Socket => SOCKET,
            Interest::Input => EventFlags::IN,
            Interest::Arrival => EventFlags::IN | EventFlags::ET,
        };
        Ok(epoll::add(&self.0, descriptor, EventData::new_u64(key as u64), flags)?)
    }

    /// Watches a descriptor no more.
    pub fn remove(&self, descriptor: impl AsFd) {
        let _ = epoll::delete(&self.0, descriptor); // the only error is that it is not watched
    }

    /// Waits until something happens, or `timeout` has passed, or a signal interrupts it, and returns what has happened.
    ///
    /// # Errors
    /// None that could be expected: the instance is one, and so is the room for its events.
    pub fn wait<'a>(
        &self,
        events: &'a mut Events,
        timeout: Option<Duration>,
    ) -> io::Result<impl Iterator<Item = Ready> + use<'a>> {
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        events.0.clear();
        match epoll::wait(&self.0, spare_capacity(&mut events.0), timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(events.0.iter().map(|&epoll::Event { flags, data }| Ready {
            key: data.u64() as usize,
            more_input: flags.intersects(MORE_BEHIND),
        }))
    }
}

impl Events {
    /// Room for so many: the more, the fewer calls, and the later is seen what has happened since.
    pub fn with_capacity(count: usize) -> Self {
        Self(Vec::with_capacity(count))
    }
}
