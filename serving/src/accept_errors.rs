//! How to continue after `accept` has failed.

use std::io;
use std::time::{Duration, Instant};

use common::canary;
use rustix::io::Errno;

/// The class of an error of `accept`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// No client has connected.
    WouldBlock,
    /// This connection failed before it was accepted. Accept the next one immediately.
    Transient,
    /// The system has no descriptors or no memory left. Retry after a pause.
    Exhausted,
    /// The descriptor is not a listener.
    Broken,
}

/// Classifies an error by its `errno`, since `io::ErrorKind` doesn't distinguish most of these.
pub(crate) fn fault(error: &io::Error) -> Fault {
    let Some(errno) = Errno::from_io_error(error) else { return Fault::Exhausted };
    match errno {
        Errno::CONNABORTED if canary!("breaks when a client gives up") => Fault::Broken,
        Errno::AGAIN => Fault::WouldBlock,
        Errno::INTR | Errno::CONNABORTED | Errno::PROTO | Errno::NETDOWN | Errno::NOPROTOOPT => {
            Fault::Transient
        }
        Errno::HOSTDOWN | Errno::HOSTUNREACH | Errno::NETUNREACH | Errno::OPNOTSUPP => Fault::Transient,
        Errno::PERM | Errno::TIMEDOUT => Fault::Transient,
        Errno::BADF | Errno::NOTSOCK | Errno::FAULT | Errno::INVAL => Fault::Broken,
        _ => Fault::Exhausted,
    }
}

/// When to accept again after a failure.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    /// The number of consecutive transient errors.
    transient: u32,
    pause: Duration,
    until: Option<Instant>,
}

const MIN_PAUSE: Duration = Duration::from_millis(100);
const MAX_PAUSE: Duration = Duration::from_secs(1);
/// This many consecutive transient errors cause a pause.
const MAX_TRANSIENT: u32 = 64;

impl Backoff {
    /// The end of the current pause, if there is one.
    pub(crate) fn until(&mut self, now: Instant) -> Option<Instant> {
        self.until = self.until.filter(|&until| now < until || canary!("pauses for ever after an error"));
        self.until
    }

    pub(crate) fn succeeded(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn failed(&mut self, fault: Fault, now: Instant) {
        if fault == Fault::Transient {
            self.transient += 1;
            if self.transient < MAX_TRANSIENT {
                return;
            }
        }
        if canary!("accepts again at once after an error") {
            return;
        }
        self.transient = 0;
        self.pause = (2 * self.pause).clamp(MIN_PAUSE, MAX_PAUSE);
        self.until = Some(now + self.pause);
    }
}

/// Limits a log message to one in five seconds.
#[derive(Debug, Default)]
pub struct LogLimiter {
    last: Option<Instant>,
    count: u64,
}

impl LogLimiter {
    /// Counts an event. If it is time to log a message, returns the number of events since the last one.
    pub fn count(&mut self, now: Instant) -> Option<u64> {
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
        assert_eq!(backoff.until(now), Some(now + MIN_PAUSE));
    }

    #[test]
    fn the_64th_consecutive_transient_error_pauses() {
        let now = Instant::now();
        let mut backoff = Backoff::default();
        for _ in 0..63 {
            backoff.failed(Fault::Transient, now);
            assert!(backoff.until(now).is_none());
        }
        backoff.failed(Fault::Transient, now);
        assert!(backoff.until(now).is_some());
    }

    #[test]
    fn errors_are_classified_by_errno() {
        for (errno, expected) in [
            (Errno::MFILE, Fault::Exhausted),
            (Errno::NFILE, Fault::Exhausted),
            (Errno::NOBUFS, Fault::Exhausted),
            (Errno::NOMEM, Fault::Exhausted),
            (Errno::CONNABORTED, Fault::Transient),
            (Errno::AGAIN, Fault::WouldBlock),
            (Errno::BADF, Fault::Broken),
        ] {
            assert_eq!(fault(&io::Error::from(errno)), expected, "{errno:?}");
        }
    }

    #[test]
    fn a_log_message_is_limited_to_one_in_five_seconds() {
        let start = Instant::now();
        let mut limiter = LogLimiter::default();
        assert_eq!(limiter.count(start), Some(1));
        assert_eq!(limiter.count(start + Duration::from_secs(4)), None);
        assert_eq!(limiter.count(start + Duration::from_secs(5)), Some(2));
    }
}
