//! What `compare` is told.

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

/// What is compared, and how thoroughly.
#[derive(Args)]
#[group(skip)]
pub(crate) struct Compare {
    /// Backends to compare, the first of which is the reference [default: all]
    #[arg(short, long, env, value_name = "BACKEND,…", value_delimiter = ',', value_parser = chosen::<&dyn Backend>)]
    pub(crate) backends: Vec<&'static dyn Backend>,

    /// Any program that listens, to compare beside the --backends, or without them alone: NAME='COMMAND with {port}',
    /// started without a shell; may be given several times
    #[arg(long, value_name = "NAME=COMMAND")]
    pub(crate) server: Vec<Candidate>,

    /// Another build of this program, whose backends are compared with this one's in the same rounds
    #[arg(long, value_name = "PATH")]
    pub(crate) against: Option<PathBuf>,

    /// Handler that the backends serve
    #[arg(long, env, default_value = "echo", value_parser = chosen::<Served>)]
    pub(crate) handler: Served,

    /// How the end of a message and of a reply is marked
    #[arg(long, env, default_value = common::Framing::ALL[0].name(), value_parser = chosen::<Framing>)]
    pub(crate) framing: Framing,

    /// Numbers of connections for the curve of throughput against connections
    #[arg(long, env, value_name = "COUNT,…", value_delimiter = ',',
          value_parser = count(1, MOST_CONNECTIONS), default_values_t = [1, 64, 1000])]
    pub(crate) sweep_connections: Vec<usize>,

    /// Number of connections in the rounds
    #[arg(short, long, env, value_name = "COUNT", value_parser = count(1, MOST_CONNECTIONS), default_value_t = 64)]
    pub(crate) connections: usize,

    /// Messages that each of these connections has in flight
    #[arg(long, env, value_name = "COUNT", value_parser = count(1, MOST_IN_FLIGHT), default_value_t = 16)]
    pub(crate) depth: usize,

    /// Messages per second that are offered to every server in the open loop [default: the rate of the --baseline,
    /// or about half of what the slowest can do]
    #[arg(short, long, env, value_name = "RATE", value_parser = rate)]
    pub(crate) rate: Option<f64>,

    /// Size of a message in bytes, a line with its end: SIZE, uniform:LEAST-MOST or list:SIZE,SIZE…
    #[arg(long, env, value_name = "SIZES", default_value = "32", value_parser = sizes)]
    pub(crate) message_size: Sizes,

    #[command(flatten)]
    pub(crate) own_messages: Own,

    /// What the replies must be [default: any with messages of your own, or else what the handler says]
    #[arg(long, env, value_parser = expects(true))]
    pub(crate) expect: Option<Expect>,

    /// Let replies that are errors, such as `ERR rate-limited`, be a success however many they are [default: up to 1 % are]
    #[arg(long)]
    pub(crate) allow_refusals: bool,

    /// Number of rounds [default: 13; 5 with --quick, 15 with --full]
    #[arg(long, env, value_name = "COUNT", value_parser = count(1, MAX_ROUNDS))]
    pub(crate) rounds: Option<usize>,

    /// Take less than a minute: few short rounds and no curves, for screening only
    #[arg(short, long, conflicts_with = "full")]
    pub(crate) quick: bool,

    /// Take about a quarter of an hour: more and longer rounds, and every figure
    #[arg(long)]
    pub(crate) full: bool,

    /// Objective to judge, such as p99=5ms; may be given several times. It is missed if no server keeps it at the common
    /// rate
    #[arg(long, env, value_name = "SLO", allow_hyphen_values = true)]
    pub(crate) slo: Vec<Slo>,

    /// Compare the backends with servers written by hand, at the common rate and in closed loops of 64 connections with 16
    /// and with 1 message in flight and of 500 connections with 1, and without curves
    #[arg(long, conflicts_with_all = ["connections", "depth", "sweep_connections", "slo"])]
    pub(crate) with_handwritten: bool,

    /// Earlier report.json to compare with; a regression beyond the noise of both is exit code 6. The file is left as
    /// it is, so --output must be another folder
    #[arg(long, value_name = "FILE")]
    pub(crate) baseline: Option<PathBuf>,

    /// Compare with the --baseline even if it was measured on another machine
    #[arg(long, requires = "baseline")]
    pub(crate) force: bool,

    /// Folder for report.html, report.md and report.json
    #[arg(short, long, env, value_name = "DIR", default_value = "anyloop-report")]
    pub(crate) output: PathBuf,

    /// Form of standard output
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,

    /// Show details: every metric under every load, the conditions, and while it goes on what servers write to standard error
    #[arg(short, long)]
    pub(crate) verbose: bool,

    /// Threads that make the load: a number, or as many as it takes of the cores that are left
    #[arg(short, long, env, value_name = "COUNT|auto", value_parser = threads(MOST_THREADS), default_value = "auto")]
    pub(crate) threads: usize,

    /// Cores to pin the servers to [default: one core with the closed loops where there are fewer than four, else none]
    #[arg(long, env, value_name = "CPU,…", value_delimiter = ',', value_parser = cpu)]
    pub(crate) cpus_server: Vec<usize>,

    /// Cores to pin the threads that make the load to [default: those that the servers are not pinned to]
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
