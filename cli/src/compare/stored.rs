//! Comparisons that were stored: `anyloop report` and `anyloop diff`, and what `--baseline` reads.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use compare::{Comparison, report};

use super::baseline::Baseline;
use super::output;
use super::style;
use crate::arguments::{Diff, Format, Report};
use crate::failure::{Failure, print};

/// Reads a report.json.
pub(super) fn read(file: &Path) -> Result<Comparison, Failure> {
    let wrong = |why: String| Failure::Usage(format!("{} can't be read: {why}", file.display()));
    let text = fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
    report::from_json(&text).map_err(|error| wrong(error.to_string()))
}

/// Renders a report.json again.
pub(crate) fn render(arguments: &Report) -> Result<ExitCode, Failure> {
    let comparison = read(&arguments.file)?;
    let folder = match &arguments.output {
        Some(folder) => folder,
        None => arguments.file.parent().unwrap_or(Path::new("")),
    };
    let name = arguments.file.file_stem().unwrap_or_default();
    let text = match arguments.format {
        Format::Text => report::to_text(&comparison, style(arguments.verbose)),
        Format::Json => output::to_json(&comparison)?,
    };
    let written = output::render(&comparison, folder, Path::new(name));
    print(text.as_bytes())?;
    let written = written?;
    if arguments.format == Format::Text {
        print(written.as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Says what has changed from one report.json to another.
pub(crate) fn diff(arguments: &Diff) -> Result<ExitCode, Failure> {
    let before = Baseline::read(&arguments.before, arguments.force)?;
    let after = read(&arguments.after)?;
    before.can_be_compared(&after)?;
    let (text, outcome) = before.judge(&after);
    print(text.as_bytes())?;
    Ok(outcome.into())
}
