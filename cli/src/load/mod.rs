//! `anyloop load`.

pub(crate) mod arguments;
mod exports;
mod search;
mod status;
pub(crate) mod values;

use std::fs;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use load::engine;
use load::export;
use load::measurement::Measurement;
use load::plan::{Dispatch, Hostile, Messages, Pace, Plan};
use load::process::Account;
use load::slo::Verdict;

use crate::address::resolve;
use crate::failure::Failure;
use crate::{descriptors, signals};
use arguments::{Load, Merge, Merging, Run};
use status::Status;

/// Makes load and says what it has shown, or merges what others have.
pub(crate) fn load(arguments: &Load) -> Result<ExitCode, Failure> {
    match &arguments.merge {
        Some(Merging::Merge(arguments)) => merge(arguments),
        None => run(&arguments.run),
    }
}

fn run(arguments: &Run) -> Result<ExitCode, Failure> {
    let name = arguments.address.as_deref().unwrap_or_default();
    let addresses = resolve(name).map_err(Failure::Failed)?;
    let &[first, ref others @ ..] = addresses.as_slice() else {
        return Err(Failure::Failed(format!("{name} has no address")));
    };
    let mut plan = plan(arguments, first)?;
    arguments.server_pid.map_or(Ok(()), can_be_watched)?;
    let stop = Arc::new(AtomicBool::new(false));
    signals::interrupt(&stop).map_err(failed)?;
    arguments.exports.check()?;
    if !others.is_empty() {
        plan.address = engine::reachable(&addresses, &stop).map_err(failed)?;
    }
    plan.expect = match &arguments.expect {
        Some(expect) => expect.clone(),
        None => engine::expectation(plan.address, plan.framing, &stop).map_err(failed)?,
    };
    if arguments.find_max_rate {
        return search::search(arguments, &plan, &stop);
    }
    let status = Status::new();
    let tell = |progress| status.show(&plan, progress);
    let measured = engine::run(&plan, &stop, if status.is_shown() { Some(&tell) } else { None });
    status.clear();
    let measurement = measured.map_err(failed)?;
    let verdict = arguments.slo.map(|slo| (slo, slo.judge(&measurement)));
    let mut text = String::new();
    if let Some((slo, verdict)) = &verdict {
        text = format!("{verdict}, where {slo} is promised\n\n");
    }
    text.push_str(&export::table(&measurement));
    arguments.exports.write(&measurement, &text)?;
    Ok(code(&measurement, verdict.map(|(_, verdict)| verdict).as_ref()))
}

fn merge(arguments: &Merge) -> Result<ExitCode, Failure> {
    let measurements = arguments.files.iter().map(|file| {
        let wrong = |why: String| Failure::Usage(format!("{} can't be merged: {why}", file.display()));
        let text = fs::read(file).map_err(|error| wrong(error.to_string()))?;
        serde_json::from_slice(&text)
            .map_err(|error| wrong(format!("it is no measurement of `load`: {error}")))
    });
    let measurements: Vec<Measurement> = measurements.collect::<Result<_, _>>()?;
    let merged =
        export::merge(&measurements).ok_or_else(|| Failure::Usage("there is nothing to merge".into()))?;
    arguments.exports.write(&merged, &export::table(&merged))?;
    Ok(code(&merged, None))
}

/// The first that applies: 4, replies were bad; 1, the objective was missed, connections failed or no reply came; 0.
fn code(measurement: &Measurement, verdict: Option<&Verdict>) -> ExitCode {
    let failures = &measurement.failures;
    if measurement.verification.bad() > 0 {
        ExitCode::from(4)
    } else if verdict.is_some_and(|verdict| !verdict.is_pass())
        || failures.connections() > 0
        || measurement.verification.replies == 0
    {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
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

fn plan(arguments: &Run, address: SocketAddr) -> Result<Plan, Failure> {
    let pace = arguments.rate.map_or(Pace::Closed, |rate| Pace::Open {
        rate,
        arrivals: arguments.arrivals,
        dispatch: Dispatch::Each,
    });
    let plan = Plan {
        connections: arguments.connections,
        depth: arguments.depth,
        pace,
        duration: arguments.duration.0,
        warmup: arguments.warmup.0,
        messages: Messages::Made(arguments.message_size.clone()),
        framing: arguments.framing.for_load(),
        connect_rate: arguments.connect_rate,
        messages_per_connection: arguments.messages_per_connection,
        hostile: Hostile {
            idle: arguments.idle,
            slow_readers: arguments.slow_readers,
            slow_writers: arguments.slow_writers,
        },
        threads: arguments.threads,
        seed: arguments.seed,
        server: arguments.server_pid,
        ..Plan::new(address)
    };
    plan.check().map_err(Failure::Usage)?;
    let hostile = arguments.idle + arguments.slow_readers + arguments.slow_writers;
    let limit = descriptors::raise_limit();
    let room = limit.saturating_sub(descriptors::RESERVED);
    if plan.connections + hostile > room {
        return Err(Failure::Usage(format!(
            "{} connections are more than the {room} that {limit} open files leave room for; ask for fewer, or \
             have several generators make the load, and merge what they measure",
            plan.connections + hostile
        )));
    }
    Ok(plan)
}

/// Nothing that was wrong with what was asked for, unless the plan says so.
fn failed(error: io::Error) -> Failure {
    match error.kind() {
        ErrorKind::InvalidInput => Failure::Usage(error.to_string()),
        _ => Failure::Failed(error.to_string()),
    }
}
