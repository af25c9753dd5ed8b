//! `anyloop merge`.

mod input;
mod together;

use std::path::PathBuf;
use std::process::ExitCode;

use load::export;
use load::measurement::{Generator, Measurement};

use super::arguments::Merge;
use super::{judge, outcome};
use crate::failure::{Failure, warn};

/// Merges what several runs of `load` have measured.
pub(crate) fn merge(arguments: &Merge) -> Result<ExitCode, Failure> {
    let sources = input::read(&arguments.files)?;
    let doubts = together::check(&sources, arguments.allow_missing, arguments.allow_apart)?;
    let inputs: Vec<_> = arguments.files.iter().map(PathBuf::as_path).collect();
    arguments.exports.check(&inputs, None)?;
    arguments.slo.first().map_or(Ok(()), |slo| together::check_open(&sources, slo))?;
    let measurements: Vec<_> = sources.iter().map(|source| source.measurement.clone()).collect();
    let merged = Measurement::merged(&measurements)
        .ok_or_else(|| Failure::Usage("there is nothing to merge".into()))?;
    doubts.iter().for_each(|doubt| warn(doubt));
    let generators =
        sources.iter().map(|source| Generator::of(source.title(), &source.measurement)).collect();
    let merged = Measurement { generators, ..merged };
    let (mut text, verdicts) = judge(&arguments.slo, &merged, arguments.allow_refusals);
    text.push_str(&export::table(&merged));
    text.push('\n');
    text.push_str(&export::generators(&merged));
    arguments.exports.write(&merged, &text, None)?;
    Ok(outcome(&merged, &verdicts, arguments.allow_refusals).into())
}
