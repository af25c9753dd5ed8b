//! Tests of pairs of subjects.

use std::collections::BTreeMap;

use serde::Serialize;

use super::estimate::{Estimate, probability};
use super::metric::Metric;
use super::noise::{MIN_BAND, Noise};
use super::rounds::{Round, Series, Source, ratio, why_failed};
use super::significance::holm_adjusted;
use super::verdict::{Criteria, Verdict, Why, combine, insufficient};
use crate::{Comparison, Kind};

/// The result of the test of a pair of subjects.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct PairResult {
    pub(super) subject: usize,
    pub(super) against: usize,
    /// The value of `subject` divided by that of `against`, if any round has both.
    pub(super) ratio: Option<Estimate>,
    /// The probability that chance produces such a difference somewhere among all pairs.
    pub(super) p: f64,
    /// The verdict on `subject`, compared with `against`.
    pub(super) verdict: Verdict,
    /// The number of flagged rounds.
    pub(super) flagged: usize,
}

impl PairResult {
    /// The result with the two subjects exchanged.
    pub(super) fn reversed(&self) -> Self {
        let (ratio, verdict) = (self.ratio.map(Estimate::inverse), self.verdict.reversed());
        Self { subject: self.against, against: self.subject, ratio, verdict, ..self.clone() }
    }
}

/// The parameters with which pairs are tested.
#[derive(Clone, Debug)]
pub(super) struct PairTest {
    /// How much two runs of the same subject differ.
    pub(super) noise: Noise,
    /// Whether a larger value is the better one.
    pub(super) more_is_better: bool,
    /// The p of Friedman's test that all are equal, if it was made.
    pub(super) friedman_p: Option<f64>,
    /// The smallest difference that counts, however small the noise.
    pub(super) min_band: f64,
    /// The subject whose pairs are a separate family for Holm's method.
    pub(super) reference: Option<usize>,
}

/// The ratio of two subjects' values under a load, and the verdict, if no other pair is tested; `None` if no round has
/// values of both.
pub fn compare_pair(
    comparison: &Comparison,
    shape: usize,
    metric: Metric,
    subject: usize,
    against: usize,
) -> Option<(Estimate, Verdict)> {
    let source = Source::Samples(shape, metric);
    let series = ratio(comparison, source, subject, against);
    let test = PairTest::planned(Noise::of(comparison, source), metric);
    one(comparison, &test, subject, against, series)
}

/// The same for the geometric mean over several loads, from the rounds that have values of both under all of them.
pub fn compare_pair_mean(
    comparison: &Comparison,
    shapes: &[usize],
    metric: Metric,
    subject: usize,
    against: usize,
) -> Option<(Estimate, Verdict)> {
    let mean = |subject, against| {
        let of_all =
            shapes.iter().map(|&shape| ratio(comparison, Source::Samples(shape, metric), subject, against));
        mean_of(&of_all.collect::<Vec<_>>())
    };
    let noise = Noise::among(comparison, mean);
    let test = PairTest::planned(noise, metric);
    one(comparison, &test, subject, against, mean(subject, against))
}

fn one(
    comparison: &Comparison,
    test: &PairTest,
    subject: usize,
    against: usize,
    series: Series,
) -> Option<(Estimate, Verdict)> {
    let pair = test.judge(comparison, vec![(subject, against, series)]).pop()?;
    let failed = [subject, against].into_iter().any(|one| why_failed(comparison, one).is_some());
    Some((pair.ratio?, if failed { Verdict::Undecided(Why::Failed) } else { pair.verdict }))
}

/// The mean of several series, from the rounds that all of them have.
fn mean_of(all: &[Series]) -> Series {
    let mut rounds: BTreeMap<usize, (Round, usize)> = BTreeMap::new();
    for round in all.iter().flat_map(|series| &series.rounds) {
        let entry =
            rounds.entry(round.round).or_insert((Round { logarithm: 0.0, flagged: false, ..*round }, 0));
        entry.0.logarithm += round.logarithm / all.len() as f64;
        entry.0.flagged |= round.flagged;
        entry.1 += 1;
    }
    let most = |of: fn(&Series) -> usize| all.iter().map(of).max().unwrap_or(0);
    Series {
        rounds: rounds
            .into_values()
            .filter(|(_, count)| *count == all.len())
            .map(|(round, _)| round)
            .collect(),
        overloaded: most(|series| series.overloaded),
        generator_limited: most(|series| series.generator_limited),
    }
}

impl PairTest {
    /// For planned comparisons: pairs that were chosen before anything was measured.
    pub(super) fn planned(noise: Noise, metric: Metric) -> Self {
        Self {
            noise,
            more_is_better: metric.more_is_better(),
            friedman_p: None,
            min_band: MIN_BAND,
            reference: None,
        }
    }

