//! The queue as a product: a command with its own name, flags and handler, and no others.

#![forbid(unsafe_code)]

use std::convert::Infallible;
use std::process::ExitCode;
use std::sync::Arc;

use anyloop::Handler;
use anyloop_cli::clap;
use anyloop_cli::quantity::{Size, Time, count, time_above_zero};
use queue::{Bounds, Queue};

/// The flags of the queue.
#[derive(clap::Args)]
struct Flags {
    /// How long a worker has a job before it is given to another one
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = time_above_zero)]
    lease: Time,

    /// Most jobs, those that are taken included
    #[arg(long, value_name = "COUNT", default_value = "10k", value_parser = count(1, 10_000_000_usize))]
    max_jobs: usize,

    /// Longest text of a job, within --max-message and --max-reply
    #[arg(long, value_name = "SIZE", default_value = "1KiB")]
    max_text: Size,
}

fn open(flags: &Flags) -> Result<Arc<dyn Handler>, Infallible> {
    let bounds = Bounds { lease: flags.lease.0, max_jobs: flags.max_jobs, max_text: flags.max_text.0 };
    Ok(Arc::new(Queue::new(bounds)))
}

fn main() -> ExitCode {
    anyloop_cli::Command::new()
        .name("queue")
        .about("A queue of jobs with leases, for `nc` and for `queue client`")
        .version(env!("CARGO_PKG_VERSION"))
        .without_builtins()
        .try_handler("queue", "gives each job to a worker until it is done", open)
        .run()
}
