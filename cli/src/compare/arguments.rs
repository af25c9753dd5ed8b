//! What `compare` is told.

use std::path::PathBuf;

use clap::Args;
use common::Backend;
use compare::MOST_ROUNDS;
use load::plan::{MOST_CONNECTIONS, MOST_IN_FLIGHT, MOST_THREADS, Sizes};
use load::slo::Slo;

use crate::arguments::chosen;
use crate::catalogue::{Framing, Served};
use crate::load::values::{count, rate, sizes};
use crate::service;

/// What is compared, and how thoroughly.
#[derive(Args)]
pub(crate) struct Compare {
    /// Who is compared; the first that can hold the connections is the reference [default: all]
    #[arg(long, env = "ANYLOOP_BACKENDS", value_name = "BACKEND,…", value_delimiter = ',', value_parser = chosen::<&dyn Backend>)]
    pub(crate) backends: Vec<&'static dyn Backend>,

    /// What they serve
    #[arg(long, env = "ANYLOOP_COMPARE_HANDLER", default_value = "echo", value_parser = chosen::<Served>)]
    pub(crate) handler: Served,

    /// Where a message ends
    #[arg(long, env = "ANYLOOP_COMPARE_FRAMING", default_value = common::Framing::ALL[0].name(), value_parser = chosen::<Framing>)]
    pub(crate) framing: Framing,

    #[arg(long, env = "ANYLOOP_WORK", value_name = "LOAD", value_parser = service::load, help = service::work_help())]
    pub(crate) work: Option<handlers::Load>,

    /// For which numbers of connections the throughput is measured, for the curve
    #[arg(long, env = "ANYLOOP_COMPARE_CONNECTIONS", value_name = "COUNT,…", value_delimiter = ',',
          value_parser = count(1, MOST_CONNECTIONS), default_values_t = [1, 64, 1000])]
    pub(crate) connections: Vec<usize>,

    /// How many connections the rounds have
    #[arg(long, env = "ANYLOOP_CLIENTS", value_name = "COUNT", value_parser = count(1, MOST_CONNECTIONS), default_value_t = 64)]
    pub(crate) clients: usize,

    /// How many messages each of these has in flight
    #[arg(long, env = "ANYLOOP_DEPTH", value_name = "COUNT", value_parser = count(1, MOST_IN_FLIGHT), default_value_t = 16)]
    pub(crate) depth: usize,

    /// Messages per second that are offered to all in the open loop [default: the baseline's, or about half of
    /// what the slowest can do]
    #[arg(long, env = "ANYLOOP_RATE", value_name = "NUMBER", value_parser = rate)]
    pub(crate) rate: Option<f64>,

    /// How long the messages are, in bytes, a line with its end: fixed:SIZE, uniform:LEAST-MOST, or
    /// list:SIZE,SIZE…
    #[arg(long, env = "ANYLOOP_MESSAGE_SIZE", value_name = "SIZES", default_value = "fixed:32", value_parser = sizes)]
    pub(crate) message_size: Sizes,

    /// How many rounds [default: 7; 5 with --quick, 15 with --full]
    #[arg(long, env = "ANYLOOP_ROUNDS", value_name = "COUNT", value_parser = count(1, MOST_ROUNDS))]
    pub(crate) rounds: Option<usize>,

    /// Under a minute: few short rounds, and no curves
    #[arg(long, conflicts_with = "full")]
    pub(crate) quick: bool,

    /// About a quarter of an hour: more and longer rounds, and several passes for each curve
    #[arg(long)]
    pub(crate) full: bool,

    /// What is promised, such as p99=5ms: it is drawn in the plots, and missed if no backend keeps it at the
    /// common rate
    #[arg(long, env = "ANYLOOP_SLO", value_name = "SLO", allow_hyphen_values = true)]
    pub(crate) slo: Option<Slo>,

    /// Measure them beside the servers that one writes by hand, in closed loops with 64 connections and 1 or 16
    /// messages in flight and with 500 and 1, and without curves
    #[arg(long, conflicts_with_all = ["clients", "depth", "connections", "rate", "slo"])]
    pub(crate) baselines: bool,

    /// A report.json to compare with: a regression beyond the noise of both is a failure. It is left as it is, so
    /// --output must be another folder
    #[arg(long, value_name = "FILE")]
    pub(crate) baseline: Option<PathBuf>,

    /// Compare with the baseline even if that is another machine's
    #[arg(long, requires = "baseline")]
    pub(crate) force: bool,

    /// The folder for report.html, report.json and report.md
    #[arg(long, env = "ANYLOOP_OUTPUT", value_name = "DIR", default_value = ".")]
    pub(crate) output: PathBuf,

    /// How many event loops make the load
    #[arg(long, env = "ANYLOOP_THREADS", value_name = "COUNT", value_parser = count(1, MOST_THREADS), default_value_t = 1)]
    pub(crate) threads: usize,

    /// What everything that is drawn by chance begins with
    #[arg(long, env = "ANYLOOP_SEED", value_name = "NUMBER", value_parser = count(0, u64::MAX), default_value_t = 1)]
    pub(crate) seed: u64,
}

impl std::fmt::Debug for Compare {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.backends.iter().map(|backend| backend.name()).collect();
        f.debug_struct("Compare").field("backends", &names).finish_non_exhaustive()
    }
}
