//! One number from each round.

use std::collections::BTreeMap;

use super::metric::Metric;
use crate::{Comparison, Sample};

/// The logarithm of a value, or of a ratio, in one round.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Round {
    /// Which round, from 0.
    pub round: usize,
    /// The natural logarithm.
    pub logarithm: f64,
    /// Whether something made a measurement in it doubtful.
    pub flagged: bool,
}

/// The logarithm of a subject's value in each round that has one.
pub fn levels(comparison: &Comparison, shape: usize, metric: Metric, subject: usize) -> Vec<Round> {
    levels_of(comparison, shape, metric, &[subject])
}

/// The logarithm of a subject's value over another's, in each round that has both. Where one of them also ran
/// as its own control it is the mean of both runs, except where it is compared with that control.
pub fn ratios(
    comparison: &Comparison,
    shape: usize,
    metric: Metric,
    subject: usize,
    against: usize,
) -> Vec<Round> {
    let above = levels_of(comparison, shape, metric, &runs_of(comparison, subject, against));
    let below = levels_of(comparison, shape, metric, &runs_of(comparison, against, subject));
    let below: BTreeMap<usize, Round> = below.into_iter().map(|level| (level.round, level)).collect();
    let pair = |level: Round| {
        let other = below.get(&level.round)?;
        let logarithm = level.logarithm - other.logarithm;
        Some(Round { round: level.round, logarithm, flagged: level.flagged || other.flagged })
    };
    above.into_iter().filter_map(pair).collect()
}

/// A subject and its control, if that is not the one it is compared with.
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

/// Why a subject takes no part: it was not measured, or a reply of its was bad.
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

/// The mean logarithm of several runs' values in each round that has any.
fn levels_of(comparison: &Comparison, shape: usize, metric: Metric, runs: &[usize]) -> Vec<Round> {
    let Some(load) = comparison.shapes.get(shape) else { return Vec::new() };
    let mut rounds: BTreeMap<usize, (f64, f64, bool)> = BTreeMap::new();
    let of_it = |sample: &&Sample| sample.shape == shape && runs.contains(&sample.subject);
    for sample in comparison.samples.iter().filter(of_it) {
        if let Some(value) = metric.value(sample, load) {
            let (sum, count, flagged) = rounds.entry(sample.round).or_default();
            *sum += value.ln();
            *count += 1.0;
            *flagged |= sample.flags.iter().any(|flag| metric.is_doubted_by(flag));
        }
    }
    let level = |(round, (sum, count, flagged))| Round { round, logarithm: sum / count, flagged };
    rounds.into_iter().map(level).collect()
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
