//! How a worker ends: it waits for the replies that are due, and then looks whether there are more.

use std::io;
use std::net::Shutdown;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::{TICK, Worker};
use crate::engine::client::Client;

/// How long it waits for replies once it is told to stop.
const HURRY: Duration = Duration::from_millis(500);

impl Worker<'_> {
    /// Waits for the replies that are on their way. What does not come is lost, or its connection was not served
    /// at all; unless the wait was cut short: then nobody knows.
    pub(super) fn wait_for_replies(&mut self) -> io::Result<()> {
        let begin = self.now();
        while self.is_waiting() {
            let waited = Duration::from_nanos(self.now().saturating_sub(begin));
            if waited >= self.plan.patience {
                break;
            }
            if waited >= HURRY && self.stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            self.turn(TICK)?;
            self.reconnect(self.now());
        }
        self.count_unanswered();
        self.give_up();
        Ok(())
    }

    /// Whether replies are still to come.
    fn is_waiting(&self) -> bool {
        !self.returning.is_empty() || self.clients.iter().flatten().any(|client| client.in_flight() > 0)
    }

    fn count_unanswered(&mut self) {
        for client in self.clients.iter().flatten() {
            let (number, count) = (client.number, client.unanswered());
            let Some(first) = client.first_unanswered() else { continue };
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

    /// Tells the server on each connection that no more messages come. A server that keeps to its protocol says
    /// nothing any more and closes, for every message has its reply.
    pub(in crate::engine) fn begin_to_leave(&mut self) {
        self.leaving = true;
        for place in 0..self.clients.len() {
            let has_all = |client: &Client| {
                client.connected
                    && client.unanswered() == 0
                    && client.socket.shutdown(Shutdown::Write).is_ok()
            };
            if !self.clients[place].as_ref().is_some_and(has_all) {
                self.leave(place);
            }
        }
    }

    /// Takes in what the server says nevertheless, until it has closed all connections or the time has come. So
    /// it is noticed that each reply answered another message than it was taken for: then one is left over.
    pub(in crate::engine) fn leave_until(&mut self, end: Instant) -> io::Result<()> {
        while self.clients.iter().any(Option::is_some) && Instant::now() < end {
            self.turn(TICK.min(end.saturating_duration_since(Instant::now())))?;
        }
        Ok(())
    }
}
