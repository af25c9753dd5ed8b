//! `anyloop load`, `anyloop merge` and `anyloop verify`.

pub(crate) mod arguments;
mod files;
mod merge;
mod output;
mod plan;
mod search;
mod shard;
mod verify;

use std::io::{self, ErrorKind};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use history::Writer;
use load::engine::{self, Progress};
use load::export;
use load::measurement::{Measurement, too_many_refused};
use load::plan::Plan;
use load::process::Account;
use load::slo::{Slo, Verdict};

use crate::exit::Outcome;
use crate::failure::Failure;
use crate::progress::Bar;
use crate::signals;
use arguments::Load;

pub(crate) use merge::merge;
pub(crate) use verify::{Verify, verify};

/// Produces load, and reports the measurement.
pub(crate) fn load(arguments: &Load) -> Result<ExitCode, Failure> {
    let addresses = arguments.address.resolve().map_err(Failure::Failed)?;
    let (mut plan, is_known) = plan::plan(arguments, addresses[0].clone())?;
    arguments.server_pid.map_or(Ok(()), can_be_watched)?;
    let stop = Arc::new(AtomicBool::new(false));
    signals::interrupt(&stop).map_err(|error| Failure::of(&error))?;
    arguments.exports.check(arguments.own_messages.file().as_slice(), arguments.history.as_deref())?;
    if arguments.history.is_some() && is_known {
        plan.check_recorded().map_err(Failure::Usage)?;
    }
    let history = arguments.history.as_deref().map(|file| create(file, arguments, &plan)).transpose()?;
    if addresses.len() > 1 {
        plan.address = engine::reachable(&addresses, &stop).map_err(|error| Failure::of(&error))?;
    }
    if !is_known {
        let probe = engine::probe(&plan, &stop).map_err(|error| Failure::of(&error))?;
        if let Some(history) = &history {
            probe.record(history);
        }
        plan.expect = probe.expect;
    }
    if arguments.find_max_rate {
        return search::search(arguments, &plan, &stop);
    }
    let bar = Bar::new();
    let measured = run(&plan, &stop, &bar, "", history.as_ref());
    bar.clear();
    // If the load has failed, its history has no end, or the file is as it was.
    let mut measurement = measured.map_err(|error| Failure::of(&error))?;
    let recorded = history.map_or(Ok(0), Writer::finish);
    // The name may have other addresses on other machines.
    measurement.plan.insert("address".to_owned(), arguments.address.to_string());
    recorded.map_err(|error| Failure::Failed(format!("can't write the history: {error}")))?;
    let (mut text, verdicts) = judge(&arguments.slo, &measurement, arguments.allow_refusals);
    text.push_str(&export::table(&measurement));
    if arguments.verbose {
        text.push_str(&output::timeline(&measurement.timeline));
    }
    arguments.exports.write(&measurement, &text, arguments.history.as_deref())?;
    Ok(outcome(&measurement, &verdicts, arguments.allow_refusals).into())
}

/// Opens the file for the history of the load of this plan.
fn create(file: &Path, arguments: &Load, plan: &Plan) -> Result<Writer, Failure> {
    let description = format!("{}: {plan}", arguments.address);
    let created = match output::is_stdout(file) {
        true => Writer::to(io::stdout(), &description),
        false => Writer::create(file, &description),
    };
    created.map_err(|error| output::unwritable(file, &error))
}

/// Produces the load of a plan. Shows the progress of this step in the bar, if it is visible.
fn run(
    plan: &Plan,
    stop: &AtomicBool,
    bar: &Bar,
    step: &str,
    history: Option<&Writer>,
) -> io::Result<Measurement> {
    let tell = |progress: Progress| {
        let (passed, total) = (progress.passed.as_secs_f64(), progress.total.as_secs_f64());
        let done = if total > 0.0 { passed / total } else { 0.0 };
        bar.show(done, format!("{passed:.1}/{total:.0} s"), format!("{step}{}", line(plan, progress)));
    };
    let tell: Option<&dyn Fn(Progress)> = if bar.is_seen() { Some(&tell) } else { None };
    match history {
        None => engine::run(plan, stop, tell),
        Some(history) => engine::record(plan, stop, tell, history),
    }
}

fn line(plan: &Plan, progress: Progress) -> String {
    let Progress { passed, warming_up, replies, deliveries, bad, failed, p50, p99, .. } = progress;
    let passed = passed.as_secs_f64();
    let offered = plan.own_rate().map_or_else(String::new, |rate| format!("{rate:.0}/s offered  "));
    let rate = |count: u64| if passed > 0.0 { count as f64 / passed } else { 0.0 };
    let pushed = match plan.subscribers.is_empty() {
        true => String::new(),
        false => format!("{:.0}/s pushed  ", rate(deliveries)),
    };
    let times = if warming_up { "warming up".into() } else { format!("p50 {p50:.0} µs  p99 {p99:.0} µs") };
    format!("{offered}{:.0}/s done  {pushed}{times}  bad {bad}  failed {failed}", rate(replies))
}

/// Judges a measurement by these objectives. Returns a text that says whether each is met, and the verdicts.
fn judge(slos: &[Slo], measurement: &Measurement, allow_refusals: bool) -> (String, Vec<Verdict>) {
    let judged = slos.iter().map(|slo| {
        let verdict = slo.judge(measurement, allow_refusals);
        (format!("{verdict}, where {slo} is promised\n\n"), verdict)
    });
    judged.unzip()
}

/// The outcome of a run with this measurement.
fn outcome(measurement: &Measurement, verdicts: &[Verdict], allow_refusals: bool) -> Outcome {
    let verification = &measurement.verification;
    let refused = !allow_refusals && too_many_refused(verification.refused, verification.replies);
    Outcome::of(&[
        (verdicts.iter().any(|verdict| matches!(verdict, Verdict::Unknown(_))), Outcome::Undecided),
        (verdicts.iter().any(Verdict::is_fail), Outcome::Missed),
        (measurement.failures.connections() > 0, Outcome::Failed),
        (verification.replies == 0 || measurement.is_empty(), Outcome::Failed),
        (measurement.pushes.as_ref().is_some_and(|pushes| pushes.delivered == 0), Outcome::Failed),
        (measurement.bad() > 0 || refused, Outcome::WrongReplies),
        (measurement.interrupted, Outcome::Interrupted),
    ])
}

/// Checks that the CPU time and memory of a process can be read.
fn can_be_watched(process: u32) -> Result<(), Failure> {
    Account::open(process).map(drop).map_err(|error| {
        let why = match error.kind() {
            ErrorKind::NotFound => "there is no such process".to_owned(),
            _ => format!("its CPU time and memory can't be read: {error}"),
        };
        Failure::Usage(format!("--server-pid {process}: {why}; write the ID of the server's process"))
    })
}
