//! Wakes a thread that waits for descriptors.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Wakes a thread that waits for descriptors, by a descriptor of its own, which can be read once it was notified. Its
/// [waker](Self::waker) serves a task's purposes, and that of a [`WakeQueue`](common::WakeQueue).
#[derive(Debug)]
pub struct Notifier {
    notified: AtomicBool,
    sender: UnixStream,
    receiver: UnixStream,
}

impl Notifier {
    /// One that has not been notified. It takes two descriptors.
    ///
    /// # Errors
    /// If the process may open no more.
    pub fn new() -> io::Result<Arc<Self>> {
        let (sender, receiver) = UnixStream::pair()?;
        sender.set_nonblocking(true)?;
        receiver.set_nonblocking(true)?;
        Ok(Arc::new(Self { notified: AtomicBool::new(false), sender, receiver }))
    }

    /// A waker that notifies it.
    pub fn waker(self: &Arc<Self>) -> Waker {
        Waker::from(Arc::clone(self))
    }

    /// Has the waiting thread, or the next that waits, return at once.
    pub fn notify(&self) {
        if !self.notified.swap(true, Ordering::SeqCst) {
            // The only error is a full queue, and then the thread is notified already.
            let _ = (&self.sender).write(&[1]);
        }
    }

    /// Makes it ready to be notified again. Call it where its [descriptor](AsFd) is waited for, **before** you look at what
    /// you are notified of.
    pub fn clear(&self) {
        // Emptied before the flag is cleared: of a notification in between, the caller sees what it was for, since it looks
        // after both. So there is never more than one byte.
        let _ = (&self.receiver).read(&mut [0; 16]);
        self.notified.store(false, Ordering::SeqCst);
    }

    /// Waits until it is notified, and clears it.
    ///
    /// # Errors
    /// As [`wait_any`](Self::wait_any).
    pub fn wait(&self) -> io::Result<()> {
        self.wait_any(&[], None).map(drop)
    }

    /// Waits until it is notified, or `descriptor` can be read.
    ///
    /// # Errors
    /// As [`wait_any`](Self::wait_any).
    pub fn wait_readable(&self, descriptor: impl AsFd) -> io::Result<()> {
        self.wait_any(&[(descriptor.as_fd(), PollFlags::IN)], None).map(drop)
    }

    /// Waits until it is notified, `others` are ready, or `timeout` has passed, and clears it. Returns which of `others`
    /// are ready.
    ///
    /// # Errors
    /// What `poll` may say of descriptors that are no descriptors, or of memory. An interruption is none.
    pub fn wait_any(
        &self,
        others: &[(BorrowedFd<'_>, PollFlags)],
        timeout: Option<Duration>,
    ) -> io::Result<Vec<bool>> {
        let mut descriptors = vec![PollFd::from_borrowed_fd(self.receiver.as_fd(), PollFlags::IN)];
        descriptors.extend(others.iter().map(|&(fd, flags)| PollFd::from_borrowed_fd(fd, flags)));
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
