//! The simulated kernel: connected sockets, as their system calls show them.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::VirtualClock;
use crate::options::Faults;
use crate::rate::Rate;
use crate::tape::Tape;

/// The kernel: the connections of all clients, and the tape that chooses the faults.
#[derive(Debug)]
pub(crate) struct Kernel {
    pub(crate) tape: Tape,
    pub(crate) clock: VirtualClock,
    pub(crate) faults: Faults,
    pub(crate) wires: Vec<Wire>,
    /// The wires that were not accepted yet.
    pub(crate) backlog: VecDeque<usize>,
    /// The wires of clients that receive too slowly, as the server has noticed.
    pub(crate) too_slow: Vec<usize>,
}

/// A kernel that several parts share.
pub(crate) type SharedKernel = Arc<Mutex<Kernel>>;

/// Locks what is shared. Panics of sessions on purpose don't poison it.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A connection, as its two ends see it.
#[derive(Debug, Default)]
pub(crate) struct Wire {
    /// What the client has sent and the server has not read.
    pub(crate) inbound: VecDeque<u8>,
    /// How many bytes of it have arrived.
    pub(crate) arrived: usize,
    /// After how many bytes of it there is a byte of urgent data, which is no part of it.
    pub(crate) urgent: Option<usize>,
    /// Whether the client has ended its output, and whether that has arrived.
    pub(crate) client_ended: bool,
    pub(crate) end_arrived: bool,
    /// Whether a reset has arrived from the client, and was reported.
    pub(crate) reset: bool,
    pub(crate) reset_reported: bool,
    /// How much unsent output it has dropped, which the system still counts.
    pub(crate) dropped: usize,
    /// What the server has written and the client's system has not acknowledged.
    pub(crate) outbound: VecDeque<u8>,
    pub(crate) send_capacity: usize,
    /// What has arrived at the client and was not read.
    pub(crate) received: VecDeque<u8>,
    pub(crate) receive_capacity: usize,
    /// Whether the server has ended its output, and whether that has arrived.
    pub(crate) server_ended: bool,
    pub(crate) end_received: bool,
    /// Whether a reset has arrived at the client.
    pub(crate) aborted: bool,
    /// Whether the server, or the client, has closed its socket.
    pub(crate) closed: bool,
    pub(crate) client_closed: bool,
    /// Whether something has happened since the last event was reported to the server.
    pub(crate) has_event: bool,
    /// Whether a write would have blocked since there was room.
    pub(crate) blocked: bool,
    /// How many bytes the server has read and written in total, without those that lingering discards.
    pub(crate) taken: usize,
    pub(crate) written: usize,
    /// How many bytes lingering has discarded.
    pub(crate) discarded: usize,
    /// When the server wrote last, and when a byte of its output last left its system, as far as it can know.
    pub(crate) written_at: Duration,
    pub(crate) progressed_at: Duration,
    /// When it wrote at an earlier time.
    pub(crate) written_before: Duration,
    /// How long progress may be unnoticed, and when the server has noticed it last.
    pub(crate) check: Duration,
    pub(crate) noticed_at: Duration,
    pub(crate) noticed: Option<Duration>,
    /// Since when a write would block. `None` if the last one did not.
    pub(crate) blocked_at: Option<Duration>,
    /// Since when output has been lent that is to be written, on a ring.
    pub(crate) lent_at: Option<Duration>,
    /// Whether the server looks at the queue next because a write would block, and not to judge the client.
    pub(crate) is_blocking: bool,
    /// How fast the client receives meanwhile.
    pub(crate) rate: Box<Rate>,
    /// The times in which output was left that could not be written.
    pub(crate) unsent: Vec<(Duration, Duration)>,
    /// How many bytes have arrived in total, and at which times.
    pub(crate) sent: usize,
    pub(crate) arrivals: Vec<(Duration, usize)>,
    /// Whether a reset has discarded output.
    pub(crate) has_lost_output: bool,
    /// When its conversation has ended, and since when its socket lingers at least.
    pub(crate) ended_at: Option<Duration>,
    pub(crate) lingers_since: Option<Duration>,
}

impl Wire {
    /// The bytes that a read returns at most: it stops before urgent data.
    fn readable(&self) -> usize {
        self.urgent.map_or(self.arrived, |mark| self.arrived.min(mark))
    }

    /// Whether a read returns something other than `WouldBlock`.
    pub(crate) fn is_readable(&self) -> bool {
        self.arrived > 0 || self.end_arrived || self.reset
    }

    /// Whether a poller reports that it is writable.
    pub(crate) fn is_writable(&self) -> bool {
        (self.outbound.len() < self.send_capacity && !self.blocked) || self.reset
    }

    /// Whether an event also reports urgent data, an end or a failure.
    pub(crate) fn has_more(&self) -> bool {
        self.urgent.is_some_and(|mark| mark <= self.arrived) || self.end_arrived || self.reset
    }

    /// The next `count` bytes that the client has sent arrive.
    pub(crate) fn arrive(&mut self, count: usize, now: Duration) {
        self.arrived += count;
        self.sent += count;
        self.arrivals.push((now, self.sent));
        if self.client_ended && self.arrived == self.inbound.len() {
            self.end_arrived = true;
        }
        if self.closed {
            self.abort();
        }
        self.has_event = true;
    }

    /// How many bytes had arrived before this time.
    pub(crate) fn arrived_before(&self, time: Duration) -> usize {
        let count = self.arrivals.partition_point(|(at, _)| *at < time);
        count.checked_sub(1).map_or(0, |last| self.arrivals[last].1)
    }

