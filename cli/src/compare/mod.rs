//! `anyloop compare`.

pub(crate) mod arguments;
mod baseline;
mod candidates;
mod output;
mod progress;
mod stored;

use std::env;
use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use common::Backend;
use compare::report::{self, Style};
use compare::statistics::former::assess;
use compare::{Comparison, Settings, Shape, Tier, compare as carry_out};

use crate::arguments::Format;
use crate::catalogue::Served;
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
    let settings = Settings { command: command(program), ..settings(arguments, all, stored)? };
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

    let mut text = report::to_text(&comparison, style());
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

/// The loads with `--with-handwritten`: connections, and messages in flight on each. One message shows what the system
/// calls cost, several what is done for a message, and many connections what finding the ready ones costs.
const BESIDE_HANDWRITTEN: [(usize, usize); 3] = [(64, 1), (64, 16), (500, 1)];

fn settings(
    arguments: &Compare,
    all: &[&'static dyn Backend],
    baseline: Option<&Comparison>,
) -> Result<Settings, Failure> {
    let Served { name: handler, ref expect, .. } = arguments.handler;
    if arguments.work.is_some() && handler != "work" {
        return Err(Failure::Usage(format!(
            "--work is for --handler work, and the handler is {handler}; leave one of them out"
        )));
    }
    if !arguments.handler.is_framed() {
        return Err(Failure::Usage(format!(
            "{handler} has a protocol of its own, in which no load can be made here; serve it on one backend after \
             the other, and take a generator that speaks it, as wrk speaks HTTP and redis-benchmark the Redis protocol"
        )));
    }
    let framing = arguments.framing.name;
    if arguments.with_handwritten && (handler, framing) != ("echo", common::Framing::Line.name()) {
        return Err(Failure::Usage(format!(
            "what is written by hand for --with-handwritten echoes lines, and this is {handler} in {framing}; leave out \
             --with-handwritten, or --handler and --framing"
        )));
    }
    let tier = match (arguments.quick, arguments.full) {
        (true, _) => Tier::Quick,
        (_, true) => Tier::Full,
        _ => Tier::Default,
    };
    let settings = Settings {
        tier,
        rounds: arguments.rounds,
        clients: arguments.connections,
        depth: arguments.depth,
        rate: arguments.rate.or_else(|| rate_of(baseline?, arguments)),
        closed_loops: if arguments.with_handwritten { BESIDE_HANDWRITTEN.to_vec() } else { Vec::new() },
        connections: arguments.sweep_connections.clone(),
        sizes: arguments.message_size.clone(),
        framing: arguments.framing.for_load(),
        expect: expect.clone(),
        threads: arguments.threads,
        seed: arguments.seed,
        slo: arguments.slo.first().copied(),
        handler: described(arguments),
        ..Settings::new(Vec::new())
    };
    let backends = if arguments.backends.is_empty() { all } else { &arguments.backends };
    let candidates = candidates::candidates(arguments, backends, settings.most_connections())?;
    let settings = Settings { candidates, ..settings };
    settings.check().map_err(Failure::Usage)?;
    let absent = settings.candidates.iter().map(|candidate| candidate.unavailable.as_deref());
    if let Some(why) = absent.collect::<Option<Vec<_>>>() {
        return Err(Failure::Failed(format!("none of them is available here: {}", why.join("; "))));
    }
    Ok(settings)
}

/// The rate at which a baseline compared as many connections, so that both can be held against each other.
fn rate_of(baseline: &Comparison, arguments: &Compare) -> Option<f64> {
    let of_it = |shape: &&Shape| shape.connections == arguments.connections && shape.depth == arguments.depth;
    baseline.shapes.iter().filter(of_it).find_map(|shape| shape.rate)
}

/// What is served, for the report.
fn described(arguments: &Compare) -> String {
    let mut text = arguments.handler.name.to_owned();
    if let Some(work) = arguments.work {
        text.push_str(&format!(" {work}"));
    }
    if arguments.framing.name != common::Framing::ALL[0].name() {
        text.push_str(&format!(" in {}", arguments.framing.name));
    }
    text
}

/// The command line, but for where the program lies.
fn command(program: &str) -> String {
    let quoted = |argument: String| {
        if argument.contains(|character: char| character.is_whitespace()) {
            format!("'{argument}'")
        } else {
            argument
        }
    };
    let arguments = env::args_os().skip(1).map(|argument| quoted(argument.to_string_lossy().into_owned()));
    [program.to_owned()].into_iter().chain(arguments).collect::<Vec<_>>().join(" ")
}

fn style() -> Style {
    let terminal = io::stdout().is_terminal();
    Style { color: color::on_stdout(), unicode: terminal, ..Style::default() }
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
