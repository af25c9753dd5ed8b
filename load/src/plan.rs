//! What load to make.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use crate::framing::Framing;

/// What load to make.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The server.
    pub address: SocketAddr,
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
    /// How long the messages are.
    pub sizes: Sizes,
    /// How messages are told from each other.
    pub framing: Framing,
    /// What the replies should be.
    pub expect: Expect,
    /// How many connections are made in a second at the most; `None` is as fast as it goes.
    pub connect_rate: Option<f64>,
    /// After so many messages a connection is closed and made anew; `None` is never.
    pub messages_per_connection: Option<u64>,
    /// Clients beside the measured ones that make a server's life hard.
    pub hostile: Hostile,
    /// How many event loops make the load.
    pub threads: usize,
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
    },
}

/// How the messages of an open loop are spread in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrivals {
    /// At equal distances.
    Constant,
    /// At distances drawn by chance, as if by many users who know nothing of each other.
    Poisson,
}

/// How long messages are, in bytes: lines as they are sent, with their end; in other framings the payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sizes {
    /// All the same.
    Fixed(usize),
    /// Each length from the first to the last as often as any other.
    Uniform(usize, usize),
    /// One of these, each as often as any other.
    List(Vec<usize>),
}

/// What the replies should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// The message itself.
    Echo,
    /// A greeting, and then what the handler `counter` says, in Chinese.
    Counter,
    /// A greeting, and then what the handler `counter` says, in English.
    CounterEnglish,
    /// A greeting, and then what the handler `ack` says.
    Ack,
    /// Any reply for each message, and no greeting.
    Any,
    /// Any greeting, and then any reply for each message.
    Greeted,
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

/// The shortest message: a character and a line end.
const SHORTEST: usize = 2;

/// The longest message, which its reply may exceed by some bytes.
const LONGEST: usize = 1024 * 1024;

impl Plan {
    /// One connection that has one message of 32 bytes in flight, to a server that echoes, for ten seconds.
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            connections: 1,
            depth: 1,
            pace: Pace::Closed,
            duration: Duration::from_secs(10),
            warmup: Duration::from_secs(1),
            patience: Duration::from_secs(10),
            sizes: Sizes::Fixed(32),
            framing: Framing::Line,
            expect: Expect::Echo,
            connect_rate: None,
            messages_per_connection: None,
            hostile: Hostile::default(),
            threads: 1,
            seed: 1,
            server: None,
        }
    }

    /// Whether it can be carried out.
    ///
    /// # Errors
    /// What can't be, with its value, and what to write instead.
    pub fn check(&self) -> Result<(), String> {
        self.sizes.check()?;
        for (name, count, most) in [
            ("connections", self.connections, MOST_CONNECTIONS),
            ("messages in flight", self.depth, MOST_IN_FLIGHT),
            ("threads", self.threads, MOST_THREADS),
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

    /// The offered rate of an open loop.
    pub fn rate(&self) -> Option<f64> {
        match self.pace {
            Pace::Closed => None,
            Pace::Open { rate, .. } => Some(rate),
        }
    }

    /// The shortest and the longest message, as [`Sizes`] counts.
    pub fn size_bounds(&self) -> (usize, usize) {
        self.sizes.bounds()
    }
}

impl Sizes {
    /// Whether messages of these sizes can be made.
    ///
    /// # Errors
    /// If they can't: which can.
    pub fn check(&self) -> Result<(), String> {
        let (shortest, longest) = self.bounds();
        if shortest < SHORTEST || longest > LONGEST || shortest > longest {
            return Err(format!(
                "messages of {self} can't be made; choose sizes from {SHORTEST} to {LONGEST} bytes, line end included"
            ));
        }
        Ok(())
    }

    /// The shortest and the longest.
    pub fn bounds(&self) -> (usize, usize) {
        match self {
            Self::Fixed(size) => (*size, *size),
            Self::Uniform(least, most) => (*least, *most),
            Self::List(sizes) => {
                (sizes.iter().copied().min().unwrap_or(0), sizes.iter().copied().max().unwrap_or(0))
            }
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} connections, depth {}", self.connections, self.depth)?;
        match self.pace {
            Pace::Closed => f.write_str(", closed loop")?,
            Pace::Open { rate, arrivals: Arrivals::Constant } => write!(f, ", {}/s", rounded(rate))?,
            Pace::Open { rate, arrivals: Arrivals::Poisson } => write!(f, ", {}/s by chance", rounded(rate))?,
        }
        write!(f, ", {}", self.sizes)
    }
}

/// A rate, with decimals only where it is small.
fn rounded(rate: f64) -> f64 {
    if rate >= 100.0 { rate.round() } else { rate }
}

impl fmt::Display for Sizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(size) => write!(f, "{size} B"),
            Self::Uniform(least, most) => write!(f, "{least} to {most} B"),
            Self::List(sizes) => write!(f, "{sizes:?} B"),
        }
    }
}
