//! Establishes the connections of a worker, and re-establishes ended ones in a plan with `reconnect`.

use std::io;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use socket2::Socket;

use super::{Worker, nanoseconds};
use crate::engine::client::Client;
use crate::engine::composer::End;
use crate::engine::sources::{Attempt, CONNECT_TIMEOUT, attempt, no_handshake, socket};
use crate::engine::subscription::Stage;
use crate::quantity::plural;
use crate::transform::{Channel, TransformHook};

/// An ended connection that will be re-established.
pub(super) struct Returning {
    pub(super) client: Client,
    place: usize,
    /// When the next attempt is made.
    due: u64,
}

/// How many connects are started before pending ones are processed.
const BATCH: usize = 64;

/// The pause after a failed attempt.
const PAUSE: Duration = Duration::from_millis(20);

impl Worker<'_> {
    /// Establishes the connections, and subscribes on those of subscribers.
    pub(in crate::engine) fn connect(&mut self) -> io::Result<()> {
        let (start, count) = (Instant::now(), self.clients.len());
        let rate = self.plan.connect_rate.map(|rate| rate / self.part.count() as f64);
        let allowed = rate.map_or(Duration::ZERO, |rate| {
            Duration::try_from_secs_f64(count as f64 / rate).unwrap_or(Duration::MAX)
        });
        let (mut next, mut since, mut handshakes) = (0, start, 0);
        while !self.stop.load(Ordering::Relaxed) && since.elapsed() < allowed.saturating_add(CONNECT_TIMEOUT)
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
            if self.tally.handshakes.count() > handshakes {
                // However many there are, both ends compute for each of them.
                (since, handshakes) = (Instant::now(), self.tally.handshakes.count());
            }
        }
        for place in 0..count {
            if let Some(client) = self.clients[place].as_ref().filter(|client| !client.connected) {
                let error = io::Error::other(not_connected(client));
                self.end(place, &error);
            }
        }
        self.wait_for_subscriptions()
    }

    /// Starts a connection.
    fn begin(&mut self, place: usize) {
        let is_sender = place < self.senders;
        let number = match is_sender {
            true => self.part.number_of(self.begun as usize) as u32,
            false => self.number_of_subscriber(place),
        };
        self.begun += u32::from(is_sender);
        let since = self.now();
        match self.start(place, number) {
            Ok((socket, channel, attempt)) => {
                let new = if is_sender { Client::new } else { Client::subscriber };
                let mut client = new(socket, number, since, self.plan);
                client.channel = channel;
                self.place_client(place, client, attempt);
            }
            Err(error) => {
                let name = match is_sender {
                    true => format!("connection {number}"),
                    false => format!("subscriber {}", number - self.plan.connections as u32),
                };
                self.tally.failures.connect += 1;
                self.tally.failure(|| format!("{name} failed: {error}"));
            }
        }
    }

    /// Starts to connect, unless others already wait for room in the backlog.
    fn start(&self, place: usize, number: u32) -> io::Result<(Socket, Option<Box<Channel>>, Attempt)> {
        let channel = self.plan.transform.as_ref().map(TransformHook::channel).transpose()?;
        let socket = socket(&self.plan.address, number)?;
        let attempt = if self.backlog.is_empty() { self.attempt(&socket, place)? } else { Attempt::Full };
        Ok((socket, channel.map(Box::new), attempt))
    }

    /// Tries to connect, and registers the socket with the poller unless the backlog is full.
    pub(super) fn attempt(&self, socket: &Socket, place: usize) -> io::Result<Attempt> {
        let attempt = attempt(socket, &self.plan.address)?;
        if attempt != Attempt::Full {
            self.poller.add(socket, place, attempt == Attempt::Underway)?;
        }
        Ok(attempt)
    }

    fn place_client(&mut self, place: usize, client: Client, attempt: Attempt) {
        let number = client.number;
        self.clients[place] = Some(client);
        match attempt {
            Attempt::Connected => self.established(place),
            Attempt::Underway => {}
            Attempt::Full => self.backlog.push(place, number, self.now()),
        }
    }

    /// Handles a connection that is ready for messages.
    pub(super) fn connected(&mut self, place: usize) {
        let now = self.now();
        let Some(client) = &mut self.clients[place] else { return };
        client.connected = true;
        client.sends = client.subscription.is_none();
        if !client.sends {
            return self.subscribe(place);
        }
        client.record = self.composer.record_open(client.number);
        if (self.window.0..self.window.1).contains(&now) {
            match client.channel {
                None => self.tally.connect.saturating_record(now.saturating_sub(client.since)),
                Some(_) => client.connecting = Some(now.saturating_sub(client.since)),
            }
        }
        self.send_again(place, now);
        self.refill(place, now, usize::MAX);
    }

    /// Handles a writable connection: it is established, or the kernel accepts more. Returns whether it is open.
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
            Ok(()) => self.established(place),
            Err(error) if was_connected => self.broken(place, &error),
            Err(error) => self.end(place, &error),
        }
        self.clients[place].is_some()
    }

    /// Waits for writability only if there is something to write.
    pub(super) fn rearm(&self, place: usize) -> io::Result<()> {
        let Some(client) = &self.clients[place] else { return Ok(()) };
        self.poller.modify(&client.socket, place, client.has_unsent())
    }

    /// Closes a connection that has sent its number of messages, and starts another.
    pub(super) fn renew(&mut self, place: usize) {
        if let Some(client) = &mut self.clients[place] {
            client.announce_end();
        }
        self.leave(place, End::Left);
        self.begin(place);
    }

    /// Handles a failed or ended connection.
    pub(super) fn end(&mut self, place: usize, error: &io::Error) {
        let now = self.now();
        let Some(client) = self.leave(place, End::Died) else { return };
        if self.leaving {
            return;
        }
        if let Some(subscription) = &client.subscription {
            return self.unsubscribe(&client, subscription, &reason(error, false), now);
        }
        let most = self.plan.messages_per_connection;
        if client.unanswered() == 0 && most.is_some_and(|most| client.sent_here >= most) {
            // All its messages were sent and answered: the server was only faster in closing it.
            if self.loading {
                self.begin(place);
            }
            return;
        }
        let is_refused = client.is_refused_by(error);
        if self.plan.reconnect && (!is_refused || client.is_again) {
            self.park(place, client, error, now);
            return;
        }
        self.give_up(place, &client, now);
        let number = client.number;
        let (when, why) = (self.when(now), reason(error, client.is_refused));
        if client.connected {
            self.tally.stopped = Some(format!("{when}, no connection was left; of the last one, {why}"));
        }
        if is_refused {
            self.tally.failures.connect += 1;
            self.tally.refused += usize::from(client.connected && (number as usize) < self.plan.connections);
            self.tally.failure(|| format!("connection {number} failed: {error}"));
        } else {
            let (sent, unanswered) = (plural(client.sent_here, "message"), client.unanswered());
            self.tally.failures.ended += 1;
            self.tally.failures.unanswered += unanswered;
            self.tally.failure(|| {
                format!(
                    "connection {number} ended {when}, after {sent}, {unanswered} of them unanswered: {why}"
                )
            });
        }
    }

    /// Describes a time.
    pub(super) fn when(&self, now: u64) -> String {
        match self.window.0 {
            u64::MAX => "before the start".to_owned(),
            _ => format!("{:.1} s after the start", now as f64 / 1e9),
        }
    }

    pub(super) fn leave(&mut self, place: usize, end: End) -> Option<Client> {
        let client = self.clients[place].take()?;
        if client.connected && client.subscription.is_none() {
            self.composer.record_end(client.record, end);
        }
        if client.stage == Stage::Pushes
            && let Some(subscription) = &client.subscription
        {
            self.tally.pushes.end(subscription.own);
        }
        // Before the socket is closed, since its descriptor may be reused at once.
        self.poller.delete(&client.socket);
        Some(client)
    }

    /// Keeps an ended connection to re-establish it: at once if the server has answered a message on it, and otherwise
    /// after a pause. A busy error does not count as an answer.
    fn park(&mut self, place: usize, mut client: Client, error: &io::Error, now: u64) {
        client.close();
        let why = reason(error, client.is_refused);
        let has_answered = client.done_here > 0;
        let due = if has_answered { now } else { now.saturating_add(nanoseconds(PAUSE)) };
        let since = client.gone.take().filter(|_| !has_answered).map_or(now, |(since, _)| since);
        client.gone = Some((since, why));
        client.done_here = 0;
        client.is_served = false;
        self.returning.push(Returning { client, place, due });
    }

    /// Re-establishes the connections that are due.
    pub(super) fn reconnect(&mut self, now: u64) {
        let mut at = 0;
        while let Some(returning) = self.returning.get(at) {
            if returning.due > now {
                at += 1;
                continue;
            }
            let Returning { client, place, .. } = self.returning.swap_remove(at);
            match self.start(place, client.number) {
                Ok((socket, channel, attempt)) => {
                    let mut client = client.again(socket, now, self.plan);
                    client.channel = channel;
                    self.place_client(place, client, attempt);
                }
                Err(error) => self.park(place, client, &error, now),
            }
        }
    }

    /// Sends the messages again that were unanswered when the connection ended.
    fn send_again(&mut self, place: usize, now: u64) {
        let Some(client) = self.clients[place].as_mut().filter(|client| client.is_again) else { return };
        self.tally.reconnected += 1;
        self.tally.resent += client.push_again(&mut self.composer, now, &mut self.output);
        if client.messages.len() == 0 {
            // It is not yet known whether the server serves it, and no message waits for it.
            client.gone = None;
        }
        self.flush(place);
    }

    /// Moves the times of reconnecting connections to a new epoch, which is later by this duration.
    pub(super) fn shift_epoch(&mut self, later: u64) {
        self.backlog.shift_epoch(later);
        for returning in &mut self.returning {
            returning.due = returning.due.saturating_sub(later);
        }
        let returning = self.returning.iter_mut().map(|returning| &mut returning.client);
        for client in self.clients.iter_mut().flatten().chain(returning) {
            client.since = client.since.saturating_sub(later);
            if let Some((since, _)) = &mut client.gone {
                *since = since.saturating_sub(later);
            }
        }
    }

    /// Whether this worker can't produce load any more: it has no connection, and none could be re-established within
    /// the reply timeout.
    pub(super) fn is_left_alone(&mut self, now: u64) -> bool {
        let reply_timeout = nanoseconds(self.plan.reply_timeout);
        let gone = |client: &Client| match &client.gone {
            Some((since, why)) if client.done_here == 0 && now.saturating_sub(*since) >= reply_timeout => {
                Some(why.clone())
            }
            _ => None,
        };
        let returning = self.returning.iter().map(|returning| &returning.client);
        let senders = self.clients[..self.senders].iter().flatten();
        let Some(whys) = senders.chain(returning).map(gone).collect::<Option<Vec<_>>>() else {
            return false;
        };
        if let Some(why) = whys.last() {
            let (when, reply_timeout) = (self.when(now), self.plan.reply_timeout);
            self.tally.stopped = Some(format!(
                "{when}, no connection could be re-established within {reply_timeout:?}: {why}"
            ));
        }
        true
    }

    /// Counts those that could not be re-established as failed.
    pub(super) fn abandon(&mut self) {
        let now = self.now();
        // A connection that was re-established but not served since counts as ended, since it may still be refused.
        let is_gone = |client: &Client| !client.is_served && (!client.connected || client.gone.is_some());
        for place in 0..self.clients.len() {
            if self.clients[place].as_ref().is_some_and(|client| client.is_again && is_gone(client))
                && let Some(client) = self.leave(place, End::Left)
            {
                match client.connected {
                    true => self.returning.push(Returning { client, place, due: now }),
                    false => self.park(place, client, &io::Error::other("the server did not accept it"), now),
                }
            }
        }
        for Returning { client, .. } in std::mem::take(&mut self.returning) {
            let (number, unanswered) = (client.number, client.unanswered());
            let why = client.gone.map_or_else(String::new, |(_, why)| why);
            self.tally.failures.ended += 1;
            self.tally.failures.unanswered += unanswered;
            self.tally.failure(|| {
                format!(
                    "connection {number} ended, with {unanswered} messages unanswered, and could not be re-established: {why}"
                )
            });
        }
    }
}

/// Why a connection is not ready in time.
pub(super) fn not_connected(client: &Client) -> String {
    match &client.channel {
        Some(channel) if channel.has_begun() => no_handshake(),
        _ => format!("the server did not accept it within {} s", CONNECT_TIMEOUT.as_secs()),
    }
}

/// Describes why a connection ended.
fn reason(error: &io::Error, is_refused: bool) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof if is_refused => "the server closed it after a refusal".to_owned(),
        io::ErrorKind::UnexpectedEof => "the server closed it".to_owned(),
        _ => error.to_string(),
    }
}
