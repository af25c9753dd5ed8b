//! Lingering close: discards the input of sockets whose conversation is over.

use std::io::ErrorKind;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use rustix::event::PollFlags;

use crate::Accepted;
use common::canary;

/// Sockets whose conversation is over and whose client may still be sending.
///
/// Closing a socket with unread input resets the connection, and the reset drops output that was not delivered yet. So the
/// input is discarded up to its end, or up to a limit of bytes. Beyond that limit the socket is closed once the client's
/// system has acknowledged all output, or when the time is up.
#[derive(Debug)]
pub(crate) struct Lingering {
    sockets: Vec<Closing>,
    max_sockets: usize,
}

/// A socket whose input is discarded.
#[derive(Debug)]
struct Closing {
    socket: Box<dyn Accepted>,
    until: Instant,
    /// How many more bytes are discarded.
    left: usize,
}

/// The most sockets that linger at once if the descriptors suffice. They don't count towards the connection limit.
const MAX_SOCKETS: usize = 256;
/// The number of sockets that may linger in any case.
const MIN_SOCKETS: usize = 8;
/// Descriptors that are left for other purposes.
const OTHER_DESCRIPTORS: usize = 32;
const MAX_TIME: Duration = Duration::from_secs(2);
const MAX_BYTES: usize = 64 * 1024;

/// How many sockets may linger, with this limit on connections and this limit on descriptors.
fn max_sockets(max_connections: usize, descriptors: Option<usize>) -> usize {
    let left = descriptors.map(|all| all.saturating_sub(max_connections.saturating_add(OTHER_DESCRIPTORS)));
    left.unwrap_or(MAX_SOCKETS).clamp(MIN_SOCKETS, MAX_SOCKETS)
}

impl Lingering {
    /// Leaves descriptors for `max_connections`.
    pub(crate) fn new(max_connections: usize, max_descriptors: Option<usize>) -> Self {
        Self { sockets: Vec::new(), max_sockets: max_sockets(max_connections, max_descriptors) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.sockets.is_empty()
    }

    /// The sockets to poll for input.
    pub(crate) fn polled(&self) -> Vec<(BorrowedFd<'_>, PollFlags)> {
        let polled = self.sockets.iter().filter_map(Closing::polled);
        polled.map(|descriptor| (descriptor, PollFlags::IN)).collect()
    }

    /// Adds sockets. If there are too many, closes those whose output was acknowledged, and if this doesn't suffice, the
    /// newest. Returns how many of the latter it closed.
    pub(crate) fn add(&mut self, sockets: Vec<Box<dyn Accepted>>, now: Instant) -> u64 {
        if sockets.is_empty() {
            return 0;
        }
        let until = now + MAX_TIME;
        let left = if canary!("discards input without end") { usize::MAX } else { MAX_BYTES };
        let sockets = sockets.into_iter().map(|socket| Closing { socket, until, left });
        self.sockets.extend(sockets.filter_map(|mut socket| (!socket.is_over()).then_some(socket)));
        if self.sockets.len() > self.max_sockets {
            self.close_acknowledged();
        }
        self.sockets.drain(self.max_sockets.min(self.sockets.len())..).count() as u64
    }

    /// Closes the sockets whose output was acknowledged, to free descriptors.
    pub(crate) fn close_acknowledged(&mut self) {
        self.sockets.retain(|socket| !socket.is_acknowledged());
    }

    /// Discards the input of the ready sockets among [`polled`](Self::polled), and closes those that are done.
    pub(crate) fn discard(&mut self, ready: &[bool]) {
        let mut ready = ready.iter();
        self.sockets.retain_mut(|socket| {
            let ready = socket.polled().is_some() && ready.next().is_some_and(|&ready| ready);
            !ready || !socket.is_over()
        });
    }

    /// Closes the sockets whose time is up, and those that are not polled and are done.
    pub(crate) fn expire(&mut self, now: Instant) {
        self.sockets.retain_mut(|socket| {
            (now < socket.until || canary!("lingers for ever"))
                && (socket.polled().is_some() || !socket.is_over())
        });
    }
}

impl Closing {
    /// What to poll, until the limit of bytes is reached.
    fn polled(&self) -> Option<BorrowedFd<'_>> {
        self.socket.descriptor().filter(|_| self.left > 0)
    }

    /// Discards the input that has arrived. Returns whether to close the socket.
    fn is_over(&mut self) -> bool {
        while self.left > 0 {
            match self.socket.discard(self.left) {
                Ok(0) => return true,
                Ok(count) => self.left -= count,
                Err(error) => return !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted),
            }
        }
        self.is_acknowledged()
    }

    /// Whether the client's system has acknowledged all output and the FIN.
    fn is_acknowledged(&self) -> bool {
        self.socket.queued() == 0 || canary!("closes before the output is acknowledged")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lingering_sockets_leave_descriptors_for_connections() {
        assert_eq!(max_sockets(10_000, None), 256);
        assert_eq!(max_sockets(10_000, Some(1_000_000)), 256);
        assert_eq!(max_sockets(960, Some(1024)), 32);
        assert_eq!(max_sockets(960, Some(1000)), 8);
        assert_eq!(max_sockets(usize::MAX, Some(64)), 8);
    }
}
