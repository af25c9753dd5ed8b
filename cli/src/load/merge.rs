//! `anyloop merge`.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use load::export;
use load::measurement::Measurement;

use super::arguments::Merge;
use super::outcome;
use crate::failure::Failure;

/// Merges what several runs of `load` have measured.
pub(crate) fn merge(arguments: &Merge) -> Result<ExitCode, Failure> {
    let contents: Vec<Vec<u8>> = arguments.files.iter().map(|file| read(file)).collect::<Result<_, _>>()?;
    refuse_twins(&arguments.files, &contents)?;
    let measurements = arguments.files.iter().zip(&contents).map(|(file, content)| {
        serde_json::from_slice(content)
            .map_err(|error| wrong(file, &format!("it is no measurement of `load`: {error}")))
    });
    let measurements: Vec<Measurement> = measurements.collect::<Result<_, _>>()?;
    arguments.exports.check()?;
    let merged =
        export::merge(&measurements).ok_or_else(|| Failure::Usage("there is nothing to merge".into()))?;
    arguments.exports.write(&merged, &export::table(&merged))?;
    Ok(outcome(&merged, &[], arguments.allow_refusals).into())
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(file).map_err(|error| wrong(file, &error.to_string()))
}

/// Refuses the same measurement twice: messages that are counted twice make every figure look surer than it is. Links and
/// copies are the same.
fn refuse_twins<P: AsRef<Path>>(files: &[P], contents: &[Vec<u8>]) -> Result<(), Failure> {
    let mut seen: HashMap<&[u8], &Path> = HashMap::new();
    for (file, content) in files.iter().map(AsRef::as_ref).zip(contents) {
        if let Some(earlier) = seen.insert(content, file) {
            let same = if earlier == file { "it is given twice".into() } else { same_as(earlier) };
            return Err(wrong(file, &format!("{same}; give each measurement once")));
        }
    }
    Ok(())
}

fn same_as(earlier: &Path) -> String {
    format!("it has the same content as {}", earlier.display())
}

fn wrong(file: &Path, why: &str) -> Failure {
    Failure::Usage(format!("{} can't be merged: {why}", file.display()))
}
