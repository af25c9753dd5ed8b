//! What load to make.

use std::fmt;
use std::time::Duration;

use common::Address;

pub use crate::expect::{Expect, ReplyHook};
use crate::framing::Framing;
pub use crate::messages::{LONGEST, MessageHook, Messages, Sizes};

/// What load to make.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The server: an address of TCP, or the path of a Unix socket.
    pub address: Address,
    /// How many connections are measured.
    pub connections: usize,
    /// How many messages a connection may have in flight.
    pub depth: usize,
    /// Who sets the pace.
    pub pace: Pace,
    /// How long is measured.
    pub duration: Duration,
    /// How long load is made before that.
    pub warmup: Duration,
    /// How long replies are waited for once nothing more is sent; those that have not come by then are lost.
    pub patience: Duration,
    /// What is sent.
    pub messages: Messages,
    /// How messages are told from each other.
    pub framing: Framing,
    /// What the replies should be.
    pub expect: Expect,
    /// How many connections are made in a second at the most; `None` is as fast as it goes.
    pub connect_rate: Option<f64>,
    /// After so many messages a connection is closed and made anew; `None` is never.
    pub messages_per_connection: Option<u64>,
    /// Whether a connection that the server has ended is made anew, and what was not answered is sent again.
    pub reconnect: bool,
    /// Clients beside the measured ones that make a server's life hard.
    pub hostile: Hostile,
    /// How many event loops make the load; 0 is as many as the rate needs of the cores that are left.
    pub threads: usize,
    /// The cores to which the event loops are pinned, one after the other; with none, they are not pinned.
    pub cpus: Vec<usize>,
    /// Of everything that is drawn by chance.
    pub seed: u64,
    /// The server's process, to see what it uses.
    pub server: Option<u32>,
}

/// Who sets the pace.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// The server: a message is sent when a reply has come. A closed loop.
    Closed,
    /// The schedule: so many messages in a second, whatever the server does. An open loop.
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
    /// Each connection has a schedule of its own, so that the messages of one that stalls wait for it.
    #[default]
    Each,
    /// All connections of a thread share one queue: a message goes to whichever of them is free. With several
    /// [`threads`](Plan::threads) each has its share of the connections, and a queue of its own.
    Any,
}

/// How the messages of an open loop are spread in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrivals {
    /// At equal distances.
    Constant,
    /// At distances drawn by chance, as if by many users who know nothing of each other.
    Poisson,
}

/// Clients beside the measured ones that make a server's life hard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hostile {
    /// Clients that say nothing.
    pub idle: usize,
    /// Clients that send without end and read next to nothing.
    pub slow_readers: usize,
    /// Clients that send a byte of a message now and then.
    pub slow_writers: usize,
}

/// No plan has more connections, be they measured or not.
pub const MOST_CONNECTIONS: usize = 1_000_000;

/// No connection has more messages in flight.
pub const MOST_IN_FLIGHT: usize = 1_000_000;

/// No load is made by more event loops.
pub const MOST_THREADS: usize = 1024;

/// No rate is higher: more messages per second than anything makes.
pub const HIGHEST_RATE: f64 = 1e9;

impl Plan {
    /// One connection that has one message of 32 bytes in flight, to a server that echoes, for ten seconds.
    pub fn new(address: impl Into<Address>) -> Self {
        Self {
            address: address.into(),
            connections: 1,
            depth: 1,
            pace: Pace::Closed,
            duration: Duration::from_secs(10),
            warmup: Duration::from_secs(1),
            patience: Duration::from_secs(10),
            messages: Messages::default(),
            framing: Framing::Line,
            expect: Expect::Echo,
            connect_rate: None,
            messages_per_connection: None,
            reconnect: false,
            hostile: Hostile::default(),
            threads: 1,
            cpus: Vec::new(),
            seed: 1,
            server: None,
        }
    }

    /// Whether it can be carried out.
    ///
    /// # Errors
    /// What can't be, with its value, and what to write instead.
    pub fn check(&self) -> Result<(), String> {
        if self.address.ip().is_none() && self.address.path().is_none() {
            return Err(format!(
                "`{}` is no address to connect to; write HOST:PORT or unix:PATH",
                self.address
            ));
        }
        self.messages.check()?;
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
        if self.threads > self.connections {
            let (threads, connections) = (self.threads, self.connections);
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

    /// Whether replies can be what they should be, which need not be known yet when the rest is checked.
    ///
    /// # Errors
    /// If they can't: why, and what to expect instead.
    pub fn check_expect(&self) -> Result<(), String> {
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

    /// The offered rate of an open loop.
    pub fn rate(&self) -> Option<f64> {
        match self.pace {
            Pace::Closed => None,
            Pace::Open { rate, .. } => Some(rate),
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} connections, depth {}", self.connections, self.depth)?;
        match self.pace {
            Pace::Closed => f.write_str(", closed loop")?,
            Pace::Open { rate, arrivals: Arrivals::Constant, .. } => write!(f, ", {}/s", rounded(rate))?,
            Pace::Open { rate, arrivals: Arrivals::Poisson, .. } => {
                write!(f, ", {}/s by chance", rounded(rate))?
            }
        }
        write!(f, ", {}", self.messages)
    }
}

/// A rate, with decimals only where it is small.
fn rounded(rate: f64) -> f64 {
    if rate >= 100.0 { rate.round() } else { rate }
}
