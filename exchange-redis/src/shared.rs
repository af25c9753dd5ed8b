//! What the threads of an exchange share.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use common::{LocalExchange, PublishError, guarded};
use redis::{Client, Connection, RedisResult};
use serving::LogLimiter;

use crate::outgoing::Message;
use crate::{Options, Outgoing};

/// The number of messages of a [`RedisExchange`](crate::RedisExchange), and what became of them: `published = sent + lost + refused`
/// and those that wait to be sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RedisCounts {
    /// All messages that were published in this process.
    pub published: u64,
    /// The messages that Redis has confirmed.
    pub sent: u64,
    /// The messages that were accepted and not confirmed: Redis was lost, or has rejected them.
    pub lost: u64,
    /// The messages that were not accepted: those for which [`publish`](common::Exchange::publish) has returned an error.
    pub refused: u64,
    /// The messages of other processes that were received.
    pub received: u64,
    /// The messages that were received and not delivered, since no exchange has published them.
    pub invalid: u64,
    /// How often a connection was lost or could not be made. There are two connections.
    pub failures: u64,
}

pub(crate) struct Shared {
    /// The subscribers of this process.
    pub(crate) local: LocalExchange,
    pub(crate) options: Options,
    /// Marks the messages of this process, which Redis sends back. Random.
    pub(crate) id: u64,
    client: Client,
    state: Mutex<State>,
    changed: Condvar,
}

pub(crate) struct State {
    pub(crate) counts: RedisCounts,
    outgoing: Outgoing,
    /// Whether the publisher has a connection.
    pub(crate) publishes: bool,
    /// Whether the receiver has a connection, and all that was subscribed before it was made is confirmed.
    pub(crate) receives: bool,
    /// How many connections the receiver has lost.
    pub(crate) losses: u64,
    /// The channels whose subscribers have changed, while the receiver has a connection.
    changes: Option<BTreeSet<String>>,
    /// The number of changes, and how many of them Redis has confirmed.
    requested: u64,
    confirmed: u64,
    /// Whether the receiver is to be woken, by a message.
    wakes_receiver: bool,
    closed: bool,
    log: LogLimiter,
}

impl State {
    pub(crate) fn is_ready(&self) -> bool {
        self.publishes && self.receives
    }
}

/// What the publisher does next.
#[derive(Debug)]
pub(crate) enum Work {
    /// Publish these messages, and one that wakes the receiver if the flag is set.
    Publish(Vec<Message>, bool),
    /// Check the connection, since the receiver has lost its own.
    Check,
    /// End.
    End,
}

impl Shared {
    pub(crate) fn new(client: Client, options: Options) -> Self {
        let state = State {
            counts: RedisCounts::default(),
            outgoing: Outgoing::new(options.queue),
            publishes: false,
            receives: false,
            losses: 0,
            changes: None,
            requested: 0,
            confirmed: 0,
            wakes_receiver: false,
            closed: false,
            log: LogLimiter::default(),
        };
        let (state, changed) = (Mutex::new(state), Condvar::new());
        Self { local: LocalExchange::new(), options, id: fastrand::u64(..), client, state, changed }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn address(&self) -> String {
        self.client.get_connection_info().addr().to_string()
    }

    /// Accepts a message to be sent to the other processes.
    pub(crate) fn enqueue(&self, channel: &str, content: &Arc<[u8]>) -> Result<(), PublishError> {
        let mut state = self.state();
        state.counts.published += 1;
        let accepted = if !state.publishes {
            Err(PublishError::Unreachable)
        } else if state.outgoing.push(channel, content) {
            Ok(())
        } else {
            Err(PublishError::Full)
        };
        state.counts.refused += u64::from(accepted.is_err());
        drop(state);
        self.changed.notify_all();
        accepted
    }

    /// The subscribers of a channel have changed: Redis has to know whether there are any.
    pub(crate) fn subscriptions_changed(&self, channel: &str) {
        let mut state = self.state();
        state.requested += 1;
        if let Some(changes) = &mut state.changes {
            changes.insert(channel.to_owned());
            state.wakes_receiver = true;
        }
        drop(state);
        self.changed.notify_all();
    }

    pub(crate) fn close(&self) {
        let mut state = self.state();
        (state.closed, state.wakes_receiver) = (true, true);
        drop(state);
        self.changed.notify_all();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.state().closed
    }

    pub(crate) fn wait_until_ready(&self, deadline: Instant) -> bool {
        let mut state = self.state();
        let requested = state.requested;
        while !(state.is_ready() && state.confirmed >= requested) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state = self.wait(state, left);
        }
        true
    }

    /// Waits for the publisher's next work. `losses` is what it knew of the receiver's losses.
    pub(crate) fn next_work(&self, losses: &mut u64) -> Work {
        let mut state = self.state();
        let heartbeat = Instant::now() + self.options.timeout / 4;
        loop {
            if state.losses != *losses {
                *losses = state.losses;
                return Work::Check;
            }
            if !state.outgoing.is_empty() || state.wakes_receiver {
                let messages = state.outgoing.take();
                // It is woken last, so that a receiver that ends is behind all messages.
                let wakes = state.outgoing.is_empty() && std::mem::take(&mut state.wakes_receiver);
                return Work::Publish(messages, wakes);
            }
            if state.closed {
                return Work::End;
            }
            let left = heartbeat.saturating_duration_since(Instant::now());
            if left.is_zero() {
                state.wakes_receiver = true; // it takes Redis for lost if nothing comes
            } else {
                state = self.wait(state, left);
            }
        }
    }

