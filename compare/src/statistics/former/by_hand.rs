//! What backends cost against servers that were written by hand.
//!
//! Medians over the rounds, of ratios within each round. Whether a bound is kept is for the reader to say: it is
//! when the median is within the bound and half the width of the band by which two runs of the same differ.

use std::collections::BTreeMap;

use super::super::metric::Metric;
use super::super::rounds::{control_of, levels, ratios, why_failed};
use super::estimate::{Confidence, Estimate, Interval};
use crate::{Care, Comparison, Kind, Subject};

/// What a server costs, backend or written by hand.
#[derive(Clone, Debug, PartialEq)]
pub struct Costs {
    /// Index into [`Comparison::subjects`].
    pub subject: usize,
    /// Under each load that it ran, in the order of [`Comparison::shapes`].
    pub loads: Vec<Cost>,
    /// The geometric mean, over all loads, of the ratio to its careful counterpart; `None` if one is missing.
    pub careful: Option<f64>,
}

/// What a server costs under a load.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// Index into [`Comparison::shapes`].
    pub shape: usize,
    /// Server CPU time for each message, in microseconds.
    pub cpu: f64,
    /// Its ratio to the floor.
    pub floor: Option<f64>,
    /// Its ratio to its careful counterpart.
    pub careful: Option<f64>,
    /// Its ratio to its plain counterpart.
    pub plain: Option<f64>,
}

/// Half the width of the band by which two runs of the same differ, as a ratio: 0.02 is 2 %. `None` without a
/// control, or with a single round.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bands {
    /// Under each load.
    pub loads: Vec<Option<f64>>,
    /// Of the geometric mean over all loads.
    pub mean: Option<f64>,
}

/// The costs of backends, in the order of the subjects, and then those of what was written by hand; none if
/// nothing was.
pub fn against_hand_written(comparison: &Comparison) -> Option<(Vec<Costs>, Bands)> {
    let by_hand = |subject: &Subject| matches!(subject.kind, Kind::Handwritten { .. });
    if !comparison.subjects.iter().any(by_hand) {
        return None;
    }
    let mut subjects: Vec<usize> = (0..comparison.subjects.len())
        .filter(|&index| {
            comparison.subjects[index].control_of.is_none() && why_failed(comparison, index).is_none()
        })
        .collect();
    subjects.sort_by_key(|&index| by_hand(&comparison.subjects[index]));
    let costs = subjects.into_iter().map(|subject| costs(comparison, subject)).collect();
    Some((costs, bands(comparison)))
}

fn costs(comparison: &Comparison, subject: usize) -> Costs {
    let counterpart = |care: Care| {
        let of = Some(&comparison.subjects[subject].name).filter(|_| care != Care::Raw);
        let is_it = |other: &Subject| match &other.kind {
            Kind::Handwritten { of: whose, care: its } => *its == care && whose.as_ref() == of,
            _ => false,
        };
        comparison.subjects.iter().position(is_it).filter(|&found| why_failed(comparison, found).is_none())
    };
    let [floor, careful, plain] = [Care::Raw, Care::Careful, Care::Plain].map(counterpart);
    let cost = |shape: usize| {
        let logarithms =
            levels(comparison, shape, Metric::Cpu, subject).into_iter().map(|round| round.logarithm);
        let ratio = |to: Option<usize>| {
            let rounds = ratios(comparison, shape, Metric::Cpu, subject, to.filter(|&to| to != subject)?);
            Some(median(rounds.into_iter().map(|round| round.logarithm))?.exp())
        };
        let (floor, careful, plain) = (ratio(floor), ratio(careful), ratio(plain));
        Some(Cost { shape, cpu: median(logarithms)?.exp(), floor, careful, plain })
    };
    let loads: Vec<Cost> = (0..comparison.shapes.len()).filter_map(cost).collect();
    let logarithms: Option<Vec<f64>> = loads.iter().map(|cost| Some(cost.careful?.ln())).collect();
    let complete = logarithms.filter(|all| !all.is_empty() && all.len() == comparison.shapes.len());
    let careful = complete.map(|all| (all.iter().sum::<f64>() / all.len() as f64).exp());
    Costs { subject, loads, careful }
}

