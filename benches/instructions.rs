//! The instructions of the pure core for a message, counted by callgrind, which has no noise. More than 2 % above the
//! recorded count is a failure.
//!
//! `cargo bench --bench instructions` compares, `cargo bench --bench instructions -- --record` records.
#![expect(clippy::print_stdout, reason = "a bench prints its results")]

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::process::{Command, ExitCode};

use anyloop_benches::{Core, MESSAGES, messages};
use common::Framing;

/// The environment variable of the counted process: the framing, and how many reads it answers.
const COUNTED: &str = "ANYLOOP_BENCH_COUNTED";

/// The recorded figures, with the compiler's version.
const RECORD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/instructions.json");

/// A larger ratio is a regression.
const MAX_RATIO: f64 = 1.02;

fn main() -> ExitCode {
    if let Ok(counted) = env::var(COUNTED) {
        return answer(&counted);
    }
    if Command::new("valgrind").arg("--version").output().is_err() {
        println!("instructions: skipped, since there is no valgrind on this machine");
        return ExitCode::SUCCESS;
    }
    let mut figures = BTreeMap::new();
    for framing in [Framing::Line, Framing::Length] {
        let Some((few, many)) = count(framing, 10).zip(count(framing, 110)) else {
            println!("instructions: skipped, since callgrind can't run this program");
            return ExitCode::SUCCESS;
        };
        let figure = (many - few) as f64 / (100 * MESSAGES) as f64;
        println!("instructions: {} takes {figure:.1} for a message of 32 bytes", framing.name());
        figures.insert(framing.name().to_owned(), figure);
    }
    if env::args().any(|argument| argument == "--record") {
        return record(&figures);
    }
    if env::args().any(|argument| argument == "--test") {
        return ExitCode::SUCCESS;
    }
    compare(&figures)
}

/// The counted work: answers this many reads.
fn answer(counted: &str) -> ExitCode {
    let parsed = counted
        .split_once(' ')
        .and_then(|(framing, reads)| Some((framing.parse::<Framing>().ok()?, reads.parse::<usize>().ok()?)));
    let Some((framing, reads)) = parsed else { return ExitCode::FAILURE };
    let (mut core, mut input) = (Core::new(framing), messages(framing));
    for _ in 0..reads {
        core.answer(&mut input);
    }
    ExitCode::SUCCESS
}

/// Counts this program's instructions while it answers this many reads.
fn count(framing: Framing, reads: usize) -> Option<u64> {
    let program = env::current_exe().ok()?;
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(program);
    let output = command.env(COUNTED, format!("{} {reads}", framing.name())).output().ok()?;
    let said = String::from_utf8(output.stderr).ok()?;
    said.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok())
}

/// The compiler's version, on which the count depends.
fn compiler() -> String {
    let version = Command::new("rustc").arg("--version").output();
    version.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}

fn record(figures: &BTreeMap<String, f64>) -> ExitCode {
    let record = serde_json::json!({ "compiler": compiler(), "instructions_per_message": figures });
    match fs::write(RECORD, format!("{record:#}\n")) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("instructions: can't be recorded: {error}");
            ExitCode::FAILURE
        }
    }
}

fn compare(figures: &BTreeMap<String, f64>) -> ExitCode {
    let record =
        fs::read(RECORD).ok().and_then(|text| serde_json::from_slice::<serde_json::Value>(&text).ok());
    let Some(record) = record else {
        println!("instructions: there is no recorded count to compare with; record one with --record");
        return ExitCode::SUCCESS;
    };
    if record["compiler"] != compiler() {
        println!("instructions: recorded with {}, not with {}: not compared", record["compiler"], compiler());
        return ExitCode::SUCCESS;
    }
    let mut code = ExitCode::SUCCESS;
    for (framing, figure) in figures {
        let Some(recorded) = record["instructions_per_message"][framing].as_f64() else { continue };
        let ratio = figure / recorded;
        println!("instructions: {framing} takes {ratio:.3} of the recorded count");
        if ratio > MAX_RATIO {
            println!("instructions: REGRESSION in {framing}: {recorded:.1} recorded, {figure:.1} now");
            code = ExitCode::FAILURE;
        }
    }
    code
}
