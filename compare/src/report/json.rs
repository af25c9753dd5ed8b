//! `report.json`: the comparison itself.

use serde::de::Error as _;

use crate::Comparison;

/// The comparison as JSON. JSON has no word for what is not a number (a rate divided by no time, say): it is
/// stored as 0, from which nothing is concluded.
pub fn to_json(comparison: &Comparison) -> serde_json::Result<String> {
    let mut finite = comparison.clone();
    for sample in &mut finite.samples {
        let latencies = sample.latency.iter_mut().chain(&mut sample.service).map(|(_, value)| value);
        for value in latencies {
            make_finite(value);
        }
        sample.littles_error = sample.littles_error.filter(|error| error.is_finite());
        for value in [&mut sample.rate, &mut sample.cpu_user, &mut sample.cpu_system, &mut sample.switches] {
            make_finite(value);
        }
        for value in [&mut sample.generator_busy, &mut sample.send_lag, &mut sample.steal] {
            make_finite(value);
        }
    }
    for point in &mut finite.rate_sweep {
        for value in [&mut point.offered, &mut point.achieved, &mut point.p50, &mut point.p99] {
            make_finite(value);
        }
        make_finite(&mut point.cpu.0);
        make_finite(&mut point.cpu.1);
    }
    finite.connection_sweep.iter_mut().for_each(|point| make_finite(&mut point.rate));
    finite.isolation.iter_mut().for_each(|point| make_finite(&mut point.p99));
    let mut json = serde_json::to_string(&finite)?;
    json.push('\n');
    Ok(json)
}

/// A comparison that was stored.
///
/// # Errors
/// If it is none, or one that speaks of subjects or loads that it doesn't have.
pub fn from_json(json: &str) -> serde_json::Result<Comparison> {
    let comparison: Comparison = serde_json::from_str(json)?;
    let (subjects, shapes) = (comparison.subjects.len(), comparison.shapes.len());
    let samples = comparison.samples.iter().all(|of| of.subject < subjects && of.shape < shapes);
    let mut points = [
        comparison.memory.iter().map(|of| of.subject).max(),
        comparison.rate_sweep.iter().map(|of| of.subject).max(),
        comparison.connection_sweep.iter().map(|of| of.subject).max(),
        comparison.isolation.iter().map(|of| of.subject).max(),
    ]
    .into_iter()
    .flatten();
    if samples && points.all(|subject| subject < subjects) {
        return Ok(comparison);
    }
    Err(serde_json::Error::custom("it speaks of subjects or loads that it doesn't have"))
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

    #[test]
    fn what_is_not_a_number_comes_back_as_nothing() {
        let sample =
            Sample { rate: f64::NAN, cpu_user: 1.5, littles_error: Some(f64::INFINITY), ..Sample::default() };
        let comparison = Comparison {
            samples: vec![sample],
            subjects: vec![Subject::default()],
            shapes: vec![Shape::default()],
            ..Comparison::default()
        };
        let read = from_json(&to_json(&comparison).unwrap()).unwrap();
        assert_eq!(read.samples[0], Sample { cpu_user: 1.5, ..Sample::default() });
        assert!(from_json("{}").is_err());
    }

    #[test]
    fn what_is_not_there_is_not_spoken_of() {
        let mut comparison = Comparison {
            samples: vec![Sample::default()],
            subjects: vec![Subject::default()],
            shapes: vec![Shape::default()],
            ..Comparison::default()
        };
        assert!(from_json(&to_json(&comparison).unwrap()).is_ok());
        comparison.shapes.clear();
        assert!(from_json(&to_json(&comparison).unwrap()).is_err());
        comparison.samples.clear();
        comparison.memory = vec![MemorySample { subject: 1, ..MemorySample::default() }];
        let error = from_json(&to_json(&comparison).unwrap()).unwrap_err();
        assert!(error.to_string().contains("that it doesn't have"), "{error}");
    }
}
