//! The arguments of `compare`.

use std::path::PathBuf;

use clap::Args;
use compare::{Candidate, MAX_ROUNDS};
use load::framing::Framing;
use load::plan::{Expect, MOST_CONNECTIONS, MOST_IN_FLIGHT, MOST_THREADS, Sizes};
use load::slo::Slo;
use serving::Backend;

use crate::arguments::{Format, chosen};
use crate::catalogue::Served;
use crate::flags::Given;
use crate::messages::{Own, expects};
use crate::quantity::{count, cpu, number, rate, sizes, threads};

/// The arguments of `compare`.
#[derive(Args)]
#[group(skip)]
pub(crate) struct Compare {
    /// Backends to compare, the first of which is the reference [default: all]
    #[arg(short, long, env, value_name = "BACKEND,…", value_delimiter = ',', value_parser = chosen::<&dyn Backend>)]
    pub(crate) backends: Vec<&'static dyn Backend>,

    /// Any program that listens, compared with the --backends if these are given: NAME='COMMAND with {port}', started
    /// without a shell; can be repeated
    #[arg(long, value_name = "NAME=COMMAND")]
    pub(crate) server: Vec<Candidate>,

    /// Speak TLS with all servers, by a certificate that is made for the comparison; in the command of a --server, {cert}
    /// and {key} are its files in PEM. Handwritten servers without TLS are left out
    #[arg(long)]
    pub(crate) tls: bool,

    /// Another build of this program, whose backends are compared with this one's in the same rounds
    #[arg(long, value_name = "PATH")]
    pub(crate) against: Option<PathBuf>,

    /// Handler that the backends serve
    #[arg(long, env, default_value = "echo", value_parser = chosen::<Served>)]
    pub(crate) handler: Served,

    /// Further flags of `serve`, such as '--work wait:2ms'; can be repeated: each backend is compared once with each
    #[arg(long, value_name = "FLAGS", allow_hyphen_values = true, conflicts_with = "with_handwritten")]
    pub(crate) variant: Vec<String>,

    /// Framing of messages and replies
    #[arg(long, env, default_value = common::Framing::ALL[0].name(), value_parser = chosen::<Framing>)]
    pub(crate) framing: Framing,

    /// Numbers of connections for the curve of throughput against connections
    #[arg(long, env, value_name = "COUNT,…", value_delimiter = ',',
          value_parser = count(1, MOST_CONNECTIONS), default_values_t = [1, 64, 1000])]
    pub(crate) sweep_connections: Vec<usize>,

    /// Number of connections in the rounds
    #[arg(short, long, env, value_name = "COUNT", value_parser = count(1, MOST_CONNECTIONS), default_value_t = 64)]
    pub(crate) connections: usize,

    /// Messages in flight on each of these connections
    #[arg(long, env, value_name = "COUNT", value_parser = count(1, MOST_IN_FLIGHT), default_value_t = 16)]
    pub(crate) depth: usize,

    /// Numbers of subscribers, to each of which every message of the other connections is pushed: the cost and the delay
    /// of a push are compared, in place of all other figures [default: 1,100,10000 with the handler `fanout`, otherwise
    /// none]
    #[arg(long, env, value_name = "COUNT,…", value_delimiter = ',', value_parser = count(1, MOST_CONNECTIONS))]
    pub(crate) subscribe: Vec<usize>,

    /// Message with which a subscriber subscribes
    #[arg(long, env, value_name = "TEXT", default_value = "subscribe", allow_hyphen_values = true)]
    pub(crate) subscribe_message: String,

    /// Messages per second that are offered to every server in the open loop, with subscribers the deliveries per second
    /// [default: the rate of the --baseline, or about half of the slowest server's throughput, of deliveries an eighth]
    #[arg(short, long, env, value_name = "RATE", value_parser = rate)]
    pub(crate) rate: Option<f64>,

    /// Size of a message in bytes, for lines with the line end: SIZE, uniform:MIN-MAX or list:SIZE,SIZE……
    #[arg(long, env, value_name = "SIZES", default_value = "32", value_parser = sizes)]
    pub(crate) message_size: Sizes,

    #[command(flatten)]
    pub(crate) own_messages: Own,

    /// Expected replies [default: any with messages of your own, otherwise the handler's]
    #[arg(long, env, value_parser = expects(true))]
    pub(crate) expect: Option<Expect>,

    /// Allow any number of error replies, such as `ERR rate-limited` [default: at most 1 %]
    #[arg(long)]
    pub(crate) allow_refusals: bool,

    /// Number of rounds [default: 13; 5 with --quick, 15 with --full]
    #[arg(long, env, value_name = "COUNT", value_parser = count(1, MAX_ROUNDS))]
    pub(crate) rounds: Option<usize>,

    /// Take less than a minute: few short rounds and no curves, for screening only
    #[arg(short, long, conflicts_with = "full")]
    pub(crate) quick: bool,

    /// Take about a quarter of an hour: more and longer rounds, and all figures
    #[arg(long)]
    pub(crate) full: bool,

    /// Objective to check, such as p99=5ms; can be repeated. It is missed if no server meets it at the common rate
    #[arg(long, env, value_name = "SLO", allow_hyphen_values = true)]
    pub(crate) slo: Vec<Slo>,

    /// Compare the backends with handwritten servers, at the common rate and in closed loops of 64 connections with 16
    /// and with 1 message in flight and of 500 connections with 1, and by the memory of idle connections
    #[arg(long, conflicts_with_all = ["connections", "depth", "sweep_connections", "slo"])]
    pub(crate) with_handwritten: bool,

    /// Earlier report.json to compare with; a significant regression is exit code 6. The file is not overwritten, so
    /// --output must be another folder
    #[arg(long, value_name = "FILE")]
    pub(crate) baseline: Option<PathBuf>,

    /// Compare with the --baseline even if it was measured on another machine
    #[arg(long, requires = "baseline")]
    pub(crate) force: bool,

    /// Folder for report.html, report.md and report.json
    #[arg(short, long, env, value_name = "DIR", default_value = "anyloop-report")]
    pub(crate) output: PathBuf,

    /// Format of standard output
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,

    /// Show details: every metric under every load, the conditions, and during the comparison the standard error of the
    /// servers
    #[arg(short, long)]
    pub(crate) verbose: bool,

    /// Threads of the load generator: a number, or auto to choose it from the cores that are left
    #[arg(short, long, env, value_name = "COUNT|auto", value_parser = threads(MOST_THREADS), default_value = "auto")]
    pub(crate) threads: usize,

    /// Cores to pin the servers to [default: one core for closed loops on machines with fewer than four, otherwise
    /// none]
    #[arg(long, env, value_name = "CPU,…", value_delimiter = ',', value_parser = cpu)]
    pub(crate) cpus_server: Vec<usize>,

    /// Cores to pin the load generator to [default: those that the servers are not pinned to]
    #[arg(long, env, value_name = "CPU,…", value_delimiter = ',', value_parser = cpu)]
    pub(crate) cpus_load: Vec<usize>,

    /// Seed of everything random
    #[arg(long, env, value_name = "NUMBER", value_parser = number(0, u64::MAX), default_value_t = 1)]
    pub(crate) seed: u64,

    #[command(flatten)]
    pub(crate) flags: Given,
}

impl std::fmt::Debug for Compare {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.backends.iter().map(|backend| backend.name()).collect();
        f.debug_struct("Compare").field("backends", &names).finish_non_exhaustive()
    }
}
