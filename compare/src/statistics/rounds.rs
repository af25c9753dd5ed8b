//! Series with one number from each round.

use super::metric::Metric;
use super::readings::{memory_readings, probe_readings};
use crate::{Comparison, Sample};

/// The logarithm of a value, or of a ratio, in one round.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Round {
    /// The round, from 0.
    pub round: usize,
    /// The natural logarithm.
    pub logarithm: f64,
    /// Whether one of its measurements is flagged as doubtful.
    pub flagged: bool,
}

/// The source of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// From the samples under a load, an index into [`Comparison::shapes`].
    Samples(usize, Metric),
    /// From the probes of the staircase: the highest rate within the objective.
    Probes,
    /// From each pass over the counts of idle connections: the memory that one adds.
    Memory,
}

/// The values of a subject, or the ratios of two, in the rounds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Series {
    /// The rounds that have a value, in their order.
    pub(super) rounds: Vec<Round>,
    /// In how many other rounds a server was overloaded, so that there is no value.
    pub(super) overloaded: usize,
    /// In how many other rounds the generator was the bottleneck.
    pub(super) generator_limited: usize,
}

/// The reading of one round.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Reading {
    pub(super) round: usize,
    pub(super) value: Value,
    pub(super) flagged: bool,
}

/// A value, or why there is none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value {
    /// Its natural logarithm.
    Logarithm(f64),
    Overloaded,
    GeneratorLimited,
}

/// The logarithm of a subject's value in each round that has one.
pub fn levels(comparison: &Comparison, shape: usize, metric: Metric, subject: usize) -> Vec<Round> {
    level(comparison, Source::Samples(shape, metric), subject).rounds
}

/// The logarithm of a subject's value divided by another's, in each round that has both. For a subject with a control,
/// it is the mean of both runs, except when it is compared with that control.
pub fn ratios(
    comparison: &Comparison,
    shape: usize,
    metric: Metric,
    subject: usize,
    against: usize,
) -> Vec<Round> {
    ratio(comparison, Source::Samples(shape, metric), subject, against).rounds
}

pub(super) fn level(comparison: &Comparison, source: Source, subject: usize) -> Series {
    series(mean_of(comparison, source, &[subject]).into_iter())
}

pub(super) fn ratio(comparison: &Comparison, source: Source, subject: usize, against: usize) -> Series {
    let above = mean_of(comparison, source, &runs_of(comparison, subject, against));
    over(&above, &mean_of(comparison, source, &runs_of(comparison, against, subject)))
}

/// The readings of a subject, as the means of its own run and that of its control.
pub(super) fn with_control(comparison: &Comparison, source: Source, subject: usize) -> Vec<Reading> {
    mean_of(comparison, source, &runs_of(comparison, subject, subject))
}

/// The ratios of two subjects, in the rounds that both have.
pub(super) fn over(above: &[Reading], below: &[Reading]) -> Series {
    let mut rest = below;
    series(above.iter().filter_map(|&one| {
        while rest.first().is_some_and(|other| other.round < one.round) {
            rest = &rest[1..];
        }
        let other = rest.first().filter(|other| other.round == one.round)?;
        let value = match (one.value, other.value) {
            (Value::Logarithm(above), Value::Logarithm(below)) => Value::Logarithm(above - below),
            (Value::Logarithm(_), lack) | (lack, _) => lack,
        };
        Some(Reading { value, flagged: one.flagged || other.flagged, ..one })
    }))
}

/// A subject and its control, unless the control is what it is compared with.
pub(super) fn runs_of(comparison: &Comparison, of: usize, except: usize) -> Vec<usize> {
    let mut runs = vec![of];
    runs.extend(control_of(comparison, of).filter(|&control| control != except));
    runs
}

/// The control of a subject, if there is one that did not fail.
pub fn control_of(comparison: &Comparison, of: usize) -> Option<usize> {
    let name = &comparison.subjects.get(of)?.name;
    (0..comparison.subjects.len()).find(|&index| {
        index != of
            && comparison.subjects[index].control_of.as_ref() == Some(name)
            && why_failed(comparison, index).is_none()
    })
}

/// Why a subject is left out: it failed, or one of its replies was bad.
pub fn why_failed(comparison: &Comparison, subject: usize) -> Option<String> {
    if let Some(why) = comparison.subjects.get(subject).and_then(|subject| subject.failed.clone()) {
        return Some(why);
    }
    let of_it = comparison.samples.iter().filter(|sample| sample.subject == subject);
    match of_it.map(|sample| sample.bad).sum::<u64>() {
        0 => None,
        1 => Some("1 reply was bad".to_owned()),
        bad => Some(format!("{bad} replies were bad")),
    }
}

impl Series {
    /// How many rounds are flagged as doubtful.
    pub(super) fn flagged(&self) -> usize {
        self.rounds.iter().filter(|round| round.flagged).count()
    }

    /// How many rounds there are, with a value or without.
    pub(super) fn len(&self) -> usize {
        self.rounds.len() + self.overloaded + self.generator_limited
    }

