//! Groups across processes, by the publish and subscribe channels of a Redis server.
//!
//! A [`RedisExchange`] is an [`Exchange`]: what is published in one process is received in all processes that use the same Redis
//! and the same [prefix](Options::with_prefix). [`Exchange`] says what is guaranteed, among others: at most once.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use anyloop::{Exchange, Group};
//! use anyloop_exchange_redis::RedisExchange;
//!
//! # fn main() -> std::io::Result<()> {
//! let exchange: Arc<dyn Exchange> = Arc::new(RedisExchange::open("redis://127.0.0.1:6379")?);
//! let room = Arc::new(Group::new()); // clients of this process
//! let subscription = exchange.subscribe("room", room);
//! if let Err(error) = exchange.publish("room", (*b"hello").into()) {
//!     println!("{error}"); // this process has heard it
//! }
//! # Ok(())
//! # }
//! ```
//!
//! A lost Redis shows in the log, at most once in five seconds, in [`RedisCounts::failures`] and in
//! [`is_ready`](Exchange::is_ready). It is looked for again after 100 ms, then less often, up to every 5 s, and then all
//! subscriptions are made again. Meanwhile [`publish`](Exchange::publish) returns [`PublishError::Unreachable`].
//!
//! Redis closes the connection of a process that receives too slowly (`client-output-buffer-limit pubsub`). That is a lost Redis,
//! too.
//!
//! [`PublishError::Unreachable`]: common::PublishError::Unreachable

#![forbid(unsafe_code)]

mod outgoing;
mod publisher;
mod receiver;
mod shared;
mod state;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use common::{Exchange, Handle, LocalExchange, PublishError, Subscriber, Subscription};
use redis::{Client, IntoConnectionInfo, ProtocolVersion, RedisResult};

use crate::shared::Shared;
pub use crate::state::RedisCounts;

/// An exchange between all processes that use the same Redis.
///
/// It has two threads, each with a connection: one publishes, the other receives and calls the subscribers. **Dropping it** ends
/// both, and doesn't wait for them. What was accepted before is still sent if Redis answers. The threads end at once, or
/// when Redis does not answer, after the [timeout](Options::with_timeout).
pub struct RedisExchange {
    shared: Arc<Shared>,
}

impl RedisExchange {
    /// An exchange by the Redis at this URL, such as `redis://user:password@host:6379` or `unix:///run/redis.sock`, with the default
    /// [`Options`]. It connects in the background: it need not be there yet.
    ///
    /// # Errors
    /// If the URL is not one of Redis, or asks for TLS, which is not supported, or the system can't start a thread.
    pub fn open(url: &str) -> io::Result<Self> {
        Self::open_with(url, Options::default())
    }

    /// Like [`open`](Self::open), with other options.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub fn open_with(url: &str, options: Options) -> io::Result<Self> {
        let invalid = |why: String| io::Error::new(io::ErrorKind::InvalidInput, why);
        // The URL is not shown, since it may contain a password.
        let client = client(url).map_err(|error| {
            invalid(format!("this is not the URL of a Redis, as redis://host:6379 is: {error}"))
        })?;
        let address = client.get_connection_info().addr();
        if !address.is_supported() {
            let why =
                format!("TLS to Redis at {address} is not supported: use redis:// instead of rediss://");
            return Err(invalid(why));
        }
        let shared = Arc::new(Shared::new(client, options));
        let exchange = Self { shared: Arc::clone(&shared) };
        let publisher = thread::Builder::new().name("redis-publish".into());
        publisher.spawn(move || publisher::run(&shared))?;
        let shared = Arc::clone(&exchange.shared);
        let receiver = thread::Builder::new().name("redis-receive".into());
        receiver.spawn(move || receiver::run(&shared))?;
        Ok(exchange)
    }

    /// Waits until messages can be exchanged and Redis has confirmed all subscriptions that were made before the call. Returns
    /// `false` if that takes longer than `timeout`.
    pub fn wait_until_ready(&self, timeout: Duration) -> bool {
        self.shared.wait_until_ready(Instant::now().checked_add(timeout))
    }

    /// Waits until no message that was published before the call waits to be sent: Redis has confirmed it, or it is lost. Returns
    /// `false` if that takes longer than `timeout`. A program that ends calls it, since its end ends the threads.
    pub fn wait_until_sent(&self, timeout: Duration) -> bool {
        self.shared.wait_until_sent(Instant::now().checked_add(timeout))
    }

    /// The number of messages so far.
    pub fn counts(&self) -> RedisCounts {
        self.shared.state().counts
    }

    fn local(&self) -> &LocalExchange {
        &self.shared.local
    }
}

impl Exchange for RedisExchange {
    fn publish(&self, channel: &str, message: Arc<[u8]>) -> Result<(), PublishError> {
        let published = self.shared.enqueue(channel, &message);
        self.local().publish(channel, message)?;
        published
    }

    fn publish_to_others(
        &self,
        client: &Handle,
        channel: &str,
        message: Arc<[u8]>,
    ) -> Result<(), PublishError> {
        let published = self.shared.enqueue(channel, &message);
        self.local().publish_to_others(client, channel, message)?;
        published
    }

    fn subscribe(&self, channel: &str, subscriber: Arc<dyn Subscriber>) -> Subscription {
        let local = self.local().subscribe(channel, subscriber);
        self.shared.subscriptions_changed(channel);
        let (shared, channel) = (Arc::clone(&self.shared), channel.to_owned());
        Subscription::new(move || {
            drop(local);
            shared.subscriptions_changed(&channel);
        })
    }

    fn is_ready(&self) -> bool {
        self.shared.state().is_ready()
    }
}

impl Drop for RedisExchange {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl fmt::Debug for RedisExchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut exchange = f.debug_struct("RedisExchange");
        exchange.field("redis", &self.shared.address()).field("is_ready", &self.is_ready());
        exchange.field("counts", &self.counts()).finish_non_exhaustive()
    }
}

fn client(url: &str) -> RedisResult<Client> {
    let info = url.into_connection_info()?;
    // The older protocol, in which messages and confirmations are of one kind.
    let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP2);
    Client::open(info.set_redis_settings(settings))
}

/// The options of a [`RedisExchange`].
#[derive(Clone, Debug)]
pub struct Options {
    prefix: String,
    queue: usize,
    timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { prefix: "anyloop:".into(), queue: 1 << 20, timeout: Duration::from_secs(5) }
    }
}

impl Options {
    /// What the names of all channels begin with in Redis: `anyloop:` by default. Services that share a Redis and not their
    /// messages have different prefixes, none of which begins with another.
    #[must_use]
    pub fn with_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// The bound of all messages that wait until Redis has them, in bytes: 1 MiB by default. Each is charged its length, that
    /// of the channel's name, and 64 bytes.
    #[must_use]
    pub fn with_queue(mut self, queue: usize) -> Self {
        self.queue = queue;
        self
    }

    /// How long Redis may take to connect or to answer before it counts as lost: 5 s by default. It is between a millisecond and
    /// an hour.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout.clamp(Duration::from_millis(1), Duration::from_secs(3600));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_that_cannot_be_used_is_an_error() {
        for (url, why) in [
            ("http://localhost", "not the URL of a Redis"),
            ("redis://:secret@", "not the URL of a Redis"),
            ("", "not the URL of a Redis"),
            ("rediss://localhost", "TLS"),
        ] {
            let error = RedisExchange::open(url).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            let text = error.to_string();
            assert!(text.contains(why) && !text.contains("secret"), "{url}: {text}");
        }
    }
}
