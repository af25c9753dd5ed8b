//! Any two subjects against each other.

use std::collections::BTreeMap;

use serde::Serialize;

use super::estimate::{Estimate, probability};
use super::metric::Metric;
use super::noise::{LEAST, Noise};
use super::rounds::{Round, Series, Source, ratio, why_failed};
use super::significance::adjusted;
use super::verdict::{Bar, Told, Why, lacking, settle};
use crate::{Comparison, Kind};

/// Two subjects against each other.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Contest {
    pub(super) subject: usize,
    pub(super) against: usize,
    /// The value of the one over the other's, if any round has both.
    pub(super) ratio: Option<Estimate>,
    /// With which probability chance makes such a difference somewhere among all contests.
    pub(super) p: f64,
    /// What may be said of the one against the other.
    pub(super) told: Told,
    /// How many rounds are flagged.
    pub(super) flagged: usize,
}

impl Contest {
    /// The same seen from the other side.
    pub(super) fn reversed(&self) -> Self {
        let (ratio, told) = (self.ratio.map(Estimate::inverse), self.told.reversed());
        Self { subject: self.against, against: self.subject, ratio, told, ..self.clone() }
    }
}

/// How contests are judged.
#[derive(Clone, Debug)]
pub(super) struct Court {
    /// How much two runs of the same differ.
    pub(super) noise: Noise,
    /// Whether a larger value is the better one.
    pub(super) more_is_better: bool,
    /// With which probability all who take part may be equal, if that was tested.
    pub(super) all_equal: Option<f64>,
    /// The least difference that counts, however small the noise.
    pub(super) least: f64,
    /// Whose contests are a family of their own.
    pub(super) reference: Option<usize>,
}

/// A subject's value over another's under a load, and what may be said of it, where these two are all that is
/// compared; `None` if no round has values of both.
pub fn contest(
    comparison: &Comparison,
    shape: usize,
    metric: Metric,
    subject: usize,
    against: usize,
) -> Option<(Estimate, Told)> {
    let source = Source::Samples(shape, metric);
    let series = ratio(comparison, source, subject, against);
    let court = Court::alone(Noise::of(comparison, source), metric);
    one(comparison, &court, subject, against, series)
}

/// The same of the geometric mean over several loads: of each round that has values of both under all of them.
pub fn mean_contest(
    comparison: &Comparison,
    shapes: &[usize],
    metric: Metric,
    subject: usize,
    against: usize,
) -> Option<(Estimate, Told)> {
    let mean = |subject, against| {
        let of_all =
            shapes.iter().map(|&shape| ratio(comparison, Source::Samples(shape, metric), subject, against));
        mean_of(&of_all.collect::<Vec<_>>())
    };
    let noise = Noise::among(comparison, mean);
    let court = Court::alone(noise, metric);
    one(comparison, &court, subject, against, mean(subject, against))
}

fn one(
    comparison: &Comparison,
    court: &Court,
    subject: usize,
    against: usize,
    series: Series,
) -> Option<(Estimate, Told)> {
    let contest = court.judge(comparison, vec![(subject, against, series)]).pop()?;
    let failed = [subject, against].into_iter().any(|one| why_failed(comparison, one).is_some());
    Some((contest.ratio?, if failed { Told::NotTold(Why::Failed) } else { contest.told }))
}

/// The mean of several series, of the rounds that all of them have.
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

impl Court {
    /// For contests that were chosen before anything was measured.
    pub(super) fn alone(noise: Noise, metric: Metric) -> Self {
        Self {
            noise,
            more_is_better: metric.more_is_better(),
            all_equal: None,
            least: LEAST,
            reference: None,
        }
    }

