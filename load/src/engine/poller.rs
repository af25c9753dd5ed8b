//! Which connections are ready.
//!
//! The `polling` crate makes four system calls per wait (measured with strace: it sets the timer and renews two
//! interests). That is too slow for a generator that drives the fastest servers. On Linux this module uses epoll
//! directly, and makes one system call per wait, or two if it waits for a point in time. Elsewhere it uses `polling`.

#[cfg(target_os = "linux")]
pub(super) use epoll::Poller;
#[cfg(not(target_os = "linux"))]
pub(super) use portable::Poller;

/// A place whose connection is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ready {
    pub(super) place: usize,
    pub(super) readable: bool,
    pub(super) writable: bool,
}

/// The maximal number of events per wait.
const MAX_EVENTS: usize = 256;

/// epoll with a timerfd, since the timeout of epoll has a resolution of milliseconds.
#[cfg(target_os = "linux")]
mod epoll {
    use std::io;
    use std::mem::MaybeUninit;
    use std::os::fd::OwnedFd;
    use std::time::Duration;

    use rustix::event::Timespec;
    use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
    use rustix::io::Errno;
    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime,
    };
    use socket2::Socket;

    use super::{MAX_EVENTS, Ready};

    /// Which connections are ready.
    pub(in crate::engine) struct Poller {
        epoll: OwnedFd,
        timer: OwnedFd,
    }

    /// The timer's data.
    const TIMER: u64 = u64::MAX;

    /// Waits of at least this length use epoll's own timeout, which needs no extra system call.
    const COARSE: Duration = Duration::from_millis(20);

    impl Poller {
        pub(in crate::engine) fn new() -> io::Result<Self> {
            let epoll = epoll::create(CreateFlags::CLOEXEC)?;
            let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC)?;
            epoll::add(&epoll, &timer, EventData::new_u64(TIMER), EventFlags::IN)?;
            Ok(Self { epoll, timer })
        }

        /// Registers a connection for reading, and for writing if `writes`.
        pub(in crate::engine) fn add(&self, socket: &Socket, place: usize, writes: bool) -> io::Result<()> {
            Ok(epoll::add(&self.epoll, socket, EventData::new_u64(place as u64), flags(writes))?)
        }

        pub(in crate::engine) fn modify(
            &self,
            socket: &Socket,
            place: usize,
            writes: bool,
        ) -> io::Result<()> {
            Ok(epoll::modify(&self.epoll, socket, EventData::new_u64(place as u64), flags(writes))?)
        }

        /// Removes a connection that is going to be closed.
        // Closing it does the same anyway.
        pub(in crate::engine) fn delete(&self, socket: &Socket) {
            let _ = epoll::delete(&self.epoll, socket);
        }

        /// Waits until a connection is ready, at most for the timeout, and returns those that are.
        pub(in crate::engine) fn wait(
            &mut self,
            ready: &mut Vec<Ready>,
            timeout: Duration,
        ) -> io::Result<()> {
            ready.clear();
            let coarse = timeout >= COARSE || timeout.is_zero();
            if !coarse {
                // Setting a new time discards an expiration of the old one.
                let it_value = Timespec::try_from(timeout).unwrap_or_default();
                let time = Itimerspec { it_interval: Timespec::default(), it_value };
                timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &time)?;
            }
            let timeout = Timespec::try_from(timeout).unwrap_or_default();
            let mut events = [MaybeUninit::<Event>::uninit(); MAX_EVENTS];
            let events = match epoll::wait(&self.epoll, &mut events, coarse.then_some(&timeout)) {
                Ok((events, _)) => events,
                Err(Errno::INTR) => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            for event in events.iter() {
                let (data, flags) = (event.data.u64(), event.flags);
                if data == TIMER {
                    // The timer is read, so that it does not end a following coarse wait.
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
}

/// The `polling` crate, where there is no epoll.
#[cfg(not(target_os = "linux"))]
mod portable {
    use std::io;
    use std::time::Duration;

    use polling::{Event, Events, PollMode};
    use socket2::Socket;

    use super::{MAX_EVENTS, Ready};

    /// Which connections are ready.
    pub(in crate::engine) struct Poller {
        poller: polling::Poller,
        events: Events,
    }

    impl Poller {
        pub(in crate::engine) fn new() -> io::Result<Self> {
            let events = Events::with_capacity(const { std::num::NonZeroUsize::new(MAX_EVENTS).unwrap() });
            Ok(Self { poller: polling::Poller::new()?, events })
        }

        /// Registers a connection for reading, and for writing if `writes`.
        #[expect(unsafe_code, reason = "polling can't tell that a socket outlives its registration")]
        pub(in crate::engine) fn add(&self, socket: &Socket, place: usize, writes: bool) -> io::Result<()> {
            // SAFETY: a worker deletes a socket before it closes it, and one that is dropped with the worker is
            // dropped with the poller.
            unsafe { self.poller.add_with_mode(socket, interest(place, writes), PollMode::Level) }
        }

        pub(in crate::engine) fn modify(
            &self,
            socket: &Socket,
            place: usize,
            writes: bool,
        ) -> io::Result<()> {
            self.poller.modify_with_mode(socket, interest(place, writes), PollMode::Level)
        }

        /// Removes a connection that is going to be closed.
        pub(in crate::engine) fn delete(&self, socket: &Socket) {
            let _ = self.poller.delete(socket);
        }

        /// Waits until a connection is ready, at most for the timeout, and returns those that are.
        pub(in crate::engine) fn wait(
            &mut self,
            ready: &mut Vec<Ready>,
            timeout: Duration,
        ) -> io::Result<()> {
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
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};
    use std::time::{Duration, Instant};

    use super::*;

    fn wait(poller: &mut Poller, timeout: Duration) -> Vec<Ready> {
        let mut ready = Vec::new();
        poller.wait(&mut ready, timeout).expect("it waits");
        ready
    }

    #[test]
    fn a_connection_is_reported_as_long_as_it_is_ready() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut one = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let other = listener.accept().unwrap().0.into();
        let mut poller = Poller::new().unwrap();
        poller.add(&other, 7, false).unwrap();
        assert_eq!(wait(&mut poller, Duration::ZERO), []);
        one.write_all(b"x").unwrap();
        for _ in 0..2 {
            let expected = Ready { place: 7, readable: true, writable: false };
            assert_eq!(wait(&mut poller, Duration::from_secs(10)), [expected]);
        }
        poller.modify(&other, 7, true).unwrap();
        assert!(wait(&mut poller, Duration::from_secs(10))[0].writable);
        poller.delete(&other);
        assert_eq!(wait(&mut poller, Duration::ZERO), []);
    }

    #[test]
    fn a_wait_is_never_shorter_than_its_timeout() {
        let mut poller = Poller::new().unwrap();
        for time in [50, 300, 5_000].map(Duration::from_micros) {
            let start = Instant::now();
            assert_eq!(wait(&mut poller, time), []);
            assert!(start.elapsed() >= time, "{:?} < {time:?}", start.elapsed());
        }
    }
}
