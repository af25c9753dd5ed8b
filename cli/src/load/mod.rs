//! `anyloop load` and `anyloop merge`.

pub(crate) mod arguments;
mod exports;
mod merge;
mod plan;
mod search;
mod status;
mod timeline;

use std::io::ErrorKind;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use load::engine;
use load::export;
use load::measurement::{Measurement, too_many_refused};
use load::process::Account;
use load::slo::Verdict;

use crate::address::resolve;
use crate::exit::Outcome;
use crate::failure::Failure;
use crate::signals;
use arguments::Load;
use status::Status;

pub(crate) use merge::merge;

/// Makes load and says what it has shown.
pub(crate) fn load(arguments: &Load) -> Result<ExitCode, Failure> {
    let addresses = resolve(&arguments.address).map_err(Failure::Failed)?;
    let &[first, ref others @ ..] = addresses.as_slice() else {
        return Err(Failure::Failed(format!("{} has no address", arguments.address)));
    };
    let (mut plan, is_known) = plan::plan(arguments, first)?;
    arguments.server_pid.map_or(Ok(()), can_be_watched)?;
    let stop = Arc::new(AtomicBool::new(false));
    signals::interrupt(&stop).map_err(|error| Failure::of(&error))?;
    arguments.exports.check()?;
    if !others.is_empty() {
        plan.address = engine::reachable(&addresses, &stop).map_err(|error| Failure::of(&error))?;
    }
    if !is_known {
        plan.expect =
            engine::expectation(plan.address, plan.framing, &stop).map_err(|error| Failure::of(&error))?;
    }
    if arguments.find_max_rate {
        return search::search(arguments, &plan, &stop);
    }
    let status = Status::new();
    let tell = |progress| status.show(&plan, progress);
    let measured = engine::run(&plan, &stop, if status.is_shown() { Some(&tell) } else { None });
    status.clear();
    let measurement = measured.map_err(|error| Failure::of(&error))?;
    let verdicts: Vec<_> =
        arguments.slo.iter().map(|slo| (slo, slo.judge(&measurement, arguments.allow_refusals))).collect();
    let mut text: String =
        verdicts.iter().map(|(slo, verdict)| format!("{verdict}, where {slo} is promised\n\n")).collect();
    text.push_str(&export::table(&measurement));
    if arguments.verbose {
        text.push_str(&timeline::timeline(&measurement.timeline));
    }
    arguments.exports.write(&measurement, &text)?;
    let verdicts: Vec<_> = verdicts.into_iter().map(|(_, verdict)| verdict).collect();
    Ok(outcome(&measurement, &verdicts, arguments.allow_refusals).into())
}

/// How a run ends that has measured this.
fn outcome(measurement: &Measurement, verdicts: &[Verdict], allow_refusals: bool) -> Outcome {
    let verification = &measurement.verification;
    let refused = !allow_refusals && too_many_refused(verification.refused, verification.replies);
    Outcome::of(&[
        (verdicts.iter().any(|verdict| matches!(verdict, Verdict::Unknown(_))), Outcome::Undecided),
        (verdicts.iter().any(Verdict::is_fail), Outcome::Missed),
        (measurement.failures.connections() > 0 || verification.replies == 0, Outcome::Failed),
        (verification.bad() > 0 || refused, Outcome::WrongReplies),
        (measurement.interrupted, Outcome::Interrupted),
    ])
}

/// Whether it can be told what a process uses.
fn can_be_watched(process: u32) -> Result<(), Failure> {
    Account::open(process).map(drop).map_err(|error| {
        let why = match error.kind() {
            ErrorKind::NotFound => "there is no such process".to_owned(),
            _ => format!("what it uses can't be told: {error}"),
        };
        Failure::Usage(format!("--server-pid {process}: {why}; write the number of the server's process"))
    })
}
