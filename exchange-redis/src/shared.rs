//! What the threads of an exchange share.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use common::{LocalExchange, PublishError, guarded};
use redis::{Client, Connection, RedisResult};

use crate::Options;
use crate::state::{Known, State, Work};

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

impl Shared {
    pub(crate) fn new(client: Client, options: Options) -> Self {
        let (state, changed) = (Mutex::new(State::new(options.queue)), Condvar::new());
        let id = RandomState::new().build_hasher().finish(); // random numbers of the system
        Self { local: LocalExchange::new(), options, id, client, state, changed }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn address(&self) -> String {
        self.client.get_connection_info().addr().to_string()
    }

    /// Accepts a message to be sent to the other processes.
    pub(crate) fn enqueue(&self, channel: &str, content: &Arc<[u8]>) -> Result<(), PublishError> {
        let accepted = self.state().accept(channel, content);
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

    /// `None` waits for ever.
    pub(crate) fn wait_until_ready(&self, deadline: Option<Instant>) -> bool {
        let mut state = self.state();
        let requested = state.requested;
        while !(state.is_ready() && state.confirmed >= requested) {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return false;
            }
            state = self.wait(state, left.unwrap_or(Duration::MAX));
        }
        true
    }

    pub(crate) fn wait_until_sent(&self, deadline: Option<Instant>) -> bool {
        let mut state = self.state();
        let published = state.counts.published;
        while state.counts.finished() < published {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return false;
            }
            state = self.wait(state, left.unwrap_or(Duration::MAX));
        }
        true
    }

    /// Waits for the publisher's next work, which is not [`Work::Wait`].
    pub(crate) fn next_work(&self, known: &mut Known) -> Work {
        let mut state = self.state();
        loop {
            match state.next_work(known, Instant::now(), self.options.timeout / 4) {
                Work::Wait(left) => state = self.wait(state, left),
                work => return work,
            }
        }
    }

    /// Counts the messages that were taken.
    pub(crate) fn sent(&self, sent: usize, lost: usize) {
        let mut state = self.state();
        state.outgoing.release();
        state.counts.sent += sent as u64;
        state.counts.lost += lost as u64;
        drop(state);
        self.changed.notify_all();
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
        let mut next = (Vec::new(), changes);
        self.update(|state| {
            (state.receives, state.confirmed) = (true, changes);
            let channels = state.changes.as_mut().map(std::mem::take).unwrap_or_default();
            next = (channels.into_iter().collect(), state.requested);
        });
        next
    }

    /// Changes the state, and says so if the exchange is ready now.
    pub(crate) fn update(&self, update: impl FnOnce(&mut State)) {
        let mut state = self.state();
        let was_ready = state.is_ready();
        update(&mut state);
        let is_found = state.is_ready() && !was_ready;
        drop(state);
        self.changed.notify_all();
        if is_found {
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
                Err(error) if !self.is_closed() => guarded(|| self.failed(&error)), // a log subscriber may panic
                _ => return,
            };
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
            let redis = self.address();
            tracing::warn!(%redis, count, error, "Redis is lost; messages are not exchanged until it is found again");
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_from_100_ms_up_to_five_seconds() {
        let mut backoff = Backoff::default();
        let pauses: Vec<_> = (0..8).map(|_| backoff.next().as_millis()).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        backoff.succeeded();
        assert_eq!(backoff.next().as_millis(), 100);
    }
}
