//! `report.json`: the comparison with every sample, and the verdicts.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::verdicts::{Verdict, verdicts};
use crate::Comparison;
use crate::data::VERSION;
use crate::statistics::assess;

/// Why a file is no report that can be read.
#[derive(Debug)]
pub enum Unreadable {
    /// It is of another version: the one that it has, 0 if it has none.
    Version(u64),
    /// It is no JSON, or not of this form.
    Form(serde_json::Error),
    /// It speaks of a subject or a load that it doesn't have.
    Index {
        /// Where: `samples`, `memory`, say.
        list: &'static str,
        /// The index that leads nowhere.
        index: usize,
    },
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(0) => write!(
                f,
                "it has no version, and version {VERSION} is needed; measure again, or use the anyloop that wrote it"
            ),
            Self::Version(other) => write!(
                f,
                "it is of version {other}, and version {VERSION} is needed; measure again, or use the anyloop that \
                 wrote it"
            ),
            Self::Form(error) => write!(f, "it is no report.json of `compare`: {error}"),
            Self::Index { list, index } => {
                write!(f, "its {list} refer to a subject or a load number {index}, which it doesn't have")
            }
        }
    }
}

impl std::error::Error for Unreadable {}

/// The comparison as JSON: its fields, and `verdicts` of every subject by every figure. JSON has no word for what is not
/// a number (a rate divided by no time, say): it is stored as 0, from which nothing is concluded.
///
/// # Errors
/// If it can't be written as JSON.
pub fn to_json(comparison: &Comparison) -> serde_json::Result<String> {
    #[derive(Serialize)]
    struct Stored {
        #[serde(flatten)]
        comparison: Comparison,
        verdicts: Vec<Verdict>,
    }
    let verdicts = verdicts(comparison, &assess(comparison));
    let comparison = Comparison { version: VERSION, ..finite(comparison) };
    let mut json = serde_json::to_string(&Stored { comparison, verdicts })?;
    json.push('\n');
    Ok(json)
}

/// A comparison that was stored. Its verdicts are not read but concluded again.
///
/// # Errors
/// [`Unreadable`], which says why.
pub fn from_json(json: &str) -> Result<Comparison, Unreadable> {
    let value: Value = serde_json::from_str(json).map_err(Unreadable::Form)?;
    let version = value.get("version").and_then(Value::as_u64).unwrap_or(0);
    if value.get("samples").is_some() && version != u64::from(VERSION) {
        return Err(Unreadable::Version(version));
    }
    let comparison: Comparison = serde_json::from_value(value).map_err(Unreadable::Form)?;
    check(&comparison)?;
    Ok(comparison)
}

/// Whether every index leads to a subject or a load.
fn check(comparison: &Comparison) -> Result<(), Unreadable> {
    let (subjects, shapes) = (comparison.subjects.len(), comparison.shapes.len());
    let highest = |indices: &mut dyn Iterator<Item = usize>| indices.max();
    for (list, index, count) in [
        ("samples", highest(&mut comparison.samples.iter().map(|of| of.subject)), subjects),
        ("samples", highest(&mut comparison.samples.iter().map(|of| of.shape)), shapes),
        ("memory", highest(&mut comparison.memory.iter().map(|of| of.subject)), subjects),
        ("rate sweep", highest(&mut comparison.rate_sweep.iter().map(|of| of.subject)), subjects),
        ("connection sweep", highest(&mut comparison.connection_sweep.iter().map(|of| of.subject)), subjects),
        ("probes", highest(&mut comparison.probes.iter().map(|of| of.subject)), subjects),
    ] {
        if let Some(index) = index.filter(|index| *index >= count) {
            return Err(Unreadable::Index { list, index });
        }
    }
    Ok(())
}

/// The same, with 0 for what is not a number.
fn finite(comparison: &Comparison) -> Comparison {
    let mut finite = comparison.clone();
    for sample in &mut finite.samples {
        let latencies = sample.latency.iter_mut().chain(&mut sample.service).map(|(_, value)| value);
        latencies.for_each(make_finite);
        sample.timeline.iter_mut().for_each(|tick| make_finite(&mut tick.max));
        sample.littles_error = sample.littles_error.filter(|error| error.is_finite());
        let [one, two, three] = [&mut sample.generator_busy, &mut sample.send_lag, &mut sample.steal];
        let costs = [&mut sample.rate, &mut sample.cpu_user, &mut sample.cpu_system, &mut sample.switches];
        [one, two, three].into_iter().chain(costs).for_each(make_finite);
    }
    for point in &mut finite.rate_sweep {
        let values = [&mut point.offered, &mut point.achieved, &mut point.p50, &mut point.p99];
        values.into_iter().chain([&mut point.cpu.0, &mut point.cpu.1]).for_each(make_finite);
    }
    finite.connection_sweep.iter_mut().for_each(|point| make_finite(&mut point.rate));
    finite.probes.iter_mut().for_each(|probe| make_finite(&mut probe.rate));
    finite
}

fn make_finite(value: &mut f64) {
    if !value.is_finite() {
        *value = 0.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MemorySample, Sample, Shape, Subject};

    fn comparison() -> Comparison {
        Comparison {
            version: VERSION,
            samples: vec![Sample::default()],
            subjects: vec![Subject::default()],
            shapes: vec![Shape::default()],
            ..Comparison::default()
        }
    }

    #[test]
    fn what_is_not_a_number_comes_back_as_nothing() {
        let sample =
            Sample { rate: f64::NAN, cpu_user: 1.5, littles_error: Some(f64::INFINITY), ..Sample::default() };
        let comparison = Comparison { samples: vec![sample], ..comparison() };
        let read = from_json(&to_json(&comparison).unwrap()).unwrap();
        assert_eq!(read.samples[0], Sample { cpu_user: 1.5, ..Sample::default() });
    }

    #[test]
    fn another_version_is_refused_by_name() {
        let json = to_json(&comparison()).unwrap();
        let message = |json: &str| from_json(json).unwrap_err().to_string();
        let said = message(&json.replacen("\"version\":2", "\"version\":7", 1));
        assert!(said.contains("version 7") && said.contains("version 2 is needed"), "{said}");
        let said = message(&json.replacen("\"version\":2,", "", 1));
        assert!(said.contains("has no version") && said.contains("version 2 is needed"), "{said}");
        assert!(message("{}").contains("no report.json"), "{}", message("{}"));
        assert!(message("no JSON").contains("no report.json"));
    }

    #[test]
    fn what_is_not_there_is_not_spoken_of() {
        assert!(from_json(&to_json(&comparison()).unwrap()).is_ok());
        let json = to_json(&comparison()).unwrap();
        let said = from_json(&json.replacen("\"subject\":0,\"shape\":0", "\"subject\":0,\"shape\":3", 1))
            .unwrap_err();
        assert!(said.to_string().contains("samples refer to a subject or a load number 3"), "{said}");
        let memory = vec![MemorySample { subject: 1, ..MemorySample::default() }];
        let said = from_json(&to_json(&Comparison { memory, ..comparison() }).unwrap()).unwrap_err();
        assert!(said.to_string().contains("memory"), "{said}");
    }
}