    /// Judges contests together. Each is also judged without its flagged rounds, and then alone: that so many are
    /// judged together is paid for by the verdict with all rounds, which this one can only take back.
    pub(super) fn judge(&self, comparison: &Comparison, pairs: Vec<(usize, usize, Series)>) -> Vec<Contest> {
        let families = self.families(&pairs);
        let judge = |((subject, against, series), (p, contests)): ((usize, usize, Series), (f64, usize))| {
            let bar = Bar {
                band: self.noise.band_between(comparison, subject, against, self.least),
                spread: self.noise.spread,
                more_is_better: self.more_is_better,
                contests,
            };
            let ratio = Estimate::of(&series.logarithms());
            let told = ratio.map_or(Told::NotTold(Why::NotMeasured), |ratio| bar.tell(&ratio, p));
            let flagged = series.flagged();
            let told = match lacking(&series) {
                Some(why) => Told::NotTold(why),
                None if flagged == 0 => told,
                None => {
                    let (quiet, bar) = (series.unflagged(), Bar { contests: 1, ..bar });
                    let without = Estimate::of(&quiet).map(|ratio| bar.tell(&ratio, probability(&quiet)));
                    settle(told, without.unwrap_or(Told::NotTold(Why::NotMeasured)), flagged)
                }
            };
            Contest { subject, against, ratio, p, told, flagged }
        };
        pairs.into_iter().zip(families).map(judge).collect()
    }

    /// For each contest its p among those that it is judged with, and how many these are: for those of the reference
    /// the others of the reference, for all others all.
    fn families(&self, pairs: &[(usize, usize, Series)]) -> Vec<(f64, usize)> {
        let known: Vec<usize> = (0..pairs.len()).filter(|&index| !pairs[index].2.rounds.is_empty()).collect();
        let single: Vec<f64> = pairs.iter().map(|(.., series)| probability(&series.logarithms())).collect();
        let of_reference = |index: &&usize| {
            let (subject, against, _) = &pairs[**index];
            self.reference.is_some_and(|reference| [*subject, *against].contains(&reference))
        };
        let mut families = vec![(1.0, known.len()); pairs.len()];
        for family in [known.clone(), known.iter().filter(of_reference).copied().collect()] {
            let p = adjusted(&family.iter().map(|&index| single[index]).collect::<Vec<_>>());
            for (&index, p) in family.iter().zip(p) {
                families[index] = (p.max(self.all_equal.unwrap_or(0.0)), family.len());
            }
        }
        families
    }
}

/// A backend of this build against the same one of another build, by server CPU per message.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Build {
    /// The backend of this build, as an index into [`Comparison::subjects`].
    pub subject: usize,
    /// The same of the other build.
    pub other: usize,
    /// Under which load: an index into [`Comparison::shapes`].
    pub shape: usize,
    /// The value of this build over the other's.
    pub ratio: Option<Estimate>,
    /// With which probability equals would differ so much somewhere among all builds and loads.
    pub p: f64,
    /// What may be said of this build: [`Told::Worse`] is a regression.
    pub told: Told,
}

/// All that have a counterpart in another build, under all loads, judged together.
pub fn builds(comparison: &Comparison) -> Vec<Build> {
    let subjects = &comparison.subjects;
    let stands =
        |index: &usize| why_failed(comparison, *index).is_none() && subjects[*index].control_of.is_none();
    let counterpart = |other: usize| match &subjects[other].kind {
        Kind::Build { of } => (0..subjects.len()).filter(stands).find(|&index| subjects[index].name == *of),
        _ => None,
    };
    let counterparts =
        (0..subjects.len()).filter(stands).filter_map(|other| Some((counterpart(other)?, other)));
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
    // The noise may differ from load to load, and the loudest counts.
    let noises =
        (0..comparison.shapes.len()).map(|shape| Noise::of(comparison, Source::Samples(shape, Metric::Cpu)));
    let noise = noises.max_by(|one, other| one.band.total_cmp(&other.band)).unwrap_or_default();
    let contests = Court::alone(noise, Metric::Cpu).judge(comparison, pairs);
    let build = |(contest, shape): (Contest, usize)| Build {
        subject: contest.subject,
        other: contest.against,
        shape,
        ratio: contest.ratio,
        p: contest.p,
        told: contest.told,
    };
    contests.into_iter().zip(shapes).map(build).collect()
}

#[cfg(test)]
mod tests;
