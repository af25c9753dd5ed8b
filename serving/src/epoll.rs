//! A safe interface to epoll.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;

/// An epoll instance. Several threads may wait on it.
#[derive(Debug)]
pub struct Epoll(OwnedFd);

/// It is readable while there are events.
impl AsFd for Epoll {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Which events of a descriptor are reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// All events of a client's socket, edge-triggered, so that one registration is enough for the whole connection. Adding
    /// it reports an event, since the socket is writable. Each event is reported to one waiting thread.
    Socket,
    /// Input, level-triggered.
    Input,
    /// Input, edge-triggered. Each event is reported to one waiting thread.
    Arrival,
}

/// An event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// The key with which the descriptor was registered.
    pub key: usize,
    /// Whether the end of the input, a hang-up or urgent data were reported. Pass it to
    /// [`Conversation::ready`](crate::Conversation::ready).
    pub more_input: bool,
}

/// A buffer for events.
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

/// After one of these flags, there may be more input after a short read.
const MORE_BEHIND: EventFlags =
    EventFlags::RDHUP.union(EventFlags::HUP).union(EventFlags::ERR).union(EventFlags::PRI);

impl Epoll {
    /// Creates an instance that watches no descriptors.
    ///
    /// # Errors
    /// If the system has no descriptor left.
    pub fn new() -> io::Result<Self> {
        Ok(Self(epoll::create(CreateFlags::CLOEXEC)?))
    }

    /// Watches a descriptor. [Remove](Self::remove) it before its key is reused. Otherwise its events, which are reported until
    /// its last duplicate is closed, are taken for those of the next descriptor with this key.
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

    /// Stops watching a descriptor.
    pub fn remove(&self, descriptor: impl AsFd) {
        let _ = epoll::delete(&self.0, descriptor); // fails only if it is not watched
    }

    /// Waits for events until `timeout` has passed or a signal arrives, and returns them.
    ///
    /// # Errors
    /// None are expected.
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
    /// A buffer for `count` events. A larger one takes fewer calls, but delays the events that occur meanwhile.
    pub fn with_capacity(count: usize) -> Self {
        Self(Vec::with_capacity(count))
    }
}