fn bands(comparison: &Comparison) -> Bands {
    let twins = (0..comparison.subjects.len()).find_map(|of| Some((of, control_of(comparison, of)?)));
    let Some((of, control)) = twins.filter(|&(of, _)| why_failed(comparison, of).is_none()) else {
        return Bands { loads: vec![None; comparison.shapes.len()], mean: None };
    };
    let half_width = |logarithms: &[f64]| {
        let estimate = Estimate::of(logarithms, Confidence::P95, comparison.conditions.seed)?;
        estimate.interval.map(Interval::half_width)
    };
    // The sum over the loads, and how many of them the round has.
    let mut rounds: BTreeMap<usize, (f64, usize)> = BTreeMap::new();
    let load = |shape: usize| {
        let against_itself = ratios(comparison, shape, Metric::Cpu, control, of);
        for round in &against_itself {
            let (sum, count) = rounds.entry(round.round).or_default();
            *sum += round.logarithm;
            *count += 1;
        }
        half_width(&against_itself.iter().map(|round| round.logarithm).collect::<Vec<_>>())
    };
    let loads: Vec<Option<f64>> = (0..comparison.shapes.len()).map(load).collect();
    let whole = rounds.into_values().filter(|&(_, count)| count == loads.len());
    let means: Vec<f64> = whole.map(|(sum, count)| sum / count as f64).collect();
    Bands { mean: half_width(&means), loads }
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        count if count % 2 == 0 => Some(f64::midpoint(values[middle - 1], values[middle])),
        _ => Some(values[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Sample, Shape};

    /// A backend and its control, its two counterparts, the floor; two loads; the costs of each by round.
    fn comparison(costs: &[(usize, usize, &[f64])]) -> Comparison {
        let named = |name: &str| Subject { name: name.to_owned(), ..Subject::default() };
        let written = |name: &str, of: Option<&str>, care| Subject {
            kind: Kind::Handwritten { of: of.map(str::to_owned), care },
            ..named(name)
        };
        let mut samples = Vec::new();
        for &(subject, shape, rounds) in costs {
            samples.extend(rounds.iter().enumerate().map(|(round, &cost)| Sample {
                round,
                subject,
                shape,
                cpu_user: cost / 4.0,
                cpu_system: cost * 3.0 / 4.0,
                ..Sample::default()
            }));
        }
        Comparison {
            subjects: vec![
                written("floor", None, Care::Raw),
                named("loop"),
                Subject { control_of: Some("loop".to_owned()), ..named("loop (again)") },
                written("careful", Some("loop"), Care::Careful),
                written("plain", Some("loop"), Care::Plain),
                named("other"),
            ],
            shapes: vec![Shape::default(); 2],
            samples,
            ..Comparison::default()
        }
    }

    fn near(value: Option<f64>, expected: f64) -> bool {
        value.is_some_and(|value| (value - expected).abs() < 1e-9)
    }

    #[test]
    fn ratios_are_medians_within_rounds() {
        let comparison = comparison(&[
            (0, 0, &[1.0, 2.0, 4.0]),
            (1, 0, &[3.0, 4.0, 12.0]), // to the floor: 3, 2, 3
            (2, 0, &[3.0, 4.0, 12.0]),
            (3, 0, &[3.0, 8.0, 6.0]),    // 1, 0.5, 2
            (4, 0, &[6.0, 16.0, 240.0]), // 0.5, 0.25, 0.05
            (1, 1, &[9.0, 9.0, 9.0]),
            (2, 1, &[9.0, 9.0, 9.0]),
            (3, 1, &[1.0, 1.0, 1.0]),
        ]);
        let (costs, _) = against_hand_written(&comparison).unwrap();
        let subjects: Vec<usize> = costs.iter().map(|costs| costs.subject).collect();
        assert_eq!(subjects, [1, 5, 0, 3, 4], "backends first, and no control");
        let cost = costs[0].loads[0];
        assert!(near(Some(cost.cpu), 4.0) && near(cost.floor, 3.0), "{cost:?}");
        assert!(near(cost.careful, 1.0) && near(cost.plain, 0.25), "{cost:?}");
        assert_eq!(
            (costs[0].loads[1].floor, costs[0].loads[1].plain),
            (None, None),
            "they did not run there"
        );
        assert!(near(costs[0].careful, 3.0), "the geometric mean of 1 and 9: {:?}", costs[0].careful);
        assert!(costs[1].loads.is_empty() && costs[1].careful.is_none());
        let floor = &costs[2];
        assert_eq!((floor.loads.len(), floor.loads[0].floor, floor.careful), (1, None, None));
        assert!(near(costs[3].loads[0].floor, 3.0), "3, 4, 1.5");
    }

    #[test]
    fn a_mean_needs_every_load() {
        let comparison = comparison(&[(1, 0, &[1.0]), (1, 1, &[1.0]), (3, 0, &[1.0])]);
        assert_eq!(against_hand_written(&comparison).unwrap().0[0].careful, None);
    }

    #[test]
    fn the_band_is_that_of_the_control() {
        let quiet: &[f64] = &[5.0; 7];
        let noisy: &[f64] = &[5.0, 5.5, 4.6, 5.2, 4.9, 5.4, 4.7];
        let comparison = comparison(&[(1, 0, quiet), (2, 0, quiet), (1, 1, quiet), (2, 1, noisy)]);
        let (_, bands) = against_hand_written(&comparison).unwrap();
        assert!(near(bands.loads[0], 0.0));
        let (load, mean) = (bands.loads[1].unwrap(), bands.mean.unwrap());
        assert!(load > 0.05 && load < 0.08, "{load}");
        assert!((mean - ((1.0 + load).sqrt() - 1.0)).abs() < 1e-9, "half of it, in logarithms: {mean}");
    }

    #[test]
    fn what_failed_is_not_measured_against() {
        let mut comparison = comparison(&[(1, 0, &[2.0]), (2, 0, &[2.0]), (0, 0, &[1.0])]);
        comparison.subjects[0].failed = Some("it ended".to_owned());
        let (costs, bands) = against_hand_written(&comparison).unwrap();
        assert_eq!((costs[0].subject, costs[0].loads[0].floor), (1, None));
        assert_eq!(bands.loads, [None, None], "one round has no width");
        comparison.subjects.iter_mut().for_each(|subject| subject.kind = Kind::Backend);
        assert_eq!(against_hand_written(&comparison), None);
    }
}
