//! Which connections are ready.
//!
//! The `polling` crate makes four system calls for each wait (measured with strace: the timer is set, two
//! interests are renewed), which a generator feels that is to drive the fastest servers: on Linux it speaks to
//! epoll itself, and makes one, or two when it waits for an instant. Elsewhere it is `polling`.

#[cfg(target_os = "linux")]
mod epoll;
#[cfg(not(target_os = "linux"))]
mod portable;

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

/// So many are told of in one wait.
const MOST: usize = 256;

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
    fn it_tells_who_is_ready_as_long_as_they_are() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut one = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let other = listener.accept().unwrap().0;
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
    fn it_waits_no_shorter_than_it_is_told_to() {
        let mut poller = Poller::new().unwrap();
        for time in [50, 300, 5_000].map(Duration::from_micros) {
            let start = Instant::now();
            assert_eq!(wait(&mut poller, time), []);
            assert!(start.elapsed() >= time, "{:?} < {time:?}", start.elapsed());
        }
    }
}
