//! What to do when accepting fails.

use std::io;
use std::time::{Duration, Instant};

use rustix::io::Errno;

/// What an error of `accept` means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// No client has connected.
    WouldBlock,
    /// The client was lost before it was accepted: the next may be there already.
    Passing,
    /// The system has no descriptors or no memory left: try again, but not at once.
    Exhausted,
    /// The listener is none any more.
    Broken,
}

/// Judges by the system's number, since `io::ErrorKind` puts most of these into one.
pub(crate) fn fault(error: &io::Error) -> Fault {
    let Some(errno) = Errno::from_io_error(error) else { return Fault::Exhausted };
    match errno {
        Errno::AGAIN => Fault::WouldBlock,
        Errno::INTR | Errno::CONNABORTED | Errno::PROTO | Errno::NETDOWN | Errno::NOPROTOOPT => {
            Fault::Passing
        }
        Errno::HOSTDOWN | Errno::HOSTUNREACH | Errno::NETUNREACH | Errno::OPNOTSUPP => Fault::Passing,
        Errno::PERM | Errno::TIMEDOUT => Fault::Passing,
        Errno::BADF | Errno::NOTSOCK | Errno::FAULT | Errno::INVAL => Fault::Broken,
        _ => Fault::Exhausted,
    }
}

/// When to accept again after a failure.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    /// How many passing errors came in a row.
    passing: u32,
    pause: Duration,
    until: Option<Instant>,
}

const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(1);
/// So many passing errors in a row are taken for something that lasts.
const MOST_PASSING: u32 = 64;

impl Backoff {
    /// When to try again, unless it is time to.
    pub(crate) fn until(&mut self, now: Instant) -> Option<Instant> {
        self.until = self.until.filter(|&until| now < until);
        self.until
    }

    pub(crate) fn succeeded(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn failed(&mut self, fault: Fault, now: Instant) {
        if fault == Fault::Passing {
            self.passing += 1;
            if self.passing < MOST_PASSING {
                return;
            }
        }
        self.passing = 0;
        self.pause = (2 * self.pause).clamp(SHORTEST, LONGEST);
        self.until = Some(now + self.pause);
    }
}

/// Lets a log message through once in five seconds, and counts the others.
#[derive(Debug, Default)]
pub(crate) struct LogLimiter {
    last: Option<Instant>,
    count: u64,
}

impl LogLimiter {
    /// How many times it has happened since it was last logged, if it is to be logged again.
    pub(crate) fn count(&mut self, now: Instant) -> Option<u64> {
        self.count += 1;
        let due = self.last.is_none_or(|last| now.duration_since(last) >= Duration::from_secs(5));
        due.then(|| {
            self.last = Some(now);
            std::mem::take(&mut self.count)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exhaustion_pauses_for_100_ms_and_doubles_up_to_a_second() {
        let mut backoff = Backoff::default();
        let mut now = Instant::now();
        for milliseconds in [100, 200, 400, 800, 1000, 1000] {
            backoff.failed(Fault::Exhausted, now);
            let until = backoff.until(now).unwrap();
            assert_eq!(until - now, Duration::from_millis(milliseconds));
            assert!(backoff.until(until - Duration::from_nanos(1)).is_some());
            now = until;
            assert!(backoff.until(now).is_none());
        }
        backoff.succeeded();
        backoff.failed(Fault::Exhausted, now);
        assert_eq!(backoff.until(now), Some(now + SHORTEST));
    }

    #[test]
    fn the_64th_passing_error_in_a_row_pauses() {
        let now = Instant::now();
        let mut backoff = Backoff::default();
        for _ in 0..63 {
            backoff.failed(Fault::Passing, now);
            assert!(backoff.until(now).is_none());
        }
        backoff.failed(Fault::Passing, now);
        assert!(backoff.until(now).is_some());
    }

    #[test]
    fn errors_are_judged_by_their_number() {
        for (errno, expected) in [
            (Errno::MFILE, Fault::Exhausted),
            (Errno::NFILE, Fault::Exhausted),
            (Errno::NOBUFS, Fault::Exhausted),
            (Errno::NOMEM, Fault::Exhausted),
            (Errno::CONNABORTED, Fault::Passing),
            (Errno::AGAIN, Fault::WouldBlock),
            (Errno::BADF, Fault::Broken),
        ] {
            assert_eq!(fault(&io::Error::from(errno)), expected, "{errno:?}");
        }
    }

    #[test]
    fn what_happens_often_is_logged_seldom() {
        let start = Instant::now();
        let mut limiter = LogLimiter::default();
        assert_eq!(limiter.count(start), Some(1));
        assert_eq!(limiter.count(start + Duration::from_secs(4)), None);
        assert_eq!(limiter.count(start + Duration::from_secs(5)), Some(2));
    }
}
