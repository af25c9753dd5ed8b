//! `anyloop compare`.

pub(crate) mod arguments;
mod baseline;
mod candidates;
mod output;
mod progress;
mod settings;
mod stored;

use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use common::Backend;
use compare::report::{self, Style};
use compare::statistics::former::assess;
use compare::{Comparison, compare as carry_out};

use crate::arguments::Format;
use crate::exit::Outcome;
use crate::failure::{Failure, print};
use crate::{color, signals};
use arguments::Compare;
use baseline::Baseline;
use output::Output;
use progress::Steps;

pub(crate) use stored::{diff, render};

/// Compares backends, and writes what that has shown.
pub(crate) fn compare(
    arguments: &Compare,
    all: &[&'static dyn Backend],
    program: &str,
) -> Result<ExitCode, Failure> {
    let baseline =
        arguments.baseline.as_deref().map(|file| Baseline::read(file, arguments.force)).transpose()?;
    let stored = baseline.as_ref().map(|baseline| &baseline.comparison);
    let settings = settings::settings(arguments, all, stored, program)?;
    baseline.as_ref().map_or(Ok(()), |baseline| baseline.check(&settings))?;
    let output = Output::prepare(&arguments.output, arguments.baseline.as_deref())?;
    let stop = Arc::new(AtomicBool::new(false));
    signals::interrupt(&stop).map_err(|error| Failure::Failed(error.to_string()))?;

    let mut steps = Steps::new();
    let compared = carry_out(&settings, &stop, &mut |event| steps.show(event));
    steps.clear();
    let comparison = compared.map_err(|error| Failure::of(&error))?;
    if comparison.interrupted && comparison.samples.is_empty() {
        return Err(Failure::Interrupted("interrupted before anything was measured".into()));
    }

    let mut text = report::to_table(&comparison, style());
    let regressed = baseline.is_some_and(|baseline| baseline.judge(&comparison, &mut text));
    // What was measured is shown even where it can't be written.
    let written = output.write(&comparison);
    text.push_str(written.as_deref().unwrap_or_default());
    match arguments.format {
        Format::Text => print(text.as_bytes())?,
        Format::Json => print(output::to_json(&comparison)?.as_bytes())?,
    }
    written.map(|_| outcome(&comparison, regressed).into())
}

fn style() -> Style {
    let terminal = io::stdout().is_terminal();
    Style { colour: color::on_stdout(), unicode: terminal }
}

/// How a comparison ends.
fn outcome(comparison: &Comparison, regressed: bool) -> Outcome {
    let assessment = assess(comparison);
    let bad = comparison.samples.iter().any(|sample| sample.bad > 0);
    Outcome::of(&[
        (assessment.is_too_noisy(comparison), Outcome::Undecided),
        (is_missed(comparison), Outcome::Missed),
        (regressed, Outcome::Regressed),
        (!assessment.failed.is_empty(), Outcome::Failed),
        (bad, Outcome::WrongReplies),
        (comparison.interrupted, Outcome::Interrupted),
    ])
}

/// Whether no backend has kept the objective at an offered rate, in the median of its rounds.
fn is_missed(comparison: &Comparison) -> bool {
    let Some(slo) = comparison.conditions.slo else { return false };
    let open = |shape: usize| comparison.shapes[shape].rate.is_some();
    let mut latencies: Vec<Vec<f64>> = vec![Vec::new(); comparison.subjects.len()];
    for sample in comparison.samples.iter().filter(|sample| open(sample.shape)) {
        let p99 = sample.latency.iter().find(|(percentile, _)| *percentile == 99.0);
        let latency = p99.filter(|_| !sample.overloaded).map_or(f64::INFINITY, |&(_, latency)| latency);
        latencies[sample.subject].push(latency);
    }
    let median = |values: &mut Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    };
    let medians: Vec<f64> = latencies.iter_mut().filter_map(median).collect();
    !medians.is_empty() && medians.iter().all(|median| *median > slo)
}