    /// Whether anything is on its way to the server.
    pub(crate) fn has_inbound(&self) -> bool {
        !self.reset && (self.arrived < self.inbound.len() || (self.client_ended && !self.end_arrived))
    }

    /// Whether anything is on its way to the client, and can arrive.
    pub(crate) fn has_outbound(&self) -> bool {
        let has_room = !self.outbound.is_empty() && self.received.len() < self.receive_capacity;
        let ends = self.outbound.is_empty() && self.server_ended && !self.end_received && !self.client_closed;
        !self.aborted
            && !self.reset
            && (has_room || ends || (self.client_closed && !self.outbound.is_empty()))
    }

    /// The next bytes that the server has written arrive at the client, `most` at most.
    pub(crate) fn deliver(&mut self, most: usize, now: Duration) {
        if self.client_closed {
            return self.fail(); // the client's system answers with a reset
        }
        let count = most.min(self.outbound.len()).min(self.receive_capacity - self.received.len());
        self.received.extend(self.outbound.drain(..count));
        if count > 0 {
            self.progressed_at = now;
            self.rate.receive(count, now);
        }
        self.end_received |= self.outbound.is_empty() && self.server_ended;
        // The kernel reports room once a third of the queue is free.
        if self.blocked && 3 * self.outbound.len() <= 2 * self.send_capacity {
            self.blocked = false;
            self.has_event = true;
        }
    }

    /// The client closes its socket. If it has not read everything, that resets the connection.
    pub(crate) fn close_client(&mut self) {
        if self.received.is_empty() {
            (self.client_ended, self.client_closed) = (true, true);
        } else {
            self.reset_by_client();
        }
    }

    /// The client resets the connection.
    pub(crate) fn reset_by_client(&mut self) {
        self.client_closed = true;
        self.fail();
    }

    /// A reset arrives from the client.
    pub(crate) fn fail(&mut self) {
        (self.reset, self.has_event) = (true, true);
        self.inbound.truncate(self.arrived);
        self.dropped += self.outbound.len();
        self.outbound.clear();
    }

    /// A reset goes to the client: what it was not sent is lost.
    pub(crate) fn abort(&mut self) {
        self.has_lost_output |= !self.outbound.is_empty();
        self.outbound.clear();
        self.inbound.clear();
        (self.arrived, self.urgent) = (0, None);
        self.aborted = !self.end_received || self.aborted;
    }

    fn take(&mut self, buffer: &mut [u8]) -> usize {
        if self.urgent == Some(0) {
            self.urgent = None;
        }
        let count = self.readable().min(buffer.len());
        for (to, from) in buffer.iter_mut().zip(self.inbound.drain(..count)) {
            *to = from;
        }
        self.arrived -= count;
        self.urgent = self.urgent.map(|mark| mark - count);
        count
    }

    /// A write of the server accepts `count` bytes, `all` of its output or not.
    pub(crate) fn write(&mut self, bytes: &[u8], all: usize, now: Duration) {
        self.outbound.extend(bytes);
        self.written += bytes.len();
        if now > self.written_at {
            self.written_before = self.written_at;
        }
        (self.written_at, self.progressed_at) = (now, now);
        if bytes.len() == all {
            let since = self.unsent_since();
            (self.blocked_at, self.lent_at) = (None, None);
            self.unsent.extend(since.map(|since| (since, now)));
            self.rate.all_sent(now);
        }
    }

    /// How many bytes the client's system has not acknowledged, which shows the server whether there was progress.
    pub(crate) fn queued(&mut self, now: Duration) -> u64 {
        let is_new = self.noticed != Some(self.progressed_at);
        if is_new && now >= self.progressed_at + self.check {
            (self.noticed, self.noticed_at) = (Some(self.progressed_at), now);
        }
        if !std::mem::take(&mut self.is_blocking) {
            self.rate.check(self.outbound.is_empty(), self.written_at, now);
        }
        (self.outbound.len() + self.dropped) as u64
    }

    /// Output is lent, to be written when there is room.
    pub(crate) fn lend(&mut self, now: Duration) {
        self.lent_at.get_or_insert(now);
        self.rate.lend(now);
    }

    /// Since when output could not be written.
    pub(crate) fn unsent_since(&self) -> Option<Duration> {
        self.blocked_at.map(|at| self.lent_at.unwrap_or(at))
    }

    /// A write of the server would block.
    pub(crate) fn block(&mut self, now: Duration) {
        self.blocked_at.get_or_insert(now);
        self.rate.block(now);
        self.is_blocking = true;
    }

    /// Why nothing can be written any more, if so.
    pub(crate) fn write_error(&mut self) -> Option<ErrorKind> {
        match self.takes_reset() {
            true => Some(ErrorKind::ConnectionReset),
            false => (self.reset || self.server_ended).then_some(ErrorKind::BrokenPipe),
        }
    }

    /// Whether a reset is reported, which is done once, and not after the end of the input.
    fn takes_reset(&mut self) -> bool {
        self.reset && !self.end_arrived && !std::mem::replace(&mut self.reset_reported, true)
    }

    /// Whether nothing can be sent any more.
    pub(crate) fn has_failed(&self) -> bool {
        self.reset || (self.end_arrived && self.server_ended)
    }

    /// Reads without faults.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.take(buffer) {
            0 if self.arrived > 0 => Ok(self.take(buffer)),
            0 if self.takes_reset() => Err(ErrorKind::ConnectionReset.into()),
            0 if self.end_arrived || self.reset => Ok(0),
            0 => Err(ErrorKind::WouldBlock.into()),
            count => Ok(count),
        }
    }
}
