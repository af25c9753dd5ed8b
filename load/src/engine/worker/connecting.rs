//! How a worker makes its connections, and what it does when they end.

use std::io;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::Worker;
use crate::engine::client::Client;
use crate::engine::sources::connect;

/// How long making the connections may take, beside what the connect rate asks for.
pub(in crate::engine) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// So many are begun before those under way are seen to.
const BATCH: usize = 64;

impl Worker<'_> {
    /// Makes the connections. Tells how many stand.
    pub(in crate::engine) fn connect(&mut self) -> io::Result<usize> {
        let (start, count) = (Instant::now(), self.clients.len());
        let rate = self.plan.connect_rate.map(|rate| rate / self.plan.threads as f64);
        let allowed = rate.map_or(Duration::ZERO, |rate| {
            Duration::try_from_secs_f64(count as f64 / rate).unwrap_or(Duration::MAX)
        });
        let mut next = 0;
        while !self.stop.load(Ordering::Relaxed) && start.elapsed() < allowed.saturating_add(CONNECT_TIMEOUT)
        {
            let due =
                rate.map_or(count, |rate| count.min((start.elapsed().as_secs_f64() * rate) as usize + 1));
            let batch = next..due.min(next + BATCH);
            batch.clone().for_each(|place| self.begin(place));
            next = batch.end.max(next);
            if next == count && self.clients.iter().flatten().all(|client| client.connected) {
                break;
            }
            self.turn(if next < due { Duration::ZERO } else { Duration::from_millis(1) })?;
            self.reconnect(self.now());
        }
        for place in 0..count {
            if self.clients[place].as_ref().is_some_and(|client| !client.connected) {
                let seconds = CONNECT_TIMEOUT.as_secs();
                self.end(place, &io::Error::other(format!("nobody accepted it within {seconds} s")));
            }
        }
        Ok(self.clients.iter().flatten().count())
    }

    /// Begins a connection.
    fn begin(&mut self, place: usize) {
        let number = self.begun * self.plan.threads as u32 + self.index as u32;
        self.begun += 1;
        let since = self.now();
        let begun = connect(self.plan.address, number).and_then(|(socket, connected)| {
            self.poller.add(&socket, place, !connected)?;
            Ok((socket, connected))
        });
        match begun {
            Ok((socket, connected)) => {
                self.clients[place] = Some(Client::new(socket, number, since, self.plan));
                if connected {
                    self.connected(place);
                }
            }
            Err(error) => {
                self.tally.failures.connect += 1;
                self.tally.failure(|| format!("connection {number} can't be made: {error}"));
            }
        }
    }

    /// A connection has been made.
    pub(super) fn connected(&mut self, place: usize) {
        let now = self.now();
        let Some(client) = &mut self.clients[place] else { return };
        client.connected = true;
        if (self.window.0..self.window.1).contains(&now) {
            self.tally.connect.saturating_record(now.saturating_sub(client.since));
        }
        self.send_again(place, now);
        self.refill(place, now, usize::MAX);
    }

    /// A connection can be written: it has been made, or the kernel takes more. Tells whether it stands.
    pub(super) fn writable(&mut self, place: usize) -> bool {
        let Some(client) = &mut self.clients[place] else { return false };
        let was_connected = client.connected;
        let result = match client.socket.take_error() {
            Ok(None) => client.send(&mut Vec::new()),
            Ok(Some(error)) | Err(error) => Err(error),
        };
        let result = result.and_then(|()| self.rearm(place));
        match result {
            Ok(()) if was_connected => {}
            Ok(()) => self.connected(place),
            Err(error) if was_connected => self.broken(place, &error),
            Err(error) => self.end(place, &error),
        }
        self.clients[place].is_some()
    }

    /// Waits for room to write only where something is to be written.
    pub(super) fn rearm(&self, place: usize) -> io::Result<()> {
        let Some(client) = &self.clients[place] else { return Ok(()) };
        self.poller.modify(&client.socket, place, client.has_unsent())
    }

    /// Closes a connection that has had its messages, and begins another.
    pub(super) fn renew(&mut self, place: usize) {
        self.leave(place);
        self.begin(place);
    }

    /// A connection has failed, or has come to its end.
    pub(super) fn end(&mut self, place: usize, error: &io::Error) {
        let now = self.now();
        let Some(client) = self.leave(place) else { return };
        if self.leaving {
            return;
        }
        let most = self.plan.messages_per_connection;
        if client.unanswered() == 0 && most.is_some_and(|most| client.sent() >= most) {
            // It has had its messages: the server was only faster to close it.
            if self.loading {
                self.begin(place);
            }
            return;
        }
        if self.plan.reconnect && (client.connected || client.is_again) {
            self.park(place, client, error, now);
            return;
        }
        self.give_up(place, &client, now);
        let number = client.number;
        if client.connected {
            let (sent, unanswered) = (client.sent(), client.unanswered());
            self.tally.failures.ended += 1;
            self.tally.failures.unanswered += unanswered;
            let (when, why) = (self.when(now), reason(error, client.is_refused));
            self.tally.failure(|| {
                format!(
                    "connection {number} ended {when}, after {sent} messages, {unanswered} of them unanswered: {why}"
                )
            });
            self.tally.stopped = Some(format!("{when}, no connection was left; of the last one, {why}"));
        } else {
            self.tally.failures.connect += 1;
            self.tally.failure(|| format!("connection {number} can't be made: {error}"));
        }
    }

    /// A time in words.
    pub(super) fn when(&self, now: u64) -> String {
        match self.window.0 {
            u64::MAX => "before the start".to_owned(),
            _ => format!("{:.1} s after the start", now as f64 / 1e9),
        }
    }

    pub(super) fn leave(&mut self, place: usize) -> Option<Client> {
        let client = self.clients[place].take()?;
        // Before the socket is closed: its number may be another's at once.
        self.poller.delete(&client.socket);
        Some(client)
    }
}

/// Why a connection ended, in words.
pub(super) fn reason(error: &io::Error, is_refused: bool) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof if is_refused => "the server closed it behind a refusal".to_owned(),
        io::ErrorKind::UnexpectedEof => "the server closed it".to_owned(),
        _ => error.to_string(),
    }
}