    /// Counts the messages that were taken.
    pub(crate) fn sent(&self, sent: usize, lost: usize) {
        let mut state = self.state();
        state.outgoing.release();
        state.counts.sent += sent as u64;
        state.counts.lost += lost as u64;
    }

    /// Prepares the receiver's list of changes. Returns all channels that have subscribers, and the number of changes that
    /// they contain.
    pub(crate) fn all_channels(&self) -> (Vec<String>, u64) {
        let mut state = self.state();
        state.changes = Some(BTreeSet::new());
        let requested = state.requested;
        drop(state);
        (self.local.subscribed_channels(), requested)
    }

    /// Redis has confirmed this many changes. Returns the channels that have changed since, and the number of changes then.
    pub(crate) fn confirmed(&self, changes: u64) -> (Vec<String>, u64) {
        let mut state = self.state();
        state.confirmed = changes;
        let channels = state.changes.as_mut().map(std::mem::take).unwrap_or_default();
        let requested = state.requested;
        drop(state);
        self.update(|state| state.receives = true);
        (channels.into_iter().collect(), requested)
    }

    /// Changes the state, and says so if the exchange is ready now.
    pub(crate) fn update(&self, update: impl FnOnce(&mut State)) {
        let mut state = self.state();
        let was_ready = state.is_ready();
        update(&mut state);
        let found = state.is_ready() && !was_ready;
        drop(state);
        self.changed.notify_all();
        if found {
            tracing::info!(redis = %self.address(), "Redis is connected");
        }
    }

    /// Runs sessions until the exchange is closed, each with a connection of its own and a pause after its failure. `lost` is
    /// called after each.
    pub(crate) fn run(
        &self,
        mut session: impl FnMut(&Self, &mut Backoff) -> RedisResult<()>,
        lost: impl Fn(&mut State),
    ) {
        let mut backoff = Backoff::default();
        loop {
            let ended = guarded(|| session(self, &mut backoff).map_err(|error| error.to_string()));
            self.update(&lost);
            match ended.unwrap_or_else(|| Err("a thread of the exchange panicked".to_owned())) {
                Err(error) if !self.is_closed() => self.failed(&error),
                _ => return,
            }
            let until = Instant::now() + backoff.next();
            let mut state = self.state();
            while !state.closed && Instant::now() < until {
                state = self.wait(state, until.saturating_duration_since(Instant::now()));
            }
            if state.closed {
                return;
            }
        }
    }

    /// Counts and logs a failure.
    fn failed(&self, error: &str) {
        let mut state = self.state();
        state.counts.failures += 1;
        let due = state.log.count(Instant::now());
        drop(state);
        if let Some(count) = due {
            tracing::warn!(redis = %self.address(), count, error, "Redis is lost; other processes don't hear this one");
        }
    }

    /// Logs that Redis has rejected a message.
    pub(crate) fn rejected(&self, error: &dyn Display) {
        let due = self.state().log.count(Instant::now());
        if let Some(count) = due {
            tracing::warn!(redis = %self.address(), count, %error, "Redis has rejected a message");
        }
    }

    pub(crate) fn connect(&self) -> RedisResult<Connection> {
        let timeout = self.options.timeout;
        let connection = self.client.get_connection_with_timeout(timeout)?;
        connection.set_read_timeout(Some(timeout))?;
        connection.set_write_timeout(Some(timeout))?;
        Ok(connection)
    }

    /// The name of a channel in Redis.
    pub(crate) fn name(&self, channel: &str) -> String {
        format!("{}{channel}", self.options.prefix)
    }

    /// The name of the channel on which the publisher wakes the receiver.
    pub(crate) fn wakeups(&self) -> String {
        self.name(&format!("wakeup:{:016x}", self.id))
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>, timeout: Duration) -> MutexGuard<'a, State> {
        self.changed.wait_timeout(state, timeout).unwrap_or_else(PoisonError::into_inner).0
    }
}

impl State {
    /// The publisher has no connection any more: what waits is lost.
    pub(crate) fn publisher_lost(&mut self) {
        self.publishes = false;
        self.counts.lost += self.outgoing.clear() as u64;
    }

    /// The receiver has no connection any more.
    pub(crate) fn receiver_lost(&mut self) {
        (self.receives, self.changes) = (false, None);
        self.losses += 1;
    }
}

/// The pause after a failure, which doubles until a connection was made.
#[derive(Debug, Default)]
pub(crate) struct Backoff(Duration);

impl Backoff {
    pub(crate) fn succeeded(&mut self) {
        self.0 = Duration::ZERO;
    }

    fn next(&mut self) -> Duration {
        self.0 = (2 * self.0).clamp(Duration::from_millis(100), Duration::from_secs(5));
        self.0
    }
}
