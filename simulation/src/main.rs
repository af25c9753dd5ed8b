//! The command: runs seeds, replays one step by step, and shrinks failures.

#![forbid(unsafe_code)]

use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyloop_simulation::Tape;
#[cfg(anyloop_canaries)]
use anyloop_simulation::canary::{CANARIES, Found};
use clap::Parser;

use crate::series::Series;

mod report;
mod series;
mod watchdog;

/// Runs the core and the serving layer of anyloop on virtual time and a simulated kernel.
///
/// Exits with 0 if nothing was violated, and with 1 otherwise. The first failures are shrunk and written to files, which --tape
/// replays, unless with --trace.
#[derive(Parser)]
#[command(name = "anyloop-simulation")]
struct Arguments {
    /// The first seed
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// How many seeds to run, from the first one on
    #[arg(long, value_name = "N", default_value_t = 1)]
    count: u64,
    /// Run seeds for this time instead of a number of them
    #[arg(long, value_name = "N", conflicts_with = "count")]
    seconds: Option<u64>,
    /// Print what takes part, and then each step, and shrink nothing
    #[arg(long)]
    trace: bool,
    /// Replay the tape in this file instead of a seed
    #[arg(long, value_name = "FILE", conflicts_with_all = ["seed", "count", "seconds", "marks"])]
    tape: Option<PathBuf>,
    /// Shrink the tape of --tape as well, if it fails
    #[arg(long, requires = "tape", conflicts_with = "trace")]
    shrink: bool,
    /// Print which ends of conversations were reached, and fail if one is missing that can be
    #[arg(long)]
    marks: bool,
    /// Print how many seeds it takes to find each defect
    #[cfg(anyloop_canaries)]
    #[arg(long, conflicts_with_all = ["seed", "count", "seconds", "trace", "tape", "marks"])]
    canaries: bool,
    /// In how many ranges of seeds to look for each defect
    #[cfg(anyloop_canaries)]
    #[arg(long, value_name = "N", default_value_t = 15, requires = "canaries")]
    ranges: u64,
    /// How many seeds to run in each range at most
    #[cfg(anyloop_canaries)]
    #[arg(long, value_name = "N", default_value_t = anyloop_simulation::canary::MOST, requires = "canaries")]
    most: u64,
    /// The defect that the seeds are run with, or that --canaries looks for
    #[cfg(anyloop_canaries)]
    #[arg(long, value_name = "NAME")]
    canary: Option<String>,
}

/// So many failures are shrunk.
const MOST_SHRUNK: u64 = 3;
const PROGRESS_INTERVAL: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    match simulate(&Arguments::parse(), &mut io::stdout()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS, // nobody reads on
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Returns whether nothing was violated.
fn simulate(arguments: &Arguments, out: &mut impl Write) -> io::Result<bool> {
    #[cfg(anyloop_canaries)]
    if arguments.canaries {
        return look_for_canaries(arguments, out);
    }
    #[cfg(anyloop_canaries)]
    if let Some(name) = &arguments.canary {
        common::canary::choose(Box::leak(name.clone().into_boxed_str()));
    }
    let mut series = Series::new(arguments.trace);
    if let Some(file) = &arguments.tape {
        let text = std::fs::read_to_string(file)
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", file.display())))?;
        let tape = Tape::parse(&text).map_err(io::Error::other)?;
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        series.run(&format!("tape {name}"), tape, arguments.shrink, out)?;
        return Ok(series.failed == 0);
    }
    let begun = Instant::now();
    let until = arguments.seconds.map(|seconds| begun + Duration::from_secs(seconds));
    let mut told = begun;
    for seed in arguments.seed.. {
        let is_over = match until {
            Some(until) => Instant::now() >= until,
            None => seed - arguments.seed >= arguments.count,
        };
        if is_over {
            break;
        }
        let shrinks = series.failed < MOST_SHRUNK && !arguments.trace;
        series.run(&format!("seed {seed}"), Tape::from_seed(seed), shrinks, out)?;
        if told.elapsed() >= PROGRESS_INTERVAL {
            told = Instant::now();
            let _ = writeln!(io::stderr(), "{}", series.text(begun.elapsed()));
        }
    }
    let _ = writeln!(io::stderr(), "{}", series.text(begun.elapsed()));
    if arguments.marks {
        writeln!(out, "{}", series.marks)?;
    }
    let is_complete = series.marks.missing().is_empty() && series.marks.unexpected().is_empty();
    Ok(series.failed == 0 && (!arguments.marks || is_complete))
}

/// Prints how many seeds it takes to find each defect. Returns whether all were found.
#[cfg(anyloop_canaries)]
fn look_for_canaries(arguments: &Arguments, out: &mut impl Write) -> io::Result<bool> {
    let mut is_complete = true;
    writeln!(out, "{:48} {:>6} {:>6}  violation", "defect", "median", "worst")?;
    for canary in CANARIES {
        if arguments.canary.as_ref().is_some_and(|name| name != canary.name) {
            continue;
        }
        let found = Found::look_for(*canary, arguments.ranges, arguments.most);
        is_complete &= found.missing == 0;
        let worst = if found.missing == 0 { found.counts.last().copied() } else { None };
        let shown = |count: Option<u64>| count.map_or("-".to_owned(), |count| count.to_string());
        let (median, worst) = (shown(found.median()), shown(worst));
        writeln!(out, "{:48} {median:>6} {worst:>6}  {}  {:?}", canary.name, found.violation, found.seeds)?;
    }
    Ok(is_complete)
}
