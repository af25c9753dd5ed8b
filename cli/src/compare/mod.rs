//! `anyloop compare`.

pub(crate) mod arguments;
mod candidates;
mod progress;

use std::env;
use std::fs;
use std::io::{self, IsTerminal};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use load::comparison::{Comparison, Settings, Shape, Tier, compare as carry_out};
use load::plan::Expect;
use load::report::{self, Style};
use load::statistics::regression::{against, has_regressed};
use load::statistics::{Drift, assess};

use crate::failure::{Failure, print};
use crate::signals;
use arguments::Compare;
use progress::Bar;

/// Compares backends, and writes what that has shown.
pub(crate) fn compare(arguments: &Compare) -> Result<ExitCode, Failure> {
    let baseline = arguments.baseline.as_deref().map(read).transpose()?;
    let settings = settings(arguments, baseline.as_ref())?;
    fs::create_dir_all(&arguments.output)
        .map_err(|error| Failure::Usage(format!("can't make {}: {error}", arguments.output.display())))?;
    let stop = Arc::new(AtomicBool::new(false));
    signals::interrupt(&stop).map_err(|error| Failure::Failed(error.to_string()))?;

    let mut bar = Bar::new();
    let compared = carry_out(&settings, &stop, &mut |event| bar.show(event));
    bar.clear();
    let comparison = compared.map_err(|error| match error.kind() {
        io::ErrorKind::InvalidInput => Failure::Usage(error.to_string()),
        _ => Failure::Failed(error.to_string()),
    })?;

    let mut text = report::to_table(&comparison, style());
    let regressed = match &baseline {
        Some(baseline) => regression(baseline, &comparison, arguments.force, &mut text)?,
        None => false,
    };
    for (name, content) in [
        ("report.html", report::to_html(&comparison)),
        ("report.md", report::to_markdown(&comparison)),
        ("report.json", report::to_json(&comparison).map_err(|error| Failure::Failed(error.to_string()))?),
    ] {
        let file = arguments.output.join(name);
        fs::write(&file, content)
            .map_err(|error| Failure::Failed(format!("can't write {}: {error}", file.display())))?;
        text.push_str(&format!("wrote {}\n", file.display()));
    }
    print(text.as_bytes())?;
    Ok(code(&comparison, regressed))
}

fn settings(arguments: &Compare, baseline: Option<&Comparison>) -> Result<Settings, Failure> {
    if arguments.work.is_some() && arguments.handler != "work" {
        return Err(Failure::Usage(format!(
            "--work is for --handler work, and the handler is {}; leave one of them out",
            arguments.handler
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
        clients: arguments.clients,
        depth: arguments.depth,
        rate: arguments.rate.or_else(|| rate_of(baseline?, arguments)),
        connections: arguments.connections.clone(),
        sizes: arguments.message_size.clone(),
        expect: match arguments.handler.as_str() {
            "counter" => Expect::Counter,
            "ack" => Expect::Ack,
            _ => Expect::Echo,
        },
        threads: arguments.threads,
        seed: arguments.seed,
        slo: arguments.slo,
        handler: match arguments.work {
            Some(work) => format!("work {work}"),
            None => arguments.handler.clone(),
        },
        command: command(),
        ..Settings::new(Vec::new())
    };
    let candidates = candidates::candidates(arguments, settings.most_connections())?;
    let settings = Settings { candidates, ..settings };
    settings.check().map_err(Failure::Usage)?;
    Ok(settings)
}

/// The rate at which a baseline compared as many connections, so that both can be held against each other.
fn rate_of(baseline: &Comparison, arguments: &Compare) -> Option<f64> {
    let of_it = |shape: &&Shape| shape.connections == arguments.clients && shape.depth == arguments.depth;
    baseline.shapes.iter().filter(of_it).find_map(|shape| shape.rate)
}

/// The command line, but for where the program lies.
fn command() -> String {
    let quoted = |argument: String| {
        if argument.contains(|character: char| character.is_whitespace()) {
            format!("'{argument}'")
        } else {
            argument
        }
    };
    let arguments = env::args_os().skip(1).map(|argument| quoted(argument.to_string_lossy().into_owned()));
    ["anyloop".to_owned()].into_iter().chain(arguments).collect::<Vec<_>>().join(" ")
}

fn read(file: &Path) -> Result<Comparison, Failure> {
    let wrong = |why: String| Failure::Usage(format!("{} is no baseline: {why}", file.display()));
    let text = fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
    report::from_json(&text).map_err(|error| wrong(format!("it is no report.json of `compare`: {error}")))
}

/// Adds what has changed since the baseline, and tells whether that is a regression.
fn regression(
    baseline: &Comparison,
    comparison: &Comparison,
    force: bool,
    text: &mut String,
) -> Result<bool, Failure> {
    let changes = against(baseline, comparison, force)
        .map_err(|refusal| Failure::Usage(format!("can't be held against the baseline: {refusal}")))?;
    text.push_str("since the baseline\n");
    for change in &changes {
        let word = match change.drift {
            Drift::Regressed => "WORSE",
            Drift::Improved => "better",
            Drift::Unchanged => continue,
        };
        text.push_str(&format!(
            "  {} {}, {}: {:.2}x, where ±{:.0} % may be chance: {word}\n",
            change.subject,
            change.shape,
            change.metric.name(),
            change.ratio,
            change.band * 100.0
        ));
    }
    if changes.iter().all(|change| change.drift == Drift::Unchanged) {
        text.push_str("  nothing that could not be chance\n");
    }
    Ok(has_regressed(&changes))
}

fn style() -> Style {
    let terminal = io::stdout().is_terminal();
    let colour = terminal && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    Style { colour, unicode: terminal }
}

/// The first that applies: 4, replies were bad; 1, the objective was missed or something has regressed; 3, the
/// rounds differ too much to tell; 0.
fn code(comparison: &Comparison, regressed: bool) -> ExitCode {
    let assessment = assess(comparison);
    if !assessment.failed.is_empty() {
        ExitCode::from(4)
    } else if regressed || is_missed(comparison) {
        ExitCode::FAILURE
    } else if assessment.is_too_noisy(comparison) {
        ExitCode::from(3)
    } else {
        ExitCode::SUCCESS
    }
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
