//! Writes measurements to files and to standard output.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use load::export;
use load::measurement::{Measurement, Tick};

use super::arguments::Exports;
use super::files::check_distinct;
use crate::arguments::Format;
use crate::failure::{Failure, print};
use crate::terminal;

impl Exports {
    /// Checks before the load begins that the files can be written. None may be the file of the history, or one of those
    /// that are read.
    pub(super) fn check(&self, inputs: &[&Path], history: Option<&Path>) -> Result<(), Failure> {
        let mut outputs = self.files();
        outputs.extend(history.map(|file| ("--history", file)));
        if self.format == Format::Json && outputs.iter().any(|(_, file)| is_stdout(file)) {
            return Err(Failure::Usage(
                "--format json uses standard output; write the name of a file in place of `-`".into(),
            ));
        }
        check_distinct(inputs, &outputs)?;
        self.files().into_iter().map(|(_, file)| file).filter(|file| !is_stdout(file)).try_for_each(check)
    }

    /// Writes the requested files, and the text to standard output, unless a file or the history is written there.
    pub(super) fn write(
        &self,
        measurement: &Measurement,
        text: &str,
        history: Option<&Path>,
    ) -> Result<(), Failure> {
        if self.format == Format::Json {
            print(&to_json(measurement)?)?;
        } else if self.files().into_iter().map(|(_, file)| file).chain(history).any(is_stdout) {
            // If standard error is closed, the files are written nevertheless.
            let _ = io::stderr().write_all(text.as_bytes());
        } else {
            print(terminal::fitted(text).as_bytes())?;
        }
        if let Some(file) = &self.json {
            write(file, &to_json(measurement)?)?;
        }
        if let Some(file) = &self.csv {
            write(file, export::csv(std::slice::from_ref(measurement)).as_bytes())?;
        }
        if let Some(file) = &self.hgrm {
            write(file, export::hgrm(&measurement.latency).as_bytes())?;
        }
        if let Some(file) = &self.hlog {
            write(file, &export::hlog(measurement).map_err(|error| Failure::Failed(error.to_string()))?)?;
        }
        Ok(())
    }

    /// The requested files, each with its flag.
    fn files(&self) -> Vec<(&'static str, &Path)> {
        let Self { json, csv, hgrm, hlog, .. } = self;
        let files = [("--json", json), ("--csv", csv), ("--hgrm", hgrm), ("--hlog", hlog)];
        files.into_iter().filter_map(|(flag, file)| Some((flag, file.as_deref()?))).collect()
    }
}

fn to_json(measurement: &Measurement) -> Result<Vec<u8>, Failure> {
    let mut json = serde_json::to_vec_pretty(measurement)
        .map_err(|error| Failure::Failed(format!("can't write the measurement as JSON: {error}")))?;
    json.push(b'\n');
    Ok(json)
}

/// Checks that a file can be written, and leaves its content as it is.
fn check(file: &Path) -> Result<(), Failure> {
    let opened = OpenOptions::new().append(true).create(true).open(file);
    opened.map(drop).map_err(|error| unwritable(file, &error))
}

/// The failure of a file that can't be written.
pub(super) fn unwritable(file: &Path, error: &io::Error) -> Failure {
    Failure::Usage(format!("can't write {}: {error}", file.display()))
}

/// Writes a file, or to standard output.
pub(super) fn write(file: &Path, bytes: &[u8]) -> Result<(), Failure> {
    if is_stdout(file) {
        return print(bytes);
    }
    fs::write(file, bytes)
        .map_err(|error| Failure::Failed(format!("can't write {}: {error}", file.display())))
}

pub(super) fn is_stdout(file: &Path) -> bool {
    file == Path::new("-")
}

/// A line for each second, with its start, the number of replies and the maximum latency.
pub(super) fn timeline(ticks: &[Tick]) -> String {
    if ticks.is_empty() {
        return String::new();
    }
    let mut text = String::from("\nsecond      replies  longest, µs\n");
    for second in ticks.chunk_by(|one, other| one.at.floor() == other.at.floor()) {
        let replies: u64 = second.iter().map(|tick| tick.replies).sum();
        let longest = second.iter().map(|tick| tick.max).fold(0.0, f64::max);
        let at = second.first().map_or(0.0, |tick| tick.at.floor());
        let _ = writeln!(text, "{at:>6.0}{replies:>13}{longest:>13.1}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stall_is_seen_in_its_second() {
        let tick = |tenth: u32| Tick {
            at: f64::from(tenth) / 10.0,
            replies: if tenth == 15 { 0 } else { 10 },
            max: if tenth == 15 { 90_000.0 } else { 100.0 },
        };
        let ticks: Vec<_> = (0..25).map(tick).collect();
        assert_eq!(
            timeline(&ticks),
            "\nsecond      replies  longest, µs\n     0          100        100.0\n     1           90      90000.0\n     2           \
             50        100.0\n"
        );
        assert_eq!(timeline(&[]), "");
    }
}
