//! A wake-up descriptor.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::Duration;

use common::sync::atomic::{AtomicU8, Ordering};
use common::sync::step;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Wakes a thread that waits in a poller, by a descriptor that becomes readable when the notifier is notified. Its
/// [waker](Self::waker) may be registered with conversations, the acceptor, and a [`WakeQueue`](common::WakeQueue).
#[derive(Debug)]
pub struct Notifier {
    /// One of the constants below.
    state: AtomicU8,
    sender: UnixStream,
    receiver: UnixStream,
}

/// The thread waits, or has not said that it does not. The next notification writes to the descriptor.
const WAITING: u8 = 0;
/// It was notified.
const NOTIFIED: u8 = 1;
/// The thread is busy, and will look whether it was notified before it waits.
const BUSY: u8 = 2;
/// It was notified while it was busy, so the descriptor is not readable.
const NOTIFIED_BUSY: u8 = 3;

impl Notifier {
    /// Creates a notifier that has not been notified. It takes two descriptors.
    ///
    /// # Errors
    /// If the process has no descriptors left.
    pub fn new() -> io::Result<Arc<Self>> {
        let (sender, receiver) = UnixStream::pair()?;
        sender.set_nonblocking(true)?;
        receiver.set_nonblocking(true)?;
        Ok(Arc::new(Self { state: AtomicU8::new(WAITING), sender, receiver }))
    }

    /// A waker that calls [`notify`](Self::notify).
    pub fn waker(self: &Arc<Self>) -> Waker {
        Waker::from(Arc::clone(self))
    }

    /// Wakes the waiting thread. If no thread waits, the next wait returns immediately.
    pub fn notify(&self) {
        let notify = |state| match state {
            WAITING => Some(NOTIFIED),
            BUSY => Some(NOTIFIED_BUSY),
            _ => None,
        };
        if self.state.fetch_update(Ordering::SeqCst, Ordering::SeqCst, notify) == Ok(WAITING) {
            step();
            // Unless it was interrupted, it fails only if the queue is full, and then the descriptor is readable already.
            let written = || (&self.sender).write(&[1]);
            while written().is_err_and(|error| error.kind() == io::ErrorKind::Interrupted) {}
        }
    }

    /// Begins a wait for the [descriptor](AsFd) that the caller does itself, after [`end_wait`](Self::end_wait). Returns
    /// whether it may block: if not, the notifier was notified since the last wait.
    pub fn begin_wait(&self) -> bool {
        self.state.compare_exchange(BUSY, WAITING, Ordering::SeqCst, Ordering::SeqCst) != Err(NOTIFIED_BUSY)
    }

    /// Ends a wait, and returns whether the notifier was notified. Until the next [`begin_wait`](Self::begin_wait), a
    /// notification costs no system call. If the descriptor was reported, [drain](Self::drain) it as well.
    pub fn end_wait(&self) -> bool {
        matches!(self.state.swap(BUSY, Ordering::SeqCst), NOTIFIED | NOTIFIED_BUSY)
    }

    /// Reads the descriptor, so that it is no longer readable.
    pub fn drain(&self) {
        step();
        let _ = (&self.receiver).read(&mut [0; 16]);
    }

    /// Resets the notifier. If you wait for its [descriptor](AsFd) yourself, call this after the wait and **before** you
    /// check what the notifications are for.
    pub fn clear(&self) {
        // In this order, so that at most one byte is queued. A notification in between is not lost: the caller checks what
        // it is for afterwards.
        self.drain();
        self.state.store(WAITING, Ordering::SeqCst);
    }

    /// Waits until the notifier is notified, and clears it.
    ///
    /// # Errors
    /// Those of [`wait_any`](Self::wait_any).
    pub fn wait(&self) -> io::Result<()> {
        self.wait_any(&[], None).map(drop)
    }

    /// Waits until the notifier is notified or `descriptor` is readable, and clears the notifier.
    ///
    /// # Errors
    /// Those of [`wait_any`](Self::wait_any).
    pub fn wait_readable(&self, descriptor: impl AsFd) -> io::Result<()> {
        self.wait_any(&[(descriptor.as_fd(), PollFlags::IN)], None).map(drop)
    }

    /// Waits until the notifier is notified, one of `others` is ready, or `timeout` has passed, and clears the notifier.
    /// Returns which of `others` are ready. One without flags is not waited for, not even for its failure, as `poll` would. A
    /// signal may end the wait early.
    ///
    /// # Errors
    /// Those of the system call `poll`, except `EINTR`.
    pub fn wait_any(
        &self,
        others: &[(BorrowedFd<'_>, PollFlags)],
        timeout: Option<Duration>,
    ) -> io::Result<Vec<bool>> {
        let own = self.receiver.as_fd();
        let mut descriptors = vec![PollFd::from_borrowed_fd(own, PollFlags::IN)];
        descriptors.extend(others.iter().map(|&(fd, flags)| {
            // The own descriptor never fails.
            PollFd::from_borrowed_fd(if flags.is_empty() { own } else { fd }, flags)
        }));
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        match poll(&mut descriptors, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        if !descriptors[0].revents().is_empty() {
            self.clear();
        }
        Ok(descriptors[1..].iter().map(|descriptor| !descriptor.revents().is_empty()).collect())
    }
}

impl AsFd for Notifier {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.receiver.as_fd()
    }
}

impl Wake for Notifier {
    fn wake(self: Arc<Self>) {
        self.notify();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.notify();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_readable(notifier: &Notifier) -> bool {
        let mut descriptors = [PollFd::new(notifier, PollFlags::IN)];
        poll(&mut descriptors, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).unwrap() > 0
    }

    #[test]
    fn the_descriptor_is_readable_if_the_thread_waits() {
        let notifier = Notifier::new().unwrap();
        assert!(notifier.begin_wait() && !is_readable(&notifier));
        notifier.notify();
        notifier.notify();
        assert!(is_readable(&notifier) && notifier.end_wait());
        notifier.drain();
        assert!(!is_readable(&notifier) && notifier.begin_wait() && !notifier.end_wait());
    }

    #[test]
    fn a_busy_thread_finds_that_it_was_notified_before_it_waits() {
        let notifier = Notifier::new().unwrap();
        assert!(notifier.begin_wait() && !notifier.end_wait());
        notifier.notify();
        assert!(!is_readable(&notifier));
        assert!(!notifier.begin_wait(), "it must not block");
        assert!(notifier.end_wait() && notifier.begin_wait());
    }
}
