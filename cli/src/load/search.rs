//! `anyloop load --find-max-rate`.

use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use load::export;
use load::measurement::Measurement;
use load::plan::{Pace, Plan};
use load::search::{Found, Purpose, Range, find_max_rate};
use load::slo::Slo;

use super::arguments::Load;
use super::{outcome, run};
use crate::exit::Outcome;
use crate::failure::Failure;
use crate::progress::Bar;

/// How long a rate is tried. The confirmation takes the whole --duration.
const TRIAL: Duration = Duration::from_secs(2);

/// Searches for the highest rate at which every objective is met.
pub(super) fn search(arguments: &Load, plan: &Plan, stop: &AtomicBool) -> Result<ExitCode, Failure> {
    let slos = &arguments.slo;
    let (bar, mut steps) = (Bar::new(), 0);
    let mut last: Option<Measurement> = None;
    let trial = Plan { duration: TRIAL.min(plan.duration), ..plan.clone() };
    let mut step = |plan: &Plan, what: &str| {
        steps += 1;
        run(plan, stop, &bar, &format!("step {steps}, {what}: "), None)
    };
    // A closed loop reaches a higher rate than any open loop sustains, so the search begins far below it.
    let closed = step(&trial, "a closed loop").map_err(|error| Failure::of(&error))?;
    let capacity = closed.achieved_rate.max(1.0);
    // A rate is tried for as long as it takes to judge it.
    let needed = slos.iter().map(Slo::messages_needed).max().unwrap_or(0) as f64 * 1.05;
    let long = |rate: f64| trial.duration.max(plan.duration.min(Duration::from_secs_f64(needed / rate)));
    let least = (capacity / 1000.0).max(needed / plan.duration.as_secs_f64());
    let range = Range { first: (capacity / 4.0).max(least), least, most: (capacity * 4.0).max(least) };
    let mut measure = |rate: f64, purpose: Purpose| {
        let pace = Pace::Open { rate, arrivals: arguments.arrivals, dispatch: arguments.dispatch };
        let tried = || Plan { pace, duration: long(rate), ..trial.clone() };
        let (plan, what) = match purpose {
            Purpose::Ramp => (tried(), "ramp"),
            Purpose::Bisection => (tried(), "bisection"),
            Purpose::Confirmation => (Plan { pace, ..plan.clone() }, "confirmation"),
        };
        let measurement = step(&plan, what)?;
        last = Some(measurement.clone());
        Ok(measurement)
    };
    let found = find_max_rate(&mut measure, slos, arguments.allow_refusals, range)
        .map_err(|error| Failure::of(&error))?;
    bar.clear();
    let Some(last) = last else { return Err(Failure::Interrupted("the search was interrupted".into())) };
    let promised: Vec<_> = slos.iter().map(ToString::to_string).collect();
    let mut text = describe(&found, &promised.join(" and "));
    text.push_str("\nThe last measurement:\n\n");
    text.push_str(&export::table(&last));
    arguments.exports.write(&last, &text, None)?;
    Ok(end(&found, outcome(&last, &[], arguments.allow_refusals)).into())
}

/// The outcome of a search with this result, whose last run had this outcome.
fn end(found: &Found, last: Outcome) -> Outcome {
    let kept = matches!(found.confirmation, Some((_, true)));
    Outcome::of(&[
        (!kept && !found.undecided, Outcome::Missed),
        (!kept && found.undecided, Outcome::Undecided),
        (true, last),
        (found.interrupted, Outcome::Interrupted),
    ])
}

fn describe(found: &Found, slo: &str) -> String {
    let mut text = match (found.highest_pass, found.lowest_fail) {
        (Some(pass), Some(fail)) => format!("{slo} is met at {pass:.0}/s, and fails at {fail:.0}/s\n"),
        (Some(pass), None) => format!("{slo} is met at {pass:.0}/s, and nothing higher was tried\n"),
        (None, Some(fail)) => format!("{slo} fails at {fail:.0}/s, and at every rate that was tried\n"),
        (None, None) => format!("no measurement shows whether {slo} is met\n"),
    };
    match found.confirmation {
        Some((rate, true)) => text.push_str(&format!("confirmed at {rate:.0}/s\n")),
        Some((rate, false)) => text.push_str(&format!("NOT confirmed: at {rate:.0}/s it failed\n")),
        None => {}
    }
    if found.generator_limited {
        text.push_str(
            "the generator was busy where it failed: the server may not have been the bottleneck\n",
        );
    }
    if found.undecided {
        text.push_str(
            "where it was not met, there were too few messages for a verdict; measure for longer\n",
        );
    }
    if found.interrupted {
        text.push_str("interrupted: the bracket is wider than requested\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_whose_last_run_failed_has_failed() {
        let kept = || Found { confirmation: Some((1000.0, true)), ..Found::default() };
        let undecided = || Found { undecided: true, ..Found::default() };
        let interrupted = || Found { interrupted: true, ..kept() };
        for (found, last, expected) in [
            (kept(), Outcome::Passed, Outcome::Passed),
            (Found::default(), Outcome::Passed, Outcome::Missed),
            (undecided(), Outcome::Passed, Outcome::Undecided),
            (Found::default(), Outcome::Failed, Outcome::Failed),
            (kept(), Outcome::WrongReplies, Outcome::WrongReplies),
            (interrupted(), Outcome::Failed, Outcome::Interrupted),
        ] {
            assert_eq!(end(&found, last), expected, "{found:?} after {last:?}");
        }
    }
}
