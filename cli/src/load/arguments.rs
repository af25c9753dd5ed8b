//! The arguments of `load` and `merge`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use load::framing::Framing;
use load::plan::{Arrivals, Dispatch, Expect, MOST_CONNECTIONS, MOST_IN_FLIGHT, MOST_THREADS, Sizes};
use load::slo::Slo;

use super::shard::Part;
use crate::address::Target;
use crate::arguments::{Format, chosen};
use crate::catalogue::Served;
use crate::connector::{Secure, TLS};
use crate::messages::{Own, expects};
use crate::quantity::{Time, count, cpu, number, rate, sizes, threads, time_above_zero, time_from};

/// The arguments of `merge`.
#[derive(Args, Debug)]
pub(crate) struct Merge {
    /// The files that `load --json` wrote, each with one measurement or several; `-` is standard input. Lines of other
    /// output between measurements are skipped, with a warning
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// Accept that shards are missing
    #[arg(long)]
    pub(crate) allow_missing: bool,

    /// Accept measurements of different times. By default, the measured times must overlap by nine tenths
    #[arg(long)]
    pub(crate) allow_apart: bool,

    /// Objective for the merged measurement, of an open loop, such as p99=5ms; can be repeated
    #[arg(long, env, value_name = "SLO", allow_hyphen_values = true)]
    pub(crate) slo: Vec<Slo>,

    /// Accept any share of replies that are errors as a success [default: up to 1 %]
    #[arg(long)]
    pub(crate) allow_refusals: bool,

    #[command(flatten)]
    pub(crate) exports: Exports,
}

/// The arguments of `load`: the load to produce, and how to judge the measurement.
#[derive(Args, Debug)]
pub(crate) struct Load {
    /// Address of the server
    #[arg(value_name = "HOST:PORT|unix:PATH")]
    pub(crate) address: Target,

    /// Handler that the server serves, which determines the messages and the expected replies unless flags do
    #[arg(long, env, value_parser = chosen::<Served>)]
    pub(crate) handler: Option<Served>,

    /// Framing of messages and replies [default: that of the handler, or line]
    #[arg(long, env, value_parser = chosen::<Framing>)]
    pub(crate) framing: Option<Framing>,

    /// Number of connections
    #[arg(short, long, env, value_name = "COUNT", value_parser = count(1, MOST_CONNECTIONS), default_value_t = 64)]
    pub(crate) connections: usize,

    /// Messages that each connection may have in flight
    #[arg(long, env, value_name = "COUNT", value_parser = count(1, MOST_IN_FLIGHT), default_value_t = 1)]
    pub(crate) depth: usize,

    /// Messages to send per second, regardless of the server: an open loop [default: a closed loop, which sends the
    /// next message after a reply]
    #[arg(short, long, env, value_name = "RATE", value_parser = rate)]
    pub(crate) rate: Option<f64>,

    /// How an open loop spreads its messages in time
    #[arg(long, env, default_value = "constant", value_parser = arrivals())]
    pub(crate) arrivals: Arrivals,

    /// Which connection sends a message of an open loop
    #[arg(long, env, default_value = "each", value_parser = dispatches())]
    pub(crate) dispatch: Dispatch,

