//! The command: runs seeds, replays one step by step, and shrinks failures.

#![forbid(unsafe_code)]

use std::io::{self, Write};
use std::iter;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyloop_simulation::Tape;
#[cfg(anyloop_canaries)]
use anyloop_simulation::canary::{CANARIES, Found, MOST, defect};
use clap::Parser;

use crate::report::Unread;
use crate::series::Series;

mod report;
mod series;
mod watchdog;

/// Runs the core and the serving layer of anyloop on virtual time and a simulated kernel.
///
/// Each seed expands to a tape, which makes all choices of a run. The tapes of the first three failures are shrunk and written
/// to files, which --tape replays; with --trace none is.
#[derive(Parser)]
#[command(name = "anyloop-simulation", after_long_help = EXPLANATION)]
struct Arguments {
    /// The first seed
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// How many seeds to run, from the first one on
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = above_zero)]
    count: u64,
    /// Run seeds for this time instead of a number of them
    #[arg(long, value_name = "N", conflicts_with = "count", value_parser = above_zero)]
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
    /// Print how often each kind of conversation reached each end, and fail if a combination is missing
    #[arg(long)]
    marks: bool,
    /// Print how many seeds it takes to find each defect
    #[cfg(anyloop_canaries)]
    #[arg(long, conflicts_with_all = ["seed", "count", "seconds", "trace", "tape", "marks"])]
    canaries: bool,
    /// In how many ranges of seeds to look for each defect
    #[cfg(anyloop_canaries)]
    #[arg(long, value_name = "N", default_value_t = 15, requires = "canaries", value_parser = above_zero)]
    ranges: u64,
    /// How many seeds to run in each range at most
    #[cfg(anyloop_canaries)]
    #[arg(long, value_name = "N", default_value_t = MOST, requires = "canaries", value_parser = above_zero)]
    most: u64,
    /// The defect that the seeds are run with, or that --canaries looks for
    #[cfg(anyloop_canaries)]
    #[arg(long, value_name = "NAME", value_parser = defect)]
    canary: Option<&'static str>,
}

/// What is below the flags.
const EXPLANATION: &str = "\
The last line on standard error counts, of all runs that passed:
  steps                          turns of a client, the network, the server or the clock
  messages                       what clients sent, and whose replies were compared
  sockets that did not linger    those closed at once, since too many others lingered
  virtual hours                  the time of the simulated clock, for which nobody waits

Exit codes:
  0    nothing was violated
  1    something was, a run did not end, --marks misses a combination, or output can't be written
  2    wrong usage, or the file of --tape is no tape";

/// Parses a number that makes no sense as 0: then nothing would run, and nothing would fail.
fn above_zero(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(0) => Err("nothing would run; write 1 or more".into()),
        Ok(number) => Ok(number),
        Err(_) => Err(format!("write a number from 1 to {}", u64::MAX)),
    }
}

/// So many failures are shrunk.
const MOST_SHRUNK: u64 = 3;
const PROGRESS_INTERVAL: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runs = match arguments.runs() {
        Ok(runs) => runs,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error}");
            return ExitCode::from(2);
        }
    };
    match simulate(&arguments, runs, &mut Unread(io::stdout())) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Names of runs, and their tapes.
type Runs = Box<dyn Iterator<Item = (String, Tape)>>;

impl Arguments {
    /// The runs that are asked for. With `--seconds` they end before these do.
    fn runs(&self) -> Result<Runs, String> {
        if let Some(file) = &self.tape {
            let name = file.file_stem().unwrap_or_default().to_string_lossy();
            return Ok(Box::new(iter::once((format!("tape {name}"), Tape::read(file)?))));
        }
        let last = match self.seconds {
            Some(_) => u64::MAX,
            None => self.seed.checked_add(self.count - 1).ok_or_else(|| {
                format!("--count {}: the last seed is {}; write fewer of them", self.count, u64::MAX)
            })?,
        };
        Ok(Box::new((self.seed..=last).map(|seed| (format!("seed {seed}"), Tape::from_seed(seed)))))
    }
}

/// Returns whether nothing was violated.
fn simulate(arguments: &Arguments, runs: Runs, out: &mut impl Write) -> io::Result<bool> {
    #[cfg(anyloop_canaries)]
    if arguments.canaries {
        return look_for_canaries(arguments, out);
    }
    #[cfg(anyloop_canaries)]
    if let Some(name) = arguments.canary {
        common::canary::choose(name);
    }
    let mut series = Series::new(if arguments.tape.is_some() { "tapes" } else { "seeds" }, arguments.trace);
    let begun = Instant::now();
    let time = arguments.seconds.map(Duration::from_secs);
    let mut told = begun;
    for (name, tape) in runs {
        if time.is_some_and(|time| begun.elapsed() >= time) {
            break;
        }
        let shrinks = match arguments.tape {
            Some(_) => arguments.shrink,
            None => series.failed < MOST_SHRUNK && !arguments.trace,
        };
        series.run(&name, tape, shrinks, out)?;
        if told.elapsed() >= PROGRESS_INTERVAL {
            told = Instant::now();
            let _ = writeln!(io::stderr(), "{}", series.text(begun.elapsed()));
        }
    }
    let mut fault = None;
    if arguments.marks {
        writeln!(out, "{}", series.marks)?;
        fault = series.marks.fault();
    }
    let _ = writeln!(io::stderr(), "{}", series.text(begun.elapsed()));
    if let Some(fault) = &fault {
        let _ = writeln!(io::stderr(), "error: {fault}");
    }
    Ok(series.failed == 0 && fault.is_none())
}

/// Prints how many seeds it takes to find each defect. Returns whether all were found.
#[cfg(anyloop_canaries)]
fn look_for_canaries(arguments: &Arguments, out: &mut impl Write) -> io::Result<bool> {
    let mut is_complete = true;
    writeln!(out, "{:48} {:>6} {:>6}  violation", "defect", "median", "worst")?;
    for canary in CANARIES {
        if arguments.canary.is_some_and(|name| name != canary.name) {
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
