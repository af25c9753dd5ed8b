//! The measurements in files and in standard input, of which each may have several.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use load::measurement::Measurement;
use serde_json::Deserializer;

use crate::escape::escaped;
use crate::failure::{Failure, warn};
use crate::load::output::is_stdout;

/// A measurement, and where it was found.
#[derive(Debug)]
pub(super) struct Source {
    /// The file, and its line if there are several measurements.
    pub(super) name: String,
    pub(super) measurement: Measurement,
    /// As it was written.
    content: Vec<u8>,
}

impl Source {
    /// What it is called in a table.
    pub(super) fn title(&self) -> String {
        let shard = self.measurement.shard;
        if shard.is_whole() { self.name.clone() } else { format!("shard {shard}") }
    }

    /// The failure of a measurement that can't be merged.
    pub(super) fn wrong(&self, why: &str) -> Failure {
        wrong(&self.name, why)
    }
}

/// Reads all measurements of these files. Other lines between them are skipped, with a warning.
///
/// # Errors
/// If a file can't be read, has no measurement, or one that is cut off or something else, or the same one again.
pub(super) fn read(files: &[PathBuf]) -> Result<Vec<Source>, Failure> {
    let mut sources = Vec::new();
    let mut has_read_input = false;
    for file in files {
        // `-` is standard input here, as it is standard output for what is written.
        let is_input = is_stdout(file);
        let name = if is_input { "standard input".to_owned() } else { file.display().to_string() };
        if is_input && std::mem::replace(&mut has_read_input, true) {
            return Err(wrong(&name, "it is given twice; give `-` once"));
        }
        let content = content(file, is_input).map_err(|error| wrong(&name, &error.to_string()))?;
        let Found { measurements, others } = find(&content).map_err(|why| wrong(&name, &why))?;
        let first =
            others.first().map(|&(line, text)| format!("line {line}: `{}`", escaped(shortened(text))));
        match (measurements.is_empty(), first) {
            (true, None) => return Err(wrong(&name, "it is not a measurement of `load`: it is empty")),
            (true, Some(first)) => {
                return Err(wrong(
                    &name,
                    &format!("it is not a measurement of `load`: it has none, and {first}"),
                ));
            }
            (false, Some(first)) => {
                warn(&format!(
                    "lines of {name} that are no measurement were skipped: {}, such as {first}",
                    others.len()
                ));
            }
            (false, None) => {}
        }
        let is_alone = measurements.len() == 1;
        sources.extend(measurements.into_iter().map(|(line, measurement, content)| Source {
            name: if is_alone { name.clone() } else { format!("{name}, line {line}") },
            measurement,
            content: content.to_vec(),
        }));
    }
    reject_duplicates(files, &sources)?;
    Ok(sources)
}

fn content(file: &Path, is_input: bool) -> io::Result<Vec<u8>> {
    if !is_input {
        return fs::read(file);
    }
    let mut content = Vec::new();
    io::stdin().read_to_end(&mut content).map(|_| content)
}

/// What was found in a text.
#[derive(Debug, Default)]
struct Found<'a> {
    /// Each measurement with its first line, and its text.
    measurements: Vec<(usize, Measurement, &'a [u8])>,
    /// The lines outside of measurements, without empty ones.
    others: Vec<(usize, &'a [u8])>,
}

/// Finds the measurements in a text. Each begins on a line of its own, by `{`.
///
/// # Errors
/// If what begins so is no measurement: the line, and why.
fn find(text: &[u8]) -> Result<Found<'_>, String> {
    let (mut found, mut rest, mut line) = (Found::default(), text, 1);
    while !rest.is_empty() {
        let length = rest.iter().position(|&byte| byte == b'\n').map_or(rest.len(), |end| end + 1);
        let this = rest[..length].trim_ascii();
        let length = if this.first() == Some(&b'{') {
            let (measurement, length) = measurement(rest, line)?;
            found.measurements.push((line, measurement, rest[..length].trim_ascii()));
            length
        } else {
            if !this.is_empty() {
                found.others.push((line, this));
            }
            length
        };
        line += rest[..length].iter().filter(|&&byte| byte == b'\n').count();
        rest = &rest[length..];
    }
    Ok(found)
}