    /// How long to measure
    #[arg(short, long, env, value_name = "TIME", value_parser = time_from(SHORTEST),
          default_value_t = Time(Duration::from_secs(10)))]
    pub(crate) duration: Time,

    /// How long to produce load before measuring
    #[arg(long, env, value_name = "TIME", default_value_t = Time(Duration::from_secs(1)))]
    pub(crate) warmup: Time,

    /// How long to wait for replies after the last message was sent; later ones count as lost. Subscribers wait as long
    /// for the reply to their subscription, and for a further push
    #[arg(long, env, value_name = "TIME", value_parser = time_above_zero,
          default_value_t = Time(Duration::from_secs(10)))]
    pub(crate) reply_timeout: Time,

    /// Size of a message in bytes, a line with its end: SIZE, uniform:LEAST-MOST or list:SIZE,SIZE…
    #[arg(long, env, value_name = "SIZES", default_value = "32", value_parser = sizes)]
    pub(crate) message_size: Sizes,

    #[command(flatten)]
    pub(crate) own_messages: Own,

    #[command(flatten)]
    pub(crate) part: Part,

    /// Connections to open per second at most [default: as many as possible]
    #[arg(long, env, value_name = "RATE", value_parser = rate)]
    pub(crate) connect_rate: Option<f64>,

    /// Number of messages after which a connection is closed and a new one opened [default: never]
    #[arg(long, env, value_name = "COUNT", value_parser = count(1, u64::MAX))]
    pub(crate) messages_per_connection: Option<u64>,

    /// Open a new connection for each that the server ends, and send again what was not answered on it
    #[arg(long)]
    pub(crate) reconnect: bool,

    /// Subscribers to add: connections which send --subscribe-message, and then only listen. Every message of the other
    /// connections has to be pushed to each of them, whole, in order and once
    #[arg(long, env, value_name = "COUNT", value_parser = count(0, MOST_CONNECTIONS), default_value_t = 0)]
    pub(crate) subscribe: usize,

    /// Message with which a subscriber subscribes
    #[arg(long, env, value_name = "TEXT", default_value = "subscribe", allow_hyphen_values = true)]
    pub(crate) subscribe_message: String,

    /// Idle connections to add, which send nothing
    #[arg(long, env, value_name = "COUNT", value_parser = count(0, MOST_CONNECTIONS), default_value_t = 0)]
    pub(crate) idle: usize,

    /// Hostile connections to add that send all the time and read almost nothing
    #[arg(long, env, value_name = "COUNT", value_parser = count(0, MOST_CONNECTIONS), default_value_t = 0)]
    pub(crate) slow_readers: usize,

    /// Hostile connections to add that send a message byte by byte
    #[arg(long, env, value_name = "COUNT", value_parser = count(0, MOST_CONNECTIONS), default_value_t = 0)]
    pub(crate) slow_writers: usize,

    /// Expected replies [default: any with custom messages, ok with --subscribe, otherwise determined with one message]
    #[arg(long, env, value_parser = expects(true))]
    pub(crate) expect: Option<Expect>,

    /// Objective to judge, such as p99=5ms; may be given several times
    #[arg(long, env, value_name = "SLO", allow_hyphen_values = true)]
    pub(crate) slo: Vec<Slo>,

    /// Accept any share of replies that are errors, such as `ERR rate-limited`, as a success [default: up to 1 %]
    #[arg(long)]
    pub(crate) allow_refusals: bool,

    /// Search for the highest rate at which the server meets every --slo
    #[arg(long, requires = "slo", conflicts_with_all = ["rate", "messages_per_connection", "history"])]
    pub(crate) find_max_rate: bool,

    /// Threads that produce the load: a number, or as many of the remaining cores as needed
    #[arg(short, long, env, value_name = "COUNT|auto", value_parser = threads(MOST_THREADS), default_value = "auto")]
    pub(crate) threads: usize,

    /// Cores to pin these threads to, one after the other [default: they are not pinned]
    #[arg(long, env, value_name = "CPU,…", value_delimiter = ',', value_parser = cpu)]
    pub(crate) cpus: Vec<usize>,

    /// Seed of all random choices
    #[arg(long, env, value_name = "NUMBER", value_parser = number(0, u64::MAX), default_value_t = 1)]
    pub(crate) seed: u64,

    /// Also show the replies and the maximum latency of each second
    #[arg(short, long)]
    pub(crate) verbose: bool,

    /// Process of the server, on this machine, to measure its CPU time and memory
    #[arg(long, value_name = "PID", value_parser = number(1, MAX_PROCESS_ID))]
    pub(crate) server_pid: Option<u32>,

    /// File for the history of all messages and replies, 32 bytes for each message, which `verify` judges; `-` is
    /// standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) history: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) exports: Exports,

    #[command(flatten)]
    pub(crate) secure: Secure,

    /// Make a full handshake for each connection, which costs both ends more; without it sessions are resumed, as browsers do
    #[arg(long, help_heading = TLS, requires = "tls")]
    pub(crate) tls_full_handshake: bool,
}

/// Where to write the measurement, and in which format.
#[derive(Args, Debug)]
pub(crate) struct Exports {
    /// Format of standard output
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,

    /// File for the measurement as JSON; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// File for the measurement as CSV; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) csv: Option<PathBuf>,

    /// File for the latency's percentiles in the format of HdrHistogram's plotters; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) hgrm: Option<PathBuf>,

    /// File for the latency as a histogram log of HdrHistogram, without loss; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) hlog: Option<PathBuf>,
}

/// The shortest time that can be measured: in a shorter one hardly any reply comes.
const SHORTEST: Duration = Duration::from_millis(1);

/// The maximum process ID.
const MAX_PROCESS_ID: u32 = i32::MAX as u32;

fn arrivals() -> impl TypedValueParser<Value = Arrivals> {
    PossibleValuesParser::new([
        PossibleValue::new("constant").help("at equal intervals"),
        PossibleValue::new("poisson").help("at random, as from many independent users"),
    ])
    .map(|name| if name == "poisson" { Arrivals::Poisson } else { Arrivals::Constant })
}

fn dispatches() -> impl TypedValueParser<Value = Dispatch> {
    PossibleValuesParser::new([
        PossibleValue::new("each")
            .help("each connection has its own schedule, and waits for a server that stalls"),
        PossibleValue::new("any")
            .help("one queue for all connections of a thread: a message goes to any free one"),
    ])
    .map(|name| if name == "any" { Dispatch::Any } else { Dispatch::Each })
}
