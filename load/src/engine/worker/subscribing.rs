//! The subscribers of a worker: they subscribe before the load begins, and wait for the last pushes after it has ended.

use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::ending::INTERRUPTED_REPLY_TIMEOUT;
use super::{TICK, Worker, nanoseconds};
use crate::engine::client::Client;
use crate::engine::subscription::{Stage, Subscription};

impl Worker<'_> {
    /// The number of the subscriber at this place, which is unique among all connections.
    pub(super) fn number_of_subscriber(&self, place: usize) -> u32 {
        (self.plan.connections + self.part.number_of(place - self.senders)) as u32
    }

    /// How many subscribers there are.
    pub(in crate::engine) fn subscribed(&self) -> usize {
        self.tally.pushes.subscribers
    }

    /// Sends the message with which a connection subscribes.
    pub(super) fn subscribe(&mut self, place: usize) {
        let client = self.clients[place].as_mut();
        let Some(subscription) = client.and_then(|client| client.subscription.as_ref()) else { return };
        self.output.extend_from_slice(&self.plan.framing.frame(&subscription.message));
        self.flush(place);
    }

    /// Waits for the replies to all subscriptions. A connection without one is ended.
    pub(super) fn wait_for_subscriptions(&mut self) -> io::Result<()> {
        let is_pending = |client: &Option<Client>| {
            client
                .as_ref()
                .is_some_and(|client| client.subscription.is_some() && client.stage != Stage::Pushes)
        };
        let begin = self.now();
        while self.clients[self.senders..].iter().any(is_pending) && !self.stop.load(Ordering::Relaxed) {
            if Duration::from_nanos(self.now().saturating_sub(begin)) >= self.plan.reply_timeout {
                for place in self.senders..self.clients.len() {
                    if is_pending(&self.clients[place]) {
                        let why = format!("the server did not answer within {:?}", self.plan.reply_timeout);
                        self.end(place, &io::Error::other(why));
                    }
                }
            }
            self.turn(TICK)?;
        }
        Ok(())
    }

    /// Counts the end of a subscriber's connection as a failure.
    pub(super) fn unsubscribe(&mut self, client: &Client, subscription: &Subscription, why: &str, now: u64) {
        let (number, delivered) = (subscription.number, subscription.delivered);
        if client.stage == Stage::Pushes {
            self.tally.failures.ended += 1;
            let when = self.when(now);
            self.tally
                .failure(|| format!("subscriber {number} ended {when}, after {delivered} pushes: {why}"));
        } else {
            self.tally.failures.connect += 1;
            self.tally.failure(|| format!("subscriber {number} could not subscribe: {why}"));
        }
    }

    /// Waits until every subscriber of this worker has received every message that was answered, on any worker. How many
    /// were answered on other shards is not known, so that with several it waits until nothing more comes. It gives up if no further one is delivered within the reply timeout, and, whatever comes, after the length of the
    /// run and that time.
    pub(super) fn wait_for_pushes(&mut self) -> io::Result<()> {
        self.live.finish(self.index, self.tally.verification.accepted());
        if self.plan.subscribers.is_empty() {
            return Ok(());
        }
        let begin = self.now();
        let end = begin.saturating_add(self.window.1).saturating_add(nanoseconds(self.plan.reply_timeout));
        let (mut last, mut delivered) = (begin, self.tally.pushes.delivered);
        while !self.has_all_pushes() {
            let now = self.now();
            if self.live.accepted().is_none() || self.tally.pushes.delivered > delivered {
                (last, delivered) = (now, self.tally.pushes.delivered);
            }
            let limit = match self.stop.load(Ordering::Relaxed) {
                true => INTERRUPTED_REPLY_TIMEOUT,
                false => self.plan.reply_timeout,
            };
            if now.saturating_sub(last) >= nanoseconds(limit) || now >= end {
                break;
            }
            self.turn(TICK)?;
        }
        Ok(())
    }

    /// Whether nothing more is expected on the open connections of subscribers.
    fn has_all_pushes(&self) -> bool {
        let mut open = self.open_subscriptions().peekable();
        if open.peek().is_none() {
            return true;
        }
        let is_complete = |accepted| open.all(|of| of.delivered >= accepted);
        self.plan.shard.is_whole() && self.live.accepted().is_some_and(is_complete)
    }

    fn open_subscriptions(&self) -> impl Iterator<Item = &Subscription> {
        let clients = self.clients[self.senders..].iter().flatten();
        clients.filter_map(|client| client.subscription.as_deref())
    }

    /// Counts what the subscribers have missed of the messages of this shard, when nothing more can come.
    pub(in crate::engine) fn count_missed(&mut self) {
        let Some(accepted) = self.live.accepted() else { return };
        let open: Vec<_> = self.open_subscriptions().map(|subscription| subscription.own).collect();
        self.tally.pushes.miss(accepted, open.into_iter());
    }
}
