//! Plans: the load to produce.

use std::fmt;
use std::time::{Duration, SystemTime};

use common::Address;

pub use crate::expect::{Expect, ReplyHook};
use crate::framing::Framing;
pub use crate::messages::{LONGEST, MessageHook, Messages, Sizes};
use crate::quantity::plural;
pub use crate::shard::Shard;
pub use crate::subscribers::{MOST_PAIRS, SHORTEST_PUSHED, Subscribers};
pub use crate::transform::TransformHook;

/// The load to produce.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The server: an address of TCP, or the path of a Unix socket.
    pub address: Address,
    /// How many connections are measured.
    pub connections: usize,
    /// How many messages a connection may have in flight.
    pub depth: usize,
    /// What sets the pace.
    pub pace: Pace,
    /// The measured time.
    pub duration: Duration,
    /// The warm-up: how long load is produced before that.
    pub warmup: Duration,
    /// How long to wait for replies after the last message was sent; later replies count as lost. Also how long to wait
    /// for the replies to subscriptions, and after the last reply or push for another push.
    pub reply_timeout: Duration,
    /// The messages to send.
    pub messages: Messages,
    /// The framing of messages.
    pub framing: Framing,
    /// The layer below the messages, such as TLS. Its handshake is a part of connecting.
    pub transform: Option<TransformHook>,
    /// The replies to expect.
    pub expect: Expect,
    /// The maximal number of new connections per second; `None` is unlimited.
    pub connect_rate: Option<f64>,
    /// After how many messages a connection is closed and re-established; `None` is never.
    pub messages_per_connection: Option<u64>,
    /// Whether a connection that the server has ended is re-established, and its unanswered messages are sent again.
    pub reconnect: bool,
    /// Connections that only listen, to what the measured ones send.
    pub subscribers: Subscribers,
    /// Hostile clients that run beside the measured ones.
    pub hostile: Hostile,
    /// The number of event loops; with 0 it follows from the rate and the available cores.
    pub threads: usize,
    /// The cores to which the event loops are pinned in turn; if empty, they are not pinned.
    pub cpus: Vec<usize>,
    /// The seed of all random numbers.
    pub seed: u64,
    /// The server's process, to monitor its resource use.
    pub server: Option<u32>,
    /// Which part of all this the generator carries out. What else the plan says is said of all shards together, except
    /// for threads and cores.
    pub shard: Shard,
    /// When the load begins, with the warm-up; `None` is as soon as all connections are established.
    pub start_at: Option<SystemTime>,
}

/// What sets the pace.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// The server: each reply triggers the next message. A closed loop.
    Closed,
    /// The schedule: a fixed rate of messages, whatever the server does. An open loop.
    Open {
        /// Messages per second, over all connections.
        rate: f64,
        /// How they are spread in time.
        arrivals: Arrivals,
        /// Which connection takes a message.
        dispatch: Dispatch,
    },
}

/// Which connection takes a message of an open loop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dispatch {
    /// Each connection has its own schedule, so that the messages of a stalled connection wait for it.
    #[default]
    Each,
    /// All connections of a thread share one queue: a message goes to any free connection. With several
    /// [`threads`](Plan::threads), each thread has its share of the connections and its own queue.
    Any,
}

/// How the messages of an open loop are spread in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrivals {
    /// At equal intervals.
    Constant,
    /// At random intervals (a Poisson process), like messages of many independent users.
    Poisson,
}

/// Hostile clients that run beside the measured ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hostile {
    /// Clients that send nothing.
    pub idle: usize,
    /// Clients that send continuously and read almost nothing.
    pub slow_readers: usize,
    /// Clients that send a message byte by byte.
    pub slow_writers: usize,
}

/// The maximal number of connections, measured and hostile.
pub const MOST_CONNECTIONS: usize = 1_000_000;

/// The maximal number of messages in flight per connection.
pub const MOST_IN_FLIGHT: usize = 1_000_000;

/// The maximal number of event loops.
pub const MOST_THREADS: usize = 1024;

/// The maximal rate, in messages per second.
pub const HIGHEST_RATE: f64 = 1e9;

impl Plan {
    /// A plan for one connection with one message of 32 bytes in flight, to an echo server, for ten seconds.
    pub fn new(address: impl Into<Address>) -> Self {
        Self {
            address: address.into(),
            connections: 1,
            depth: 1,
            pace: Pace::Closed,
            duration: Duration::from_secs(10),
            warmup: Duration::from_secs(1),
            reply_timeout: Duration::from_secs(10),
            messages: Messages::default(),
            framing: Framing::Line,
            transform: None,
            expect: Expect::Echo,
            connect_rate: None,
            messages_per_connection: None,
            reconnect: false,
            subscribers: Subscribers::default(),
            hostile: Hostile::default(),
            threads: 1,
            cpus: Vec::new(),
            seed: 1,
            server: None,
            shard: Shard::WHOLE,
            start_at: None,
        }
    }

    /// The same with this number of subscribers, to a server that replies `ok` to each message, such as the handler
    /// `fanout`.
    #[must_use]
    pub fn with_subscribers(self, count: usize) -> Self {
        let subscribers = Subscribers { count, ..self.subscribers };
        Self { expect: Expect::Ok, subscribers, ..self }
    }

    /// Subscribers say this payload, and not `subscribe`.
    #[must_use]
    pub fn with_subscribe_message(self, message: impl Into<Vec<u8>>) -> Self {
        Self { subscribers: Subscribers { message: message.into(), ..self.subscribers }, ..self }
    }