    pub(super) fn logarithms(&self) -> Vec<f64> {
        self.rounds.iter().map(|round| round.logarithm).collect()
    }

    pub(super) fn unflagged(&self) -> Vec<f64> {
        self.rounds.iter().filter(|round| !round.flagged).map(|round| round.logarithm).collect()
    }
}

fn series(readings: impl Iterator<Item = Reading>) -> Series {
    let mut series = Series::default();
    for Reading { round, value, flagged } in readings {
        match value {
            Value::Logarithm(logarithm) => series.rounds.push(Round { round, logarithm, flagged }),
            Value::Overloaded => series.overloaded += 1,
            Value::GeneratorLimited => series.generator_limited += 1,
        }
    }
    series
}

/// The mean of several runs' values in each round, in the order of the rounds. If one of them has no value in a round,
/// the mean has none.
fn mean_of(comparison: &Comparison, source: Source, runs: &[usize]) -> Vec<Reading> {
    let mut all: Vec<Reading> =
        runs.iter().flat_map(|&subject| readings(comparison, source, subject)).collect();
    all.sort_by_key(|reading| reading.round);
    all.chunk_by(|one, other| one.round == other.round).map(mean).collect()
}

/// The mean of the readings of one round.
fn mean(readings: &[Reading]) -> Reading {
    let count = readings.len() as f64;
    let add = |one: Reading, other: &Reading| {
        let value = match (one.value, other.value) {
            (Value::Logarithm(sum), Value::Logarithm(value)) => Value::Logarithm(sum + value / count),
            (Value::Logarithm(_), lack) | (lack, _) => lack,
        };
        Reading { value, flagged: one.flagged || other.flagged, ..one }
    };
    let nothing = Reading { round: readings[0].round, value: Value::Logarithm(0.0), flagged: false };
    readings.iter().fold(nothing, add)
}

fn readings(comparison: &Comparison, source: Source, subject: usize) -> Vec<Reading> {
    match source {
        Source::Samples(shape, metric) => samples(comparison, shape, metric, subject),
        Source::Probes => probe_readings(comparison, subject),
        Source::Memory => memory_readings(comparison, subject),
    }
}

fn samples(comparison: &Comparison, shape: usize, metric: Metric, subject: usize) -> Vec<Reading> {
    let Some(load) = comparison.shapes.get(shape) else { return Vec::new() };
    let of_it = |sample: &&Sample| sample.shape == shape && sample.subject == subject;
    let reading = |sample: &Sample| {
        let value = metric.value(sample, load)?;
        let flagged = sample.flags.iter().any(|flag| metric.is_doubted_by(flag));
        Some(Reading { round: sample.round, value, flagged })
    };
    comparison.samples.iter().filter(of_it).filter_map(reading).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Shape, Subject};

    fn sample(round: usize, subject: usize, cpu: f64) -> Sample {
        Sample { round, subject, cpu_user: cpu, ..Sample::default() }
    }

    fn comparison(samples: Vec<Sample>) -> Comparison {
        let named = |name: &str| Subject { name: name.to_owned(), ..Subject::default() };
        let control = Subject { control_of: Some("a".to_owned()), ..named("again") };
        Comparison {
            subjects: vec![named("a"), named("b"), control],
            shapes: vec![Shape::default()],
            samples,
            ..Comparison::default()
        }
    }

    #[test]
    fn the_reference_is_the_mean_of_its_two_runs() {
        let comparison = comparison(vec![sample(0, 0, 1.0), sample(0, 1, 8.0), sample(0, 2, 4.0)]);
        let rounds = ratios(&comparison, 0, Metric::Cpu, 1, 0);
        assert!((rounds[0].logarithm.exp() - 4.0).abs() < 1e-12);
        let control = ratios(&comparison, 0, Metric::Cpu, 2, 0);
        assert!((control[0].logarithm.exp() - 4.0).abs() < 1e-12, "the control against the other run alone");
    }

    #[test]
    fn rounds_without_a_partner_are_left_out() {
        let flagged = Sample { flags: vec!["steal".to_owned()], ..sample(2, 0, 1.0) };
        let samples =
            vec![sample(0, 0, 1.0), sample(1, 1, 2.0), flagged, sample(2, 1, 2.0), sample(3, 1, 0.0)];
        let rounds = ratios(&comparison(samples), 0, Metric::Cpu, 1, 0);
        assert_eq!(rounds.len(), 1);
        assert_eq!((rounds[0].round, rounds[0].flagged), (2, true));
        assert_eq!(ratios(&comparison(Vec::new()), 9, Metric::Cpu, 7, 8), []);
    }

    #[test]
    fn bad_replies_are_a_failure() {
        let bad = Sample { bad: 3, ..sample(0, 1, 1.0) };
        let comparison = comparison(vec![sample(0, 0, 1.0), bad]);
        assert_eq!(why_failed(&comparison, 0), None);
        assert_eq!(why_failed(&comparison, 1).as_deref(), Some("3 replies were bad"));
        assert_eq!(why_failed(&comparison, 9), None);
    }
}
