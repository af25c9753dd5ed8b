//! A bell: wakes a thread that waits for descriptors.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Wakes a thread that waits for descriptors. Its [waker](Self::waker) may serve for all the clients of a thread, so
/// that none needs one of its own: the thread is told whether that waker was woken, and then looks which of its clients
/// [are marked](crate::Conversation::is_marked). Whoever needs the thread for another reason calls [`ring`](Self::ring).
#[derive(Debug)]
pub struct Bell {
    rung: AtomicBool,
    /// Whether its waker was woken since it was last silenced.
    woken: AtomicBool,
    rope: UnixStream,
    clapper: UnixStream,
}

impl Bell {
    /// A bell that has not been rung. It takes two descriptors.
    pub fn new() -> io::Result<Arc<Self>> {
        let (rope, clapper) = UnixStream::pair()?;
        rope.set_nonblocking(true)?;
        clapper.set_nonblocking(true)?;
        let (rung, woken) = Default::default();
        Ok(Arc::new(Self { rung, woken, rope, clapper }))
    }

    /// A waker that rings it, and has [`silence`](Self::silence) say so.
    pub fn waker(self: &Arc<Self>) -> Waker {
        Waker::from(Arc::clone(self))
    }

    /// Rings it: the waiting thread, or the next that waits, returns at once.
    pub fn ring(&self) {
        if !self.rung.swap(true, Ordering::SeqCst) {
            // The only error is a full queue, and then it rings already.
            let _ = (&self.rope).write(&[1]);
        }
    }

    /// Silences it, so that it can ring again, where its [descriptor](AsFd) is waited for: it can be read when
    /// the bell rings. What the bell has been rung for is to be looked at afterwards. Returns whether its waker was woken
    /// since the last time.
    pub fn silence(&self) -> bool {
        // Emptied before it is marked as silent: a ring in between finds the mark, and what it stands for is
        // looked at by the caller, who comes after both. So there is never more than one byte.
        let _ = (&self.clapper).read(&mut [0; 16]);
        self.rung.store(false, Ordering::SeqCst);
        self.woken.swap(false, Ordering::SeqCst)
    }

    /// Waits until it rings.
    ///
    /// # Errors
    /// As [`wait_any`](Self::wait_any).
    pub fn wait(&self) -> io::Result<()> {
        self.wait_any(&[], None).map(drop)
    }

    /// Waits until it rings, or `descriptor` can be read.
    ///
    /// # Errors
    /// As [`wait_any`](Self::wait_any).
    pub fn wait_readable(&self, descriptor: impl AsFd) -> io::Result<()> {
        self.wait_any(&[(descriptor.as_fd(), PollFlags::IN)], None).map(drop)
    }

    /// Waits until it rings, `others` are ready, or `timeout` has passed. Tells which of `others` are ready.
    ///
    /// # Errors
    /// What `poll` may say of descriptors that are no descriptors, or of memory. An interruption is none.
    pub fn wait_any(
        &self,
        others: &[(BorrowedFd<'_>, PollFlags)],
        timeout: Option<Duration>,
    ) -> io::Result<Vec<bool>> {
        let mut descriptors = vec![PollFd::from_borrowed_fd(self.clapper.as_fd(), PollFlags::IN)];
        descriptors.extend(others.iter().map(|&(fd, flags)| PollFd::from_borrowed_fd(fd, flags)));
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        match poll(&mut descriptors, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        if !descriptors[0].revents().is_empty() {
            self.silence();
        }
        Ok(descriptors[1..].iter().map(|descriptor| !descriptor.revents().is_empty()).collect())
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.clapper.as_fd()
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::SeqCst);
        self.ring();
    }
}