    /// Checks the plan.
    ///
    /// # Errors
    /// The invalid setting with its value, and what to write instead.
    pub fn check(&self) -> Result<(), String> {
        if self.address.ip().is_none() && self.address.path().is_none() {
            return Err(format!(
                "`{}` is not an address to connect to; write HOST:PORT or unix:PATH",
                self.address
            ));
        }
        self.messages.check()?;
        self.subscribers.check(self)?; // before the messages that a framing asks for, which would not help
        if self.messages.are_made() && self.framing == Framing::Http {
            return Err(
                "in http it must be said what to ask for; say it by --message 'GET /', say".to_owned()
            );
        }
        for (name, count, most) in [
            ("connections", self.connections, MOST_CONNECTIONS),
            ("messages in flight", self.depth, MOST_IN_FLIGHT),
            ("threads", self.threads.max(1), MOST_THREADS),
        ] {
            if count == 0 || count > most {
                return Err(format!("{count} is no number of {name}; choose one from 1 to {most}"));
            }
        }
        let (shards, connections) = (self.shard.count(), self.connections);
        if shards > connections {
            return Err(format!(
                "{shards} shards are more than the {connections} --connections that they divide; choose at most as many"
            ));
        }
        if self.threads > self.most_threads() {
            let (threads, connections) = (self.threads, self.own_connections());
            return Err(format!(
                "{threads} --threads have nothing to do with {connections} --connections; choose at most as many"
            ));
        }
        let rates = [("--connect-rate", self.connect_rate), ("--rate", self.rate())];
        for (name, rate) in rates.into_iter().filter_map(|(name, rate)| Some((name, rate?))) {
            if !(rate.is_finite() && rate > 0.0 && rate <= HIGHEST_RATE) {
                return Err(format!(
                    "{rate} is no {name}; choose one above 0 and at most 1,000,000,000 per second"
                ));
            }
        }
        if self.messages_per_connection == Some(0) {
            return Err(
                "a connection without messages makes no load; choose at least one for each".to_owned()
            );
        }
        Ok(())
    }

    /// Checks the expected replies, which may be unknown when the rest is checked.
    ///
    /// # Errors
    /// Why they are not possible, and what to expect instead.
    pub fn check_expect(&self) -> Result<(), String> {
        self.subscribers.check_expect(&self.expect)?;
        let fits = match (&self.expect, self.framing) {
            (Expect::Any | Expect::Greeted | Expect::By(_), _) => true,
            (_, Framing::Line | Framing::Codec { .. }) => true,
            (expect, Framing::Resp) => self.messages.are_made() && *expect == Expect::Echo,
            (_, Framing::Http) => false,
        };
        if fits {
            return Ok(());
        }
        Err(format!(
            "what a server says to such messages in {} can't be verified by that; say --expect any, and replies are \
             counted",
            self.framing.name()
        ))
    }

    /// Whether the load can have a history.
    ///
    /// # Errors
    /// If not: why, and what to do.
    pub fn check_recorded(&self) -> Result<(), String> {
        match self.expect.verifies() {
            true => self.check_expect(),
            false => {
                Err("a history needs replies that can be verified; say by --expect what the replies are"
                    .into())
            }
        }
    }

    /// Whether the server receives messages that are not in the history of this load: those of hostile clients, of
    /// subscribers, and of other shards.
    pub(crate) fn has_unrecorded(&self) -> bool {
        self.hostile.slow_readers + self.hostile.slow_writers > 0
            || !self.subscribers.is_empty()
            || !self.shard.is_whole()
    }

    /// The number of threads of which each has a connection or a subscriber.
    pub(crate) fn most_threads(&self) -> usize {
        self.own_connections().max(self.shard.share(self.subscribers.count))
    }

    /// How many of the measured connections this shard makes.
    pub fn own_connections(&self) -> usize {
        self.shard.share(self.connections)
    }

    /// How many clients this shard makes in all: measured, subscribed and hostile ones.
    pub fn own_clients(&self) -> usize {
        let Hostile { idle, slow_readers, slow_writers } = self.hostile;
        let all = [self.connections, self.subscribers.count, idle, slow_readers, slow_writers];
        all.into_iter().map(|total| self.shard.share(total)).sum()
    }

    /// The offered rate of this shard: that of its connections.
    pub fn own_rate(&self) -> Option<f64> {
        let share = self.own_connections() as f64 / self.connections.max(1) as f64;
        self.rate().map(|rate| rate * share)
    }

    /// The offered rate of an open loop, of all shards.
    pub fn rate(&self) -> Option<f64> {
        match self.pace {
            Pace::Closed => None,
            Pace::Open { rate, .. } => Some(rate),
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, depth {}", plural(self.connections as u64, "connection"), self.depth)?;
        match self.pace {
            Pace::Closed => f.write_str(", closed loop")?,
            Pace::Open { rate, arrivals: Arrivals::Constant, .. } => write!(f, ", {}/s", rounded(rate))?,
            Pace::Open { rate, arrivals: Arrivals::Poisson, .. } => {
                write!(f, ", {}/s by chance", rounded(rate))?
            }
        }
        write!(f, ", {}", self.messages)?;
        if let Some(transform) = &self.transform {
            write!(f, ", {}", transform.name())?;
        }
        match &self.subscribers {
            none if none.is_empty() => Ok(()),
            subscribers => write!(f, ", {subscribers}"),
        }
    }
}

/// A rate, with decimals only if it is small.
fn rounded(rate: f64) -> f64 {
    if rate >= 100.0 { rate.round() } else { rate }
}
