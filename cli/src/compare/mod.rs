//! `anyloop compare`.

mod against;
pub(crate) mod arguments;
mod baseline;
mod candidates;
mod outcome;
mod output;
mod progress;
mod settings;
mod stored;

use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use compare::compare as carry_out;
use compare::report::{self, Style};
use serving::Backend;

use crate::arguments::Format;
use crate::failure::{Failure, print};
use crate::program::Program;
use crate::{color, signals, terminal};
use arguments::Compare;
use baseline::Baseline;
use output::Output;
use progress::Steps;

pub(crate) use stored::{diff, render};

/// Compares backends, and writes what that has shown.
pub(crate) fn compare(
    arguments: &Compare,
    all: &[&'static dyn Backend],
    program: &Program,
) -> Result<ExitCode, Failure> {
    let baseline =
        arguments.baseline.as_deref().map(|file| Baseline::read(file, arguments.force)).transpose()?;
    let stored = baseline.as_ref().map(|baseline| &baseline.comparison);
    let mut settings = settings::settings(arguments, all, stored, program)?;
    baseline.as_ref().map_or(Ok(()), |baseline| baseline.check(&settings))?;
    let output = Output::prepare(&arguments.output, arguments.baseline.as_deref())?;
    let stop = Arc::new(AtomicBool::new(false));
    signals::interrupt(&stop).map_err(|error| Failure::Failed(error.to_string()))?;
    against::try_out(&mut settings, &stop)?;

    let mut steps = Steps::new();
    let compared = carry_out(&settings, &stop, &mut |event| steps.show(event));
    steps.clear();
    let comparison = compared.map_err(|error| Failure::of(&error))?;
    if comparison.interrupted && comparison.samples.is_empty() {
        return Err(Failure::Interrupted("interrupted before anything was measured".into()));
    }

    let mut text = report::to_text(&comparison, style(arguments.verbose));
    let mut outcome = outcome::outcome(&comparison, arguments.allow_refusals);
    if let Some(baseline) = &baseline {
        let (said, since) = baseline.judge(&comparison);
        text.push('\n');
        text.push_str(&said);
        outcome = outcome.max(since);
    }
    // What was measured is shown even where it can't be written.
    let written = output.write(&comparison);
    text.push_str(written.as_deref().unwrap_or_default());
    match arguments.format {
        Format::Text => print(text.as_bytes())?,
        Format::Json => print(output::to_json(&comparison)?.as_bytes())?,
    }
    written.map(|_| outcome.into())
}

/// How the text for people is written, with or without details.
fn style(details: bool) -> Style {
    let default = Style::default();
    Style {
        color: color::on_stdout(),
        unicode: io::stdout().is_terminal(),
        width: terminal::width().unwrap_or(default.width),
        details,
    }
}
