//! How often the verdicts err, tried on synthetic rounds whose truth is known. The spreads are those that were
//! seen on a busy machine with two cores: 8 to 10 % between rounds for CPU per message, 14 to 31 % for
//! throughput.

use super::super::metric::Metric;
use super::estimate::{Confidence, Estimate};
use super::verdict::{Floor, Verdict, rounds_needed};
use super::{Assessment, assess};
use crate::{Comparison, Sample, Shape, Subject};

/// So many data sets for each claim.
const SETS: u64 = 400;

/// Numbers of the normal distribution around 0, with a seed.
struct Noise(fastrand::Rng);

impl Noise {
    /// The seeds are spread over all numbers, because streams of neighbouring seeds begin alike.
    fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed((seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)))
    }

    // Box and Muller's.
    fn normal(&mut self, deviation: f64) -> f64 {
        let radius = (-2.0 * (1.0 - self.0.f64()).ln()).sqrt();
        deviation * radius * (std::f64::consts::TAU * self.0.f64()).cos()
    }
}

/// What is said of a subject against a reference that ran twice, where the logarithm of a ratio of two single
/// runs spreads so much. As `assess` does it, with fewer draws.
fn verdict(seed: u64, rounds: usize, spread: f64, truth: f64) -> (Verdict, bool) {
    let mut noise = Noise::new(seed);
    let mut run = |level: f64| -> Vec<f64> {
        (0..rounds).map(|_| level.ln() + noise.normal(spread / 2.0_f64.sqrt())).collect()
    };
    let (subject, reference, control) = (run(truth), run(1.0), run(1.0));
    let against_both: Vec<f64> =
        (0..rounds).map(|round| subject[round] - f64::midpoint(reference[round], control[round])).collect();
    let against_itself: Vec<f64> = (0..rounds).map(|round| control[round] - reference[round]).collect();
    let estimate = |values: &[f64]| Estimate::with_draws(values, Confidence::P95, !seed, 250).unwrap();
    let ratio = estimate(&against_both);
    let floor = Floor::of(Some(estimate(&against_itself))).for_runs(1, 2);
    (Verdict::of(&ratio, floor, false), ratio.interval.unwrap().contains(truth))
}

/// In how many of a hundred data sets something is so.
fn percent(holds: impl Fn(u64) -> bool) -> f64 {
    (0..SETS).filter(|&seed| holds(seed)).count() as f64 * 100.0 / SETS as f64
}

#[test]
fn equals_are_seldom_told_apart() {
    for (rounds, spread) in [(7, 0.08), (7, 0.10), (7, 0.30), (15, 0.08), (15, 0.10), (15, 0.30)] {
        let wrong = percent(|seed| verdict(seed, rounds, spread, 1.0).0.is_difference());
        assert!(wrong <= 5.0, "{wrong} % false wins with {rounds} rounds at {spread}");
    }
}

#[test]
fn ten_percent_are_found_with_the_rounds_that_are_promised() {
    for spread in [0.08, 0.09, 0.10, 0.14] {
        let rounds = rounds_needed(spread, 0.10);
        let found = percent(|seed| matches!(verdict(seed, rounds, spread, 1.10).0, Verdict::Worse { .. }));
        assert!(found >= 80.0, "{found} % found with {rounds} rounds at {spread}");
    }
}

#[test]
fn intervals_cover_the_truth() {
    for (rounds, spread) in [(5, 0.10), (7, 0.20), (15, 0.10), (15, 0.30)] {
        let covered = percent(|seed| verdict(seed, rounds, spread, 1.25).1);
        assert!((91.5..=98.5).contains(&covered), "{covered} % with {rounds} rounds at {spread}");
    }
}

/// Five backends and a control that are all the same, seven rounds.
fn equals(seed: u64) -> (Comparison, Assessment) {
    let mut noise = Noise::new(seed);
    let mut comparison = Comparison { shapes: vec![Shape::default()], ..Comparison::default() };
    comparison.subjects = (0..6).map(|n| Subject { name: n.to_string(), ..Subject::default() }).collect();
    comparison.subjects[5].control_of = Some("0".to_owned());
    for round in 0..7 {
        for subject in 0..6 {
            let cpu_user = 10.0 * noise.normal(0.09 / 2.0_f64.sqrt()).exp();
            comparison.samples.push(Sample { round, subject, cpu_user, ..Sample::default() });
        }
    }
    let assessment = assess(&comparison);
    (comparison, assessment)
}

#[test]
fn five_equals_have_no_winner() {
    let sets: Vec<_> = (0..SETS / 2).map(equals).collect();
    let share = |holds: &dyn Fn(&(Comparison, Assessment)) -> bool| {
        sets.iter().filter(|set| holds(set)).count() as f64 * 100.0 / sets.len() as f64
    };
    let wins =
        share(&|(comparison, assessment)| assessment.headline(comparison).unwrap().equals().count() == 0);
    assert!(wins <= 1.0, "{wins} % of the data sets have a winner");
    let told_apart = share(&|(_, assessment)| {
        let mut verdicts = assessment.shapes[0].rows.iter().filter_map(|row| row.verdict);
        verdicts.any(|verdict| verdict.is_difference())
    });
    assert!(told_apart <= 9.0, "in {told_apart} % some backend is told from the reference");
}

#[test]
fn the_same_comparison_is_assessed_the_same() {
    let (comparison, assessment) = equals(3);
    assert_eq!(assess(&comparison), assessment);
    assert_eq!(assessment.reference, Some(0));
    assert_eq!(assessment.control, Some(5));
    assert_eq!(assessment.ranked, [0, 1, 2, 3, 4]);
    assert!(assessment.row(0, 0, Metric::Cpu).unwrap().ratio.is_none(), "the reference");
}

#[test]
fn nothing_is_concluded_from_nothing() {
    let assessment = assess(&Comparison::default());
    assert_eq!((assessment.reference, assessment.headline_shape), (None, None));
    assert!(!assessment.is_too_noisy(&Comparison::default()));
    let (mut comparison, _) = equals(1);
    for sample in &mut comparison.samples {
        sample.cpu_user = f64::NAN;
    }
    assert!(assess(&comparison).headline(&comparison).is_none());
}

#[test]
fn the_failed_are_never_ranked() {
    let (mut comparison, _) = equals(1);
    comparison.samples[0].bad = 1;
    comparison.subjects[2].failed = Some("it did not start".to_owned());
    let assessment = assess(&comparison);
    assert_eq!(assessment.ranked, [1, 3, 4]);
    assert_eq!(assessment.reference, Some(1), "the next takes its place");
    assert_eq!(assessment.control, None);
    assert_eq!(assessment.failed[1].1, "it did not start");
}

#[test]
fn flagged_rounds_are_left_out_only_to_see_what_they_change() {
    let (mut comparison, assessment) = equals(2);
    assert_eq!(assessment.changed_by_flags(), None);
    for sample in comparison.samples.iter_mut().filter(|sample| sample.round == 6) {
        sample.flags.push("steal".to_owned());
        sample.cpu_user *= if sample.subject == 1 { 3.0 } else { 1.0 };
    }
    let assessment = assess(&comparison);
    assert_eq!(assessment.flagged_rounds, [6]);
    let row = assessment.row(0, 1, Metric::Cpu).unwrap();
    assert_eq!(row.ratio.unwrap().rounds, 7);
    assert!(row.without_flagged.is_some());
    assert!(assessment.changed_by_flags().is_some());
}
