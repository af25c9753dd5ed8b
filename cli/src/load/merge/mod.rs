//! `anyloop merge`.

mod input;
mod together;

use std::process::ExitCode;

use load::export;
use load::measurement::Measurement;

use super::arguments::Merge;
use super::outcome;
use crate::failure::{Failure, warn};

/// Merges what several runs of `load` have measured.
pub(crate) fn merge(arguments: &Merge) -> Result<ExitCode, Failure> {
    let sources = input::read(&arguments.files)?;
    let doubts = together::check(&sources, arguments.allow_missing, arguments.allow_apart)?;
    arguments.exports.check()?;
    let measurements: Vec<_> = sources.iter().map(|source| source.measurement.clone()).collect();
    let merged = Measurement::merged(&measurements)
        .ok_or_else(|| Failure::Usage("there is nothing to merge".into()))?;
    doubts.iter().for_each(|doubt| warn(doubt));
    let names: Vec<_> = sources.iter().map(input::Source::title).collect();
    let mut text = export::table(&merged);
    text.push('\n');
    text.push_str(&export::generators(&names, &measurements, &merged));
    arguments.exports.write(&merged, &text)?;
    Ok(outcome(&merged, &[], arguments.allow_refusals).into())
}
