//! Sockets whose conversation is over and whose client may still be sending.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

use crate::serving::ledger::Ledger;
use crate::serving::socket;

/// Sockets whose conversation is over and whose client may still be sending. A socket that is closed with
/// unread input resets its connection, and a reset drops what the client has not been sent yet: so the
/// input is discarded until its end, within bounds. A client that goes on beyond them gets the reset when
/// it has all it was owed, which it can read in spite of it, or when its time is up.
#[derive(Default)]
pub(super) struct Lingering(Vec<Socket>);

struct Socket {
    socket: OwnedFd,
    until: Instant,
    left: usize,
}

/// How many sockets may linger at a time. They are outside the connection limit.
const MOST: usize = 256;
const LONGEST: Duration = Duration::from_secs(2);
const MOST_BYTES: usize = 64 * 1024;

impl Lingering {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those whose input is waited for.
    pub(super) fn sockets(&self) -> Vec<(BorrowedFd<'_>, PollFlags)> {
        let listening = self.0.iter().filter(|socket| socket.left > 0);
        listening.map(|socket| (socket.socket.as_fd(), PollFlags::IN)).collect()
    }

    /// Takes sockets in. Where there are too many, those go first whose client has been sent everything; and
    /// then, with a mark in the books, those that come.
    pub(super) fn admit(&mut self, sockets: Vec<OwnedFd>, ledger: &Ledger) {
        if sockets.is_empty() {
            return;
        }
        let until = Instant::now() + LONGEST;
        let sockets = sockets.into_iter().map(|socket| Socket { socket, until, left: MOST_BYTES });
        self.0.extend(sockets.filter_map(|mut socket| (!socket.is_over()).then_some(socket)));
        if self.0.len() > MOST {
            self.0.retain(|socket| !socket.has_all());
        }
        for _ in self.0.drain(MOST.min(self.0.len())..) {
            ledger.unlingered();
        }
    }

    /// Discards the input of those among [`sockets`](Self::sockets) that are ready, and closes those that
    /// have come to their end.
    pub(super) fn discard(&mut self, ready: &[bool]) {
        let mut ready = ready.iter();
        self.0.retain_mut(|socket| {
            let ready = socket.left > 0 && ready.next().is_some_and(|&ready| ready);
            !ready || !socket.is_over()
        });
    }

    /// Closes those whose time is up, and those that have been sent everything and would not stop.
    pub(super) fn expire(&mut self, now: Instant) {
        self.0.retain_mut(|socket| now < socket.until && (socket.left > 0 || !socket.is_over()));
    }
}

impl Socket {
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
        socket::queued(&self.socket) == 0
    }
}
