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
    reject_duplicates(&arguments.files, &contents)?;
    let measurements = arguments.files.iter().zip(&contents).map(|(file, content)| {
        serde_json::from_slice(content)
            .map_err(|error| wrong(file, &format!("it is not a measurement of `load`: {error}")))
    });
    let measurements: Vec<Measurement> = measurements.collect::<Result<_, _>>()?;
    reject_incompatible(&arguments.files, &measurements)?;
    arguments.exports.check()?;
    let merged = Measurement::merged(&measurements)
        .ok_or_else(|| Failure::Usage("there is nothing to merge".into()))?;
    arguments.exports.write(&merged, &export::table(&merged))?;
    Ok(outcome(&merged, &[], arguments.allow_refusals).into())
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(file).map_err(|error| wrong(file, &error.to_string()))
}

/// Rejects duplicate measurements, including links and copies: messages that are counted twice make every figure look
/// more certain than it is.
fn reject_duplicates<P: AsRef<Path>>(files: &[P], contents: &[Vec<u8>]) -> Result<(), Failure> {
    let mut seen: HashMap<&[u8], &Path> = HashMap::new();
    for (file, content) in files.iter().map(AsRef::as_ref).zip(contents) {
        if let Some(earlier) = seen.insert(content, file) {
            let same = if earlier == file { "it is given twice".into() } else { same_as(earlier) };
            return Err(wrong(file, &format!("{same}; give each measurement once")));
        }
    }
    Ok(())
}

/// Rejects measurements whose sums would be meaningless: they must be of the same kind and the same duration. A
/// measurement that was ended early may be shorter.
fn reject_incompatible<P: AsRef<Path>>(files: &[P], measurements: &[Measurement]) -> Result<(), Failure> {
    let is_whole = |one: &Measurement| !one.interrupted && one.stopped_early.is_none();
    let kind = |one: &Measurement| {
        let pace = if one.offered_rate.is_some() { "an open loop" } else { "a closed loop" };
        match &one.tls {
            None => pace.to_owned(),
            Some(tls) => format!("{pace} over {} with {}", tls.version, tls.cipher_suite),
        }
    };
    let all = || files.iter().map(AsRef::as_ref).zip(measurements);
    let (Some((first, model)), whole) = (all().next(), all().find(|(_, one)| is_whole(one))) else {
        return Ok(());
    };
    for (file, measurement) in all() {
        let (is, was) = (kind(measurement), kind(model));
        if is != was {
            let first = first.display();
            return Err(wrong(
                file,
                &format!("it is of {is}, and {first} of {was}; give measurements of one kind"),
            ));
        }
        let Some((first, model)) = whole.filter(|_| is_whole(measurement)) else { continue };
        let (is, was) = (measurement.seconds, model.seconds);
        if (is - was).abs() > TOLERANCE * was {
            let first = first.display();
            let why =
                format!("it measured {is} s, and {first} {was} s; give measurements of the same --duration");
            return Err(wrong(file, &why));
        }
    }
    Ok(())
}

/// The relative difference of durations that is accepted.
const TOLERANCE: f64 = 0.01;

fn same_as(earlier: &Path) -> String {
    format!("it has the same content as {}", earlier.display())
}

fn wrong(file: &Path, why: &str) -> Failure {
    Failure::Usage(format!("{} can't be merged: {why}", file.display()))
}
