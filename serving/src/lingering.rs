//! Sockets whose conversation is over and whose client may still be sending.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

use crate::{Socket, Transport, descriptors};

/// Sockets whose conversation is over and whose client may still be sending. A socket that is closed with
/// unread input resets its connection, and a reset drops what the client has not been sent yet: so the
/// input is discarded until its end, within bounds. A client that goes on beyond them gets the reset when
/// it has all it was owed, which it can read in spite of it, or when its time is up.
pub(crate) struct Lingering {
    sockets: Vec<Closing>,
    most: usize,
}

/// A socket whose input is discarded.
struct Closing {
    socket: Socket,
    until: Instant,
    left: usize,
}

/// How many sockets may linger at a time, where as many may be open. They are outside the connection limit.
const MOST: usize = 256;
/// So many may linger in any case.
const LEAST: usize = 8;
/// Descriptors that are left for everything else.
const OTHER_DESCRIPTORS: usize = 32;
const LONGEST: Duration = Duration::from_secs(2);
const MOST_BYTES: usize = 64 * 1024;

/// How many may linger beside so many connections, where so many descriptors may be open.
fn most(max_connections: usize, descriptors: Option<usize>) -> usize {
    let left = descriptors.map(|all| all.saturating_sub(max_connections.saturating_add(OTHER_DESCRIPTORS)));
    left.unwrap_or(MOST).clamp(LEAST, MOST)
}

impl Lingering {
    /// Beside so many connections.
    pub(crate) fn new(max_connections: usize) -> Self {
        Self { sockets: Vec::new(), most: most(max_connections, descriptors::limit()) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.sockets.is_empty()
    }

    /// Those whose input is waited for.
    pub(crate) fn sockets(&self) -> Vec<(BorrowedFd<'_>, PollFlags)> {
        let listening = self.sockets.iter().filter(|socket| socket.left > 0);
        listening.map(|socket| (socket.socket.as_fd(), PollFlags::IN)).collect()
    }

    /// Takes sockets in. Where there are too many, those are closed first whose client has been sent everything, and then
    /// those that have just come. Returns how many of the latter were closed.
    pub(crate) fn admit(&mut self, sockets: Vec<Socket>, now: Instant) -> u64 {
        if sockets.is_empty() {
            return 0;
        }
        let until = now + LONGEST;
        let sockets = sockets.into_iter().map(|socket| Closing { socket, until, left: MOST_BYTES });
        self.sockets.extend(sockets.filter_map(|mut socket| (!socket.is_over()).then_some(socket)));
        if self.sockets.len() > self.most {
            self.spare();
        }
        self.sockets.drain(self.most.min(self.sockets.len())..).count() as u64
    }

    /// Closes those whose client has been sent everything, since descriptors are short.
    pub(crate) fn spare(&mut self) {
        self.sockets.retain(|socket| !socket.has_all());
    }

    /// Discards the input of those among [`sockets`](Self::sockets) that are ready, and closes those that
    /// have come to their end.
    pub(crate) fn discard(&mut self, ready: &[bool]) {
        let mut ready = ready.iter();
        self.sockets.retain_mut(|socket| {
            let ready = socket.left > 0 && ready.next().is_some_and(|&ready| ready);
            !ready || !socket.is_over()
        });
    }

    /// Closes those whose time is up, and those that have been sent everything and would not stop.
    pub(crate) fn expire(&mut self, now: Instant) {
        self.sockets.retain_mut(|socket| now < socket.until && (socket.left > 0 || !socket.is_over()));
    }
}

impl Closing {
    /// Discards what is there, and tells whether it was the last.
    fn is_over(&mut self) -> bool {
        let mut bin = [0; 4096];
        while self.left > 0 {
            let room = self.left.min(bin.len());
            match recv(&self.socket, &mut bin[..room], RecvFlags::DONTWAIT) {
                Ok((0, _)) => return true,
                Ok((count, _)) => self.left -= count,
                Err(Errno::AGAIN | Errno::INTR) => return false,
                Err(_) => return true,
            }
        }
        self.has_all()
    }

    /// Whether the client's system has all that was owed, and the end of it.
    fn has_all(&self) -> bool {
        (&self.socket).queued() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_come_before_sockets_that_linger() {
        assert_eq!(most(10_000, None), 256);
        assert_eq!(most(10_000, Some(1_000_000)), 256);
        assert_eq!(most(960, Some(1024)), 32);
        assert_eq!(most(960, Some(1000)), 8);
        assert_eq!(most(usize::MAX, Some(64)), 8);
    }
}