/// The measurement with which a text begins, on this line, and the length of its text.
fn measurement(text: &[u8], line: usize) -> Result<(Measurement, usize), String> {
    let mut stream = Deserializer::from_slice(text).into_iter();
    match stream.next() {
        Some(Ok(measurement)) => Ok((measurement, stream.byte_offset())),
        Some(Err(error)) if !error.is_eof() => {
            let why = error.to_string();
            let why = why.rsplit_once(" at line ").map_or(&*why, |(why, _)| why);
            let line = line + error.line().saturating_sub(1);
            Err(format!("it is not a measurement of `load`: {why}, on line {line}"))
        }
        _ => Err(format!("it is cut off within the measurement that begins on line {line}")),
    }
}

/// Rejects duplicate measurements, including links and copies: messages that are counted twice make every figure look
/// more certain than it is.
fn reject_duplicates(files: &[PathBuf], sources: &[Source]) -> Result<(), Failure> {
    let mut seen: HashMap<&[u8], &str> = HashMap::new();
    for source in sources {
        let Some(earlier) = seen.insert(&source.content, &source.name) else { continue };
        let is_again = *earlier == source.name && files.len() > 1;
        let same = if is_again {
            "it is given twice".into()
        } else {
            format!("it has the same content as {earlier}")
        };
        return Err(source.wrong(&format!("{same}; give each measurement once")));
    }
    Ok(())
}

fn wrong(name: &str, why: &str) -> Failure {
    Failure::Usage(format!("{name} can't be merged: {why}"))
}

/// The beginning of a line, for display.
fn shortened(line: &[u8]) -> &[u8] {
    &line[..line.len().min(60)]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A measurement as JSON, on one line and on several.
    fn json(load: &str) -> [String; 2] {
        let measurement = Measurement { load: load.into(), ..load::testing::measurement() };
        [serde_json::to_string(&measurement).unwrap(), serde_json::to_string_pretty(&measurement).unwrap()]
    }

    /// The line and the load of each measurement, and the lines of others.
    type Lines = (Vec<(usize, String)>, Vec<usize>);

    fn found(text: &str) -> Result<Lines, String> {
        let Found { measurements, others } = find(text.as_bytes())?;
        let measurements = measurements.into_iter().map(|(line, measurement, _)| (line, measurement.load));
        Ok((measurements.collect(), others.into_iter().map(|(line, _)| line).collect()))
    }

    #[test]
    fn measurements_follow_each_other_in_any_form() {
        let ([one, long], [two, _]) = (json("one"), json("two"));
        let lines = long.lines().count();
        let named =
            |all: &[(usize, &str)]| all.iter().map(|(line, load)| (*line, (*load).to_owned())).collect();
        assert_eq!(found(&one), Ok((named(&[(1, "one")]), vec![])));
        assert_eq!(found(&format!("{one}\n{two}\n")), Ok((named(&[(1, "one"), (2, "two")]), vec![])));
        assert_eq!(found(&format!("{one}{two}")), Ok((named(&[(1, "one"), (1, "two")]), vec![])));
        let mixed = format!("pulling\n\n{long}\n\tdone: }}\n{two}\nbye");
        let expected = (named(&[(3, "one"), (lines + 4, "two")]), vec![1, lines + 3, lines + 5]);
        assert_eq!(found(&mixed), Ok(expected));
        assert_eq!(found("\n\n"), Ok((vec![], vec![])));
    }

    #[test]
    fn what_is_no_measurement_is_told_with_its_line() {
        let [one, long] = json("one");
        let cut = |text: &str, line: usize| {
            let expected = format!("it is cut off within the measurement that begins on line {line}");
            assert_eq!(found(text), Err(expected));
        };
        for length in [1, 20, one.len() - 1] {
            cut(&one[..length], 1);
            cut(&format!("{long}\nx\n{}", &one[..length]), long.lines().count() + 2);
        }
        for (text, expected) in [
            ("{}", "missing field `load`, on line 1"),
            ("x\n{\"level\": \"info\"}", "missing field `load`, on line 2"),
            ("{\"load\": 7}", "expected a string, on line 1"),
            ("{\"load\": \"a\",\nwarning: a line of others\n", ", on line 2"),
        ] {
            let error = found(text).unwrap_err();
            assert!(
                error.starts_with("it is not a measurement of `load`: ") && error.ends_with(expected),
                "{error}"
            );
        }
    }
}
