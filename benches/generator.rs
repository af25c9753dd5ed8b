//! Whether the load generator is the bottleneck: its rate compared with that of a minimal generator, a C program that
//! neither schedules nor measures latency, at 64 connections and depth 16, in interleaved rounds. With the fastest
//! backend it must reach 90 %.
#![expect(clippy::print_stdout, reason = "a bench prints its results")]

use std::env;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyloop_benches::{Server, backends};
use load::engine;
use load::plan::Plan;

const CONNECTIONS: usize = 64;
const DEPTH: usize = 16;

fn main() -> ExitCode {
    let Some(minimal) = compile() else {
        println!("generator: skipped, since there is no C compiler on this machine");
        return ExitCode::SUCCESS;
    };
    let test = env::args().any(|argument| argument == "--test");
    // For the fastest backend: our rate, and its ratio to the C program's.
    let mut fastest = (0.0, 0.0);
    let (rounds, time) = match test {
        true => (1, Duration::from_millis(50)),
        false => (7, Duration::from_millis(500)),
    };
    for backend in backends(CONNECTIONS) {
        let server = Server::start(backend);
        let (mut ratios, mut rates) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            let Some(its) = rate_of(&minimal, server.address(), time) else {
                println!("generator: the C program failed");
                return ExitCode::FAILURE;
            };
            match our_rate(server.address(), time) {
                Ok(ours) => {
                    ratios.push(ours / its);
                    rates.push(ours);
                }
                Err(error) => {
                    println!("generator: {error}");
                    return ExitCode::FAILURE;
                }
            }
        }
        ratios.sort_by(f64::total_cmp);
        rates.sort_by(f64::total_cmp);
        let (name, ratio, rate) = (backend.name(), ratios[rounds / 2], rates[rounds / 2]);
        if rate > fastest.0 {
            fastest = (rate, ratio);
        }
        println!("generator: with {name}, {ratio:.2} of the C program's rate (median of {rounds} rounds)");
    }
    // A single short round in test mode doesn't measure speed.
    if !test && fastest.1 < MIN_RATIO {
        println!(
            "generator: TOO SLOW: with the fastest backend it reaches {:.2}, less than {MIN_RATIO}",
            fastest.1
        );
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// The share of the C program's rate that must be reached.
const MIN_RATIO: f64 = 0.9;

/// Compiles the C program into the folder of this one.
fn compile() -> Option<PathBuf> {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/generator.c");
    let program = env::current_exe().ok()?.with_extension("c-generator");
    let compiled = Command::new("cc").args(["-O2", "-o"]).arg(&program).arg(source).status().ok()?;
    compiled.success().then_some(program)
}

fn rate_of(program: &PathBuf, server: SocketAddr, time: Duration) -> Option<f64> {
    let numbers = [usize::from(server.port()), CONNECTIONS, DEPTH, time.as_millis() as usize];
    let output = Command::new(program).args(numbers.map(|number| number.to_string())).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

fn our_rate(server: SocketAddr, time: Duration) -> std::io::Result<f64> {
    let warmup = Duration::from_millis(300);
    let plan = Plan { connections: CONNECTIONS, depth: DEPTH, duration: time, warmup, ..Plan::new(server) };
    let measurement = engine::run(&plan, &AtomicBool::new(false), None)?;
    match measurement.verification.bad() {
        0 => Ok(measurement.achieved_rate),
        bad => Err(std::io::Error::other(format!("{bad} replies were bad"))),
    }
}
