//! The end of a worker: it waits for the expected replies, and then checks for extra ones.

use std::io;
use std::net::Shutdown;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::connecting::not_connected;
use super::{TICK, Worker, nanoseconds};
use crate::engine::client::Client;
use crate::engine::composer::End;
use crate::engine::queue::Queue;
use crate::engine::sources::CONNECT_TIMEOUT;
use crate::engine::tally::Tally;

/// How long it waits for replies after an interruption.
pub(super) const INTERRUPTED_REPLY_TIMEOUT: Duration = Duration::from_millis(500);

/// How long messages that were due before the end are still sent after it. If that is not enough, the server is
/// overloaded or stalls, and the messages count with the time they have waited.
const MAX_LATE_SENDS: Duration = Duration::from_secs(1);

/// How many times as long as the warm-up they are sent after that, while a server that answers is behind: the backlog
/// of the warm-up delays the messages of the measured time, and their rate is counted from the first reply to one. At
/// eleven times the rate that a server achieves, its rate is still complete.
const LATE_SENDS_OF_WARMUP: u32 = 10;

impl Worker<'_> {
    /// Waits for the replies to messages in flight, and sends the waiting messages. A reply that is missing when the last
    /// message was sent long enough ago is lost, or its connection was never served. After an interruption, missing replies are not classified.
    pub(super) fn wait_for_replies(&mut self) -> io::Result<()> {
        let begin = self.now();
        let mut last_sent = begin;
        let mut interrupted = false;
        self.loading = self.queue.is_some() && !self.stop.load(Ordering::Relaxed);
        // Messages that became due during the last wait.
        self.send_what_is_due(begin);
        while self.is_waiting() {
            let now = self.now();
            let since = |then| Duration::from_nanos(now.saturating_sub(then));
            let waited = since(begin);
            self.loading &= waited < MAX_LATE_SENDS || self.is_behind(now, waited);
            if self.loading && self.queue.as_ref().is_some_and(|queue| queue.iter().next().is_some()) {
                last_sent = now;
            }
            interrupted = waited >= INTERRUPTED_REPLY_TIMEOUT && self.stop.load(Ordering::Relaxed);
            if since(last_sent) >= self.plan.reply_timeout || interrupted || self.is_left_alone(now) {
                break;
            }
            self.turn(TICK)?;
            self.reconnect(self.now());
        }
        self.loading = false;
        self.count_unfinished();
        if !interrupted {
            self.abandon();
            self.count_unanswered();
        }
        Ok(())
    }

    /// Whether the rate is still counted of a server that has answered within the last second.
    fn is_behind(&self, now: u64, waited: Duration) -> bool {
        let most = self.plan.warmup.saturating_mul(LATE_SENDS_OF_WARMUP).saturating_add(MAX_LATE_SENDS);
        let silence = Duration::from_nanos(now.saturating_sub(self.tally.now()));
        waited < most && silence < MAX_LATE_SENDS && self.tally.is_counting(now)
    }

    /// Whether a reply is expected, a message has to be sent, or a connection has to be re-established.
    fn is_waiting(&self) -> bool {
        let waits = |queue: &Queue, place| self.loading && !queue.is_empty(place);
        !self.returning.is_empty()
            || self.clients.iter().enumerate().any(|(place, client)| {
                client.as_ref().is_some_and(|client| {
                    let is_coming = client.is_again && !client.connected;
                    is_coming
                        || client.messages.len() > 0
                        || self.queue.as_ref().is_some_and(|queue| waits(queue, place))
                })
            })
    }

    /// Counts unanswered messages with the time they have waited, which is a lower bound of their latency.
    fn count_unfinished(&mut self) {
        let (now, window) = (self.now(), self.window);
        let returning = self.returning.iter().map(|returning| &returning.client);
        for client in self.clients.iter().flatten().chain(returning) {
            give_up_sent(&mut self.tally, client, now, window);
        }
        let queue = self.queue.iter().flat_map(Queue::iter);
        for due in queue.filter(|due| (window.0..window.1).contains(due)) {
            self.tally.give_up(due, None, now);
        }
    }

    /// Counts the messages of an ended connection in the same way: those that were sent, and those that waited for this
    /// connection only.
    pub(super) fn give_up(&mut self, place: usize, client: &Client, now: u64) {
        let window = self.window;
        give_up_sent(&mut self.tally, client, now, window);
        let Some(queue) = self.queue.as_mut().filter(|queue| !queue.is_shared()) else { return };
        while let Some(due) = queue.pop(place) {
            if (window.0..window.1).contains(&due) {
                self.tally.give_up(due, None, now);
            }
        }
    }

    fn count_unanswered(&mut self) {
        let now = self.now();
        for client in self.clients.iter().flatten() {
            let (number, count) = (client.number, client.unanswered());
            if !client.connected && now.saturating_sub(client.since) >= nanoseconds(CONNECT_TIMEOUT) {
                self.tally.failures.connect += 1;
                self.tally.failure(|| format!("connection {number} failed: {}", not_connected(client)));
            }
            let Some(first) = client.messages.iter().map(|sent| sent.number).min() else { continue };
            if client.is_served {
                self.tally.verification.lost += count;
                self.tally.example(|| match count {
                    1 => format!("lost: connection {number}, message {first}: no reply came"),
                    _ => {
                        format!("lost: connection {number}, {count} messages from {first} on: no reply came")
                    }
                });
            } else {
                self.tally.failures.unserved += 1;
                self.tally.failures.unanswered += count;
                self.tally.failure(|| {
                    format!(
                        "connection {number} was made and never served: nothing came, not even a first reply"
                    )
                });
            }
        }
    }

    /// Shuts down the sending side of each connection. Since every message was answered, a correct server sends nothing
    /// more and closes.
    pub(in crate::engine) fn begin_to_leave(&mut self) {
        self.leaving = true;
        let end = if self.stop.load(Ordering::Relaxed) { End::Interrupted } else { End::Left };
        for place in 0..self.clients.len() {
            // A connection in its handshake is ended behind it, since a server takes it for one that was cut off otherwise.
            let stays = |client: &mut Client| {
                if client.is_handshaking() {
                    return true;
                }
                let has_all = client.connected && client.unanswered() == 0;
                client.announce_end();
                has_all && client.socket.shutdown(Shutdown::Write).is_ok()
            };
            if !self.clients[place].as_mut().is_some_and(stays) {
                self.leave(place, end);
            }
        }
    }

    /// Receives what the server still sends, until it has closed all connections or the deadline passes. An extra reply
    /// means that earlier replies were attributed to the wrong messages.
    pub(in crate::engine) fn leave_until(&mut self, end: Instant) -> io::Result<()> {
        while self.clients.iter().any(Option::is_some) && Instant::now() < end {
            self.turn(TICK.min(end.saturating_duration_since(Instant::now())))?;
        }
        Ok(())
    }
}

/// Gives up the measured messages that were sent on a connection and have no reply.
fn give_up_sent(tally: &mut Tally, client: &Client, now: u64, window: (u64, u64)) {
    for sent in client.messages.iter().filter(|sent| (window.0..window.1).contains(&sent.scheduled)) {
        tally.give_up(sent.scheduled, Some(sent.sent), now);
    }
}