    /// Tests pairs together. Each is also tested without its flagged rounds, and then as a single pair: the correction
    /// for multiple comparisons applies to the test with all rounds, and the test without the flagged ones can only
    /// withdraw its verdict.
    pub(super) fn judge(
        &self,
        comparison: &Comparison,
        pairs: Vec<(usize, usize, Series)>,
    ) -> Vec<PairResult> {
        let families = self.families(&pairs);
        let judge = |((subject, against, series), (p, pairs)): ((usize, usize, Series), (f64, usize))| {
            let criteria = Criteria {
                band: self.noise.band_between(comparison, subject, against, self.min_band),
                spread: self.noise.spread,
                more_is_better: self.more_is_better,
                pairs,
            };
            let ratio = Estimate::of(&series.logarithms());
            let verdict =
                ratio.map_or(Verdict::Undecided(Why::NotMeasured), |ratio| criteria.decide(&ratio, p));
            let flagged = series.flagged();
            let verdict = match insufficient(&series) {
                Some(why) => Verdict::Undecided(why),
                None if flagged == 0 => verdict,
                None => {
                    let (quiet, criteria) = (series.unflagged(), Criteria { pairs: 1, ..criteria });
                    let without =
                        Estimate::of(&quiet).map(|ratio| criteria.decide(&ratio, probability(&quiet)));
                    combine(verdict, without.unwrap_or(Verdict::Undecided(Why::NotMeasured)), flagged)
                }
            };
            PairResult { subject, against, ratio, p, verdict, flagged }
        };
        pairs.into_iter().zip(families).map(judge).collect()
    }

    /// For each pair its adjusted p, and the size of its family: for pairs with the reference the family of these, for
    /// the others the family of all.
    fn families(&self, pairs: &[(usize, usize, Series)]) -> Vec<(f64, usize)> {
        let known: Vec<usize> = (0..pairs.len()).filter(|&index| !pairs[index].2.rounds.is_empty()).collect();
        let single: Vec<f64> = pairs.iter().map(|(.., series)| probability(&series.logarithms())).collect();
        let of_reference = |index: &&usize| {
            let (subject, against, _) = &pairs[**index];
            self.reference.is_some_and(|reference| [*subject, *against].contains(&reference))
        };
        let mut families = vec![(1.0, known.len()); pairs.len()];
        for family in [known.clone(), known.iter().filter(of_reference).copied().collect()] {
            let p = holm_adjusted(&family.iter().map(|&index| single[index]).collect::<Vec<_>>());
            for (&index, p) in family.iter().zip(p) {
                families[index] = (p.max(self.friedman_p.unwrap_or(0.0)), family.len());
            }
        }
        families
    }
}

/// A backend of this build compared with the same one of another build, by server CPU per message.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Build {
    /// The backend of this build, as an index into [`Comparison::subjects`].
    pub subject: usize,
    /// The same backend of the other build.
    pub other: usize,
    /// The load, as an index into [`Comparison::shapes`].
    pub shape: usize,
    /// The value of this build divided by the other's.
    pub ratio: Option<Estimate>,
    /// The probability that equal builds would differ by as much somewhere among all backends and loads.
    pub p: f64,
    /// The verdict on this build: [`Verdict::Worse`] is a regression.
    pub verdict: Verdict,
}

/// All backends that have a counterpart in another build, under all loads, tested together.
pub fn builds(comparison: &Comparison) -> Vec<Build> {
    let subjects = &comparison.subjects;
    let is_sound =
        |index: &usize| why_failed(comparison, *index).is_none() && subjects[*index].control_of.is_none();
    let counterpart = |other: usize| match &subjects[other].kind {
        Kind::Build { of } => (0..subjects.len()).filter(is_sound).find(|&index| subjects[index].name == *of),
        _ => None,
    };
    let counterparts =
        (0..subjects.len()).filter(is_sound).filter_map(|other| Some((counterpart(other)?, other)));
    let counterparts: Vec<(usize, usize)> = counterparts.collect();
    let mut shapes = Vec::new();
    let mut pairs = Vec::new();
    for shape in 0..comparison.shapes.len() {
        for &(subject, other) in &counterparts {
            let series = ratio(comparison, Source::Samples(shape, Metric::Cpu), subject, other);
            if series.len() > 0 {
                shapes.push(shape);
                pairs.push((subject, other, series));
            }
        }
    }
    // The noise may differ between loads; the largest counts.
    let noises =
        (0..comparison.shapes.len()).map(|shape| Noise::of(comparison, Source::Samples(shape, Metric::Cpu)));
    let noise = noises.max_by(|one, other| one.band.total_cmp(&other.band)).unwrap_or_default();
    let pairs = PairTest::planned(noise, Metric::Cpu).judge(comparison, pairs);
    let build = |(pair, shape): (PairResult, usize)| Build {
        subject: pair.subject,
        other: pair.against,
        shape,
        ratio: pair.ratio,
        p: pair.p,
        verdict: pair.verdict,
    };
    pairs.into_iter().zip(shapes).map(build).collect()
}

#[cfg(test)]
mod tests;
