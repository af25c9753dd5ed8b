//! The command: runs seeds, and replays one step by step.

#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyloop_simulation::{Tape, Trace, run};
use clap::Parser;

/// Runs the core and the serving layer of anyloop on virtual time and a simulated kernel.
///
/// Exits with 0 if nothing was violated, and with 1 otherwise.
#[derive(Parser)]
struct Arguments {
    /// The first seed
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// How many seeds to run, from the first one on
    #[arg(long, default_value_t = 1)]
    count: u64,
    /// Print each step
    #[arg(long)]
    trace: bool,
    /// Replay the tape in this file instead of a seed
    #[arg(long, conflicts_with = "seed")]
    tape: Option<PathBuf>,
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "this is a command")]
fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let begun = Instant::now();
    let mut failed = 0;
    let (mut virtual_time, mut steps) = (std::time::Duration::ZERO, 0);
    for seed in arguments.seed..arguments.seed + arguments.count {
        let trace = if arguments.trace { Trace::kept() } else { Trace::default() };
        let ran = run(Tape::from_seed(seed), trace);
        if arguments.trace {
            println!("{}", ran.options);
            ran.trace.lines().iter().for_each(|line| println!("{line}"));
        }
        match ran.result {
            Ok(summary) => {
                virtual_time += summary.elapsed;
                steps += summary.steps;
            }
            Err(violation) => {
                failed += 1;
                println!("seed {seed}: {violation}");
            }
        }
    }
    eprintln!(
        "{failed} of {} seeds failed; {steps} steps, {virtual_time:?} of virtual time in {:?}",
        arguments.count,
        begun.elapsed()
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
