//! What `load` is told.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use load::plan::{Arrivals, Expect, MOST_CONNECTIONS, MOST_IN_FLIGHT, MOST_THREADS, Sizes};
use load::slo::Slo;

use super::values::{count, rate, sizes};
use crate::address::host_and_port;
use crate::arguments::chosen;
use crate::catalogue::Framing;
use crate::quantity::{Time, time_above_zero};

/// What `load` is told: a load to make, or measurements to merge.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Load {
    #[command(subcommand)]
    pub(crate) merge: Option<Merging>,

    #[command(flatten)]
    pub(crate) run: Run,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Merging {
    /// Merge measurements of several machines, from their JSON files, without loss
    Merge(Merge),
}

#[derive(Args, Debug)]
pub(crate) struct Merge {
    /// The files that `load --json` has written
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    #[command(flatten)]
    pub(crate) exports: Exports,
}

/// What load to make, and how to judge what it shows.
#[derive(Args, Debug)]
pub(crate) struct Run {
    /// The server's address
    #[arg(required = true, value_name = "HOST:PORT", value_parser = host_and_port)]
    pub(crate) address: Option<String>,

    /// Where a message ends, and a reply
    #[arg(long, env = "ANYLOOP_FRAMING", default_value = common::Framing::ALL[0].name(), value_parser = chosen::<Framing>)]
    pub(crate) framing: Framing,

    /// How many connections
    #[arg(long, env = "ANYLOOP_CONNECTIONS", value_name = "COUNT", value_parser = count(1, MOST_CONNECTIONS), default_value_t = 64)]
    pub(crate) connections: usize,

    /// How many messages each connection may have in flight
    #[arg(long, env = "ANYLOOP_DEPTH", value_name = "COUNT", value_parser = count(1, MOST_IN_FLIGHT), default_value_t = 1)]
    pub(crate) depth: usize,

    /// Messages per second, whatever the server does: an open loop [default: a closed loop, in which a
    /// message is sent when a reply has come]
    #[arg(long, env = "ANYLOOP_RATE", value_name = "NUMBER", value_parser = rate)]
    pub(crate) rate: Option<f64>,

    /// How the messages of an open loop are spread in time
    #[arg(long, env = "ANYLOOP_ARRIVALS", default_value = "constant", value_parser = arrivals())]
    pub(crate) arrivals: Arrivals,

    /// How long is measured
    #[arg(long, env = "ANYLOOP_DURATION", value_name = "TIME", value_parser = time_above_zero,
          default_value_t = Time(Duration::from_secs(10)))]
    pub(crate) duration: Time,

    /// How long load is made before that
    #[arg(long, env = "ANYLOOP_WARMUP", value_name = "TIME", default_value_t = Time(Duration::from_secs(1)))]
    pub(crate) warmup: Time,

    /// How long the messages are, in bytes, a line with its end: fixed:SIZE, uniform:LEAST-MOST, or
    /// list:SIZE,SIZE…
    #[arg(long, env = "ANYLOOP_MESSAGE_SIZE", value_name = "SIZES", default_value = "fixed:32", value_parser = sizes)]
    pub(crate) message_size: Sizes,

    /// How many connections are made in a second at the most [default: as fast as it goes]
    #[arg(long, env = "ANYLOOP_CONNECT_RATE", value_name = "NUMBER", value_parser = rate)]
    pub(crate) connect_rate: Option<f64>,

    /// After so many messages a connection is closed and made anew [default: never]
    #[arg(long, env = "ANYLOOP_MESSAGES_PER_CONNECTION", value_name = "COUNT", value_parser = count(1, u64::MAX))]
    pub(crate) messages_per_connection: Option<u64>,

    /// So many clients that say nothing, beside the measured ones
    #[arg(long, env = "ANYLOOP_IDLE", value_name = "COUNT", value_parser = count(0, MOST_CONNECTIONS), default_value_t = 0)]
    pub(crate) idle: usize,

    /// So many clients that send without end and read next to nothing
    #[arg(long, env = "ANYLOOP_SLOW_READERS", value_name = "COUNT", value_parser = count(0, MOST_CONNECTIONS), default_value_t = 0)]
    pub(crate) slow_readers: usize,

    /// So many clients that send a byte now and then
    #[arg(long, env = "ANYLOOP_SLOW_WRITERS", value_name = "COUNT", value_parser = count(0, MOST_CONNECTIONS), default_value_t = 0)]
    pub(crate) slow_writers: usize,

    /// What the replies should be [default: found out by asking]
    #[arg(long, env = "ANYLOOP_EXPECT", value_parser = expects())]
    pub(crate) expect: Option<Expect>,

    /// What the server promises, such as p99=5ms: of p50, p90, p99, p99.9, p99.99 and max
    #[arg(long, env = "ANYLOOP_SLO", value_name = "SLO", allow_hyphen_values = true)]
    pub(crate) slo: Option<Slo>,

    /// Search the highest rate that keeps the --slo
    #[arg(long, requires = "slo", conflicts_with_all = ["rate", "messages_per_connection"])]
    pub(crate) find_max_rate: bool,

    /// How many event loops make the load; one is enough for most servers
    #[arg(long, env = "ANYLOOP_THREADS", value_name = "COUNT", value_parser = count(1, MOST_THREADS), default_value_t = 1)]
    pub(crate) threads: usize,

    /// What everything that is drawn by chance begins with
    #[arg(long, env = "ANYLOOP_SEED", value_name = "NUMBER", value_parser = count(0, u64::MAX), default_value_t = 1)]
    pub(crate) seed: u64,

    /// The server's process, on this machine, to see what it uses
    #[arg(long, value_name = "PID", value_parser = count(1, MOST_PROCESSES))]
    pub(crate) server_pid: Option<u32>,

    #[command(flatten)]
    pub(crate) exports: Exports,
}

/// Where to write what was measured, beside the table on standard output.
#[derive(Args, Debug)]
pub(crate) struct Exports {
    /// A file for the measurement as JSON; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// A file for the measurement as CSV; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) csv: Option<PathBuf>,

    /// A file for the latency's percentiles as HdrHistogram's plotters read them; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) hgrm: Option<PathBuf>,
}

/// The highest number of a process.
const MOST_PROCESSES: u32 = i32::MAX as u32;

fn arrivals() -> impl TypedValueParser<Value = Arrivals> {
    PossibleValuesParser::new([
        PossibleValue::new("constant").help("at equal distances"),
        PossibleValue::new("poisson").help("by chance, as if by many users who know nothing of each other"),
    ])
    .map(|name| if name == "poisson" { Arrivals::Poisson } else { Arrivals::Constant })
}

fn expects() -> impl TypedValueParser<Value = Expect> {
    PossibleValuesParser::new([
        PossibleValue::new("echo").help("the message itself"),
        PossibleValue::new("counter").help("what the handler `counter` says, in Chinese"),
        PossibleValue::new("counter-en").help("what the handler `counter` says, in English"),
        PossibleValue::new("ack").help("what the handler `ack` says"),
        PossibleValue::new("any").help("any reply for each message, and no greeting"),
        PossibleValue::new("greeted").help("any greeting, and then any reply for each message"),
    ])
    .map(|name| match name.as_str() {
        "echo" => Expect::Echo,
        "counter" => Expect::Counter,
        "counter-en" => Expect::CounterEnglish,
        "ack" => Expect::Ack,
        "greeted" => Expect::Greeted,
        _ => Expect::Any,
    })
}
