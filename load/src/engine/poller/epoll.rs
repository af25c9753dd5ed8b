//! epoll, with a timer of its own, since epoll's timeout knows milliseconds only.

use std::io;
use std::mem::MaybeUninit;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime,
};

use super::{MOST, Ready};

/// Which connections are ready.
pub(in crate::engine) struct Poller {
    epoll: OwnedFd,
    timer: OwnedFd,
}

/// The timer's data.
const TIMER: u64 = u64::MAX;

/// What takes at least so long is left to epoll's own timeout, which costs no call.
const COARSE: Duration = Duration::from_millis(20);

impl Poller {
    pub(in crate::engine) fn new() -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC)?;
        epoll::add(&epoll, &timer, EventData::new_u64(TIMER), EventFlags::IN)?;
        Ok(Self { epoll, timer })
    }

    /// Watches over a connection's input, and its output where it `writes`.
    pub(in crate::engine) fn add(&self, socket: &TcpStream, place: usize, writes: bool) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, socket, EventData::new_u64(place as u64), flags(writes))?)
    }

    pub(in crate::engine) fn modify(&self, socket: &TcpStream, place: usize, writes: bool) -> io::Result<()> {
        Ok(epoll::modify(&self.epoll, socket, EventData::new_u64(place as u64), flags(writes))?)
    }

    /// Forgets a connection that is going to be closed.
    pub(in crate::engine) fn delete(&self, socket: &TcpStream) {
        // Closing it does the same.
        let _ = epoll::delete(&self.epoll, socket);
    }

    /// Waits until somebody is ready, at most for so long, and tells who is.
    pub(in crate::engine) fn wait(&mut self, ready: &mut Vec<Ready>, timeout: Duration) -> io::Result<()> {
        ready.clear();
        let coarse = timeout >= COARSE || timeout.is_zero();
        if !coarse {
            // A new time takes back what the old one has told.
            let it_value = Timespec::try_from(timeout).unwrap_or_default();
            let time = Itimerspec { it_interval: Timespec::default(), it_value };
            timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &time)?;
        }
        let timeout = Timespec::try_from(timeout).unwrap_or_default();
        let mut events = [MaybeUninit::<Event>::uninit(); MOST];
        let events = match epoll::wait(&self.epoll, &mut events, coarse.then_some(&timeout)) {
            Ok((events, _)) => events,
            Err(Errno::INTR) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        for event in events.iter() {
            let (data, flags) = (event.data.u64(), event.flags);
            if data == TIMER {
                // It has told; a coarse wait that follows is not to hear it again.
                let _ = rustix::io::read(&self.timer, &mut [0; 8]);
                continue;
            }
            let broken = flags.intersects(EventFlags::HUP | EventFlags::ERR);
            ready.push(Ready {
                place: data as usize,
                readable: broken || flags.contains(EventFlags::IN),
                writable: flags.contains(EventFlags::OUT),
            });
        }
        Ok(())
    }
}

fn flags(writes: bool) -> EventFlags {
    if writes { EventFlags::IN | EventFlags::OUT } else { EventFlags::IN }
}
