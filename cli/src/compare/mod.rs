//! `anyloop compare`.

mod against;
pub(crate) mod arguments;
mod backends;
mod candidates;
mod certificate;
mod outcome;
mod output;
mod settings;
mod stored;
mod variants;

use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use compare::report::{self, Style};
use compare::{Event, Step, compare as run_comparison};

use crate::arguments::Format;
use crate::catalogue::Catalogue;
use crate::failure::{Failure, print};
use crate::program::Program;
use crate::progress::Bar;
use crate::{color, signals, terminal};
use arguments::Compare;
use certificate::Certificate;
use output::Output;
use stored::Baseline;

pub(crate) use stored::{diff, render};

/// Compares servers, and writes the reports.
pub(crate) fn compare(
    arguments: &Compare,
    catalogue: &Catalogue,
    program: &Program,
) -> Result<ExitCode, Failure> {
    let baseline =
        arguments.baseline.as_deref().map(|file| Baseline::read(file, arguments.force)).transpose()?;
    let stored = baseline.as_ref().map(|baseline| &baseline.comparison);
    let certificate = arguments.tls.then(Certificate::make).transpose()?; // its files are there until this function returns
    let mut settings = settings::settings(arguments, catalogue, stored, certificate.as_ref(), program)?;
    baseline.as_ref().map_or(Ok(()), |baseline| baseline.check(&settings))?;
    let output = Output::prepare(&arguments.output, arguments.baseline.as_deref())?;
    let stop = Arc::new(AtomicBool::new(false));
    signals::interrupt(&stop).map_err(|error| Failure::Failed(error.to_string()))?;
    against::try_out(&mut settings, &stop)?;

    let mut steps = Steps::new(arguments.verbose);
    let compared = run_comparison(&settings, &stop, &mut |event| steps.show(event));
    steps.bar.clear();
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
    // The result is printed even if the reports can't be written.
    let written = output.write(&comparison);
    text.push_str(written.as_deref().unwrap_or_default());
    match arguments.format {
        Format::Text => print(text.as_bytes())?,
        Format::Json => print(output::to_json(&comparison)?.as_bytes())?,
    }
    written.map(|_| outcome.into())
}

/// The style of the text output.
fn style(details: bool) -> Style {
    let default = Style::default();
    Style {
        color: color::on_stdout(),
        unicode: io::stdout().is_terminal(),
        width: terminal::width().unwrap_or(default.width),
        details,
    }
}

/// A progress bar on standard error; if that is not a terminal, a line for each round.
struct Steps {
    bar: Bar,
    /// The stage and round of the last line.
    last: String,
    /// Whether to show the servers' standard error.
    verbose: bool,
}

impl Steps {
    fn new(verbose: bool) -> Self {
        Self { bar: Bar::new(), last: String::new(), verbose }
    }

    fn show(&mut self, event: &Event) {
        match event {
            Event::Note(note) => self.bar.say(&format!("note: {note}"), "      "),
            Event::Wrote { server, line } if self.verbose => self.bar.say(&format!("{server}: {line}"), ""),
            Event::Wrote { .. } => {}
            Event::Step(step) => self.step(step),
        }
    }

    fn step(&mut self, step: &Step) {
        let Step { stage, subject, load, round, slot, passed, left } = step;
        let all = passed.as_secs_f64() + left.as_secs_f64();
        let done = if all > 0.0 { passed.as_secs_f64() / all } else { 0.0 };
        let round = if round.1 > 1 { format!(", round {} of {}", round.0, round.1) } else { String::new() };
        let text = format!("{stage}{round}: {subject}, {load} ({} of {})", slot.0, slot.1);
        self.bar.show(done, format!("{} left", time(*left)), text);
        let about = format!("{stage}{round}");
        if !self.bar.is_seen() && self.last != about {
            self.bar.say(&format!("{about}; {} left", time(*left)), "");
        }
        self.last = about;
    }
}

/// Minutes and seconds.
fn time(time: Duration) -> String {
    format!("{}:{:02}", time.as_secs() / 60, time.as_secs() % 60)
}
