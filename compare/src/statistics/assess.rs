//! The assessment of a comparison.
//!
//! In a column of the matrix all pairs of ranked subjects with values are tested together: the pairs with the
//! reference, which the cells show, and the pairs with the leader. The leader is chosen by its value, so any pair could
//! be one of these. With three or more subjects, Friedman's test whether all are equal comes first.

use serde::Serialize;

use super::column::{Cell, Column, Detail, Figure, figures, shape_of, why_absent};
use super::estimate::Estimate;
use super::metric::Metric;
use super::noise::{Noise, min_band};
use super::pairwise::{PairResult, PairTest};
use super::readings::probed_rate;
use super::rounds::{Round, Series, Source, control_of, level, over, why_failed, with_control};
use super::significance;
use super::verdict::{MIN_ROUNDS, Verdict, Why, insufficient};
use crate::Comparison;

/// The verdicts on a comparison, and what they are based on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Assessment {
    /// The subject with which the others are compared: the one that has a control, because only its noise is known; if
    /// that failed, the first ranked one. An index into [`Comparison::subjects`].
    pub reference: Option<usize>,
    /// The second run of the reference.
    pub control: Option<usize>,
    /// The ranked subjects: backends and other servers, without controls, handwritten servers, other builds, and
    /// subjects that failed or can't run on this machine.
    pub ranked: Vec<usize>,
    /// The subjects that failed, and why.
    pub failed: Vec<(usize, String)>,
    /// The subjects that can't run on this machine, and why. That isn't a failure.
    pub unavailable: Vec<(usize, String)>,
    /// How many rounds were measured.
    pub rounds: usize,
    /// Whether there are too few rounds for any verdict: screening only.
    pub screening: bool,
    /// The matrix: the columns of [`Figure::USUAL`], always all of them, in that order; in a comparison with subscribers
    /// those of [`Figure::OF_PUSHES`], each once for each of its loads.
    pub columns: Vec<Column>,
    /// Further figures, without verdicts.
    pub details: Vec<Detail>,
}

/// Assesses a comparison.
pub fn assess(comparison: &Comparison) -> Assessment {
    let subjects = 0..comparison.subjects.len();
    let ranked = ranked(comparison);
    let reference = reference(comparison, &ranked);
    let rounds = comparison.samples.iter().map(|sample| sample.round + 1).max().unwrap_or(0);
    let failed = |index: usize| Some((index, why_failed(comparison, index)?));
    let unavailable = |index: usize| Some((index, comparison.subjects[index].unavailable.clone()?));
    Assessment {
        reference,
        control: reference.and_then(|reference| control_of(comparison, reference)),
        failed: subjects.clone().filter_map(failed).collect(),
        unavailable: subjects.filter_map(unavailable).collect(),
        rounds,
        screening: rounds < MIN_ROUNDS,
        columns: figures(comparison, &ranked)
            .into_iter()
            .map(|figure| column(comparison, figure, &ranked, reference))
            .collect(),
        details: details(comparison, &ranked),
        ranked,
    }
}

/// The ranked subjects.
pub(super) fn ranked(comparison: &Comparison) -> Vec<usize> {
    let is_ranked = |&index: &usize| {
        let subject = &comparison.subjects[index];
        subject.control_of.is_none()
            && subject.kind.is_ranked()
            && subject.unavailable.is_none()
            && why_failed(comparison, index).is_none()
    };
    (0..comparison.subjects.len()).filter(is_ranked).collect()
}

fn reference(comparison: &Comparison, ranked: &[usize]) -> Option<usize> {
    let mut with_controls = ranked.iter().filter(|&&subject| control_of(comparison, subject).is_some());
    with_controls.next().or(ranked.first()).copied()
}

fn details(comparison: &Comparison, ranked: &[usize]) -> Vec<Detail> {
    let mut details = Vec::new();
    for shape in 0..comparison.shapes.len() {
        for &subject in ranked {
            for &metric in Metric::ALL {
                let series = level(comparison, Source::Samples(shape, metric), subject);
                if series.len() > 0 {
                    let level = Estimate::of(&series.logarithms());
                    let why = insufficient(&series).filter(|why| !matches!(why, Why::Flagged { .. }));
                    details.push(Detail { subject, shape, metric, level, why, flagged: series.flagged() });
                }
            }
        }
    }
    details
}

impl Assessment {
    /// The first column of the matrix with this figure.
    pub fn column(&self, figure: Figure) -> Option<&Column> {
        self.columns.iter().find(|column| column.figure == figure)
    }
}

/// A column.
fn column(
    comparison: &Comparison,
    (figure, shape, source): (Figure, Option<usize>, Option<Source>),
    ranked: &[usize],
    reference: Option<usize>,
) -> Column {
    let Some(source) = source else {
        let cells = ranked.iter().map(|&subject| Cell::absent(subject)).collect();
        let absent = Some(why_absent(comparison, figure));
        let noise = Noise::default();
        let band = noise.band;
        return Column { figure, shape, absent, noise, band, cells, leader: None, tied: Vec::new() };
    };
    let levels: Vec<Series> = ranked.iter().map(|&subject| level(comparison, source, subject)).collect();
    let control = reference.and_then(|reference| control_of(comparison, reference));
    let test = PairTest {
        noise: Noise::of(comparison, source),
        more_is_better: figure.more_is_better(),
        friedman_p: friedman_p(levels.iter().cloned().chain(control.map(|of| level(comparison, source, of)))),
        min_band: min_band(source),
        reference,
    };
    let readings: Vec<_> = ranked.iter().map(|&subject| with_control(comparison, source, subject)).collect();
    let mut pairs = Vec::new();
    for (index, &subject) in ranked.iter().enumerate() {
        for (other, readings_of_other) in ranked.iter().zip(&readings).take(index) {
            pairs.push((subject, *other, over(&readings[index], readings_of_other)));
        }
    }
    let pairs = test.judge(comparison, pairs);
    let cell = |(&subject, series): (&usize, &Series)| {
        let tried = |subject| (source == Source::Probes).then(|| probed_rate(comparison, subject)).flatten();
        let level = Estimate::of(&series.logarithms()).map(|level| level.at(tried(subject)));
        let isolation_ratio =
            (figure == Figure::Isolation).then(|| isolation_ratio(comparison, ranked, shape, subject));
        let cell = Cell { level, isolation_ratio: isolation_ratio.flatten(), ..Cell::absent(subject) };
        let Some(against) = reference.filter(|&reference| reference != subject) else {
            let verdict =
                if level.is_some() { Verdict::Reference } else { Verdict::Undecided(without_value(series)) };
            return Cell { verdict, flagged: series.flagged(), ..cell };
        };
        match between(&pairs, subject, against) {
            Some(PairResult { ratio, p, verdict, flagged, .. }) => {
                let verdict = match (verdict, source) {
                    (Verdict::Undecided(_), Source::Memory) if series.rounds.len() == 1 => {
                        Verdict::Undecided(Why::OnePass)
                    }
                    _ => verdict,
                };
                let tried = tried(subject).zip(tried(against)).map(|(one, other)| one / other);
                let ratio = ratio.map(|ratio| ratio.at(tried));
                Cell { ratio, p: ratio.map(|_| p), verdict, flagged, ..cell }
            }
            None => cell,
        }
    };
    let cells: Vec<Cell> = ranked.iter().zip(&levels).map(cell).collect();
    let (leader, tied) = leader_and_ties(&cells, &pairs, figure.more_is_better());
    let others = reference.and_then(|of| Some((of, *ranked.iter().find(|&&subject| subject != of)?)));
    let band = others.map_or(test.noise.band, |(reference, other)| {
        test.noise.band_between(comparison, other, reference, test.min_band)
    });
    Column { figure, shape, absent: None, noise: test.noise, band, cells, leader, tied }
}

/// The p of Friedman's test that all are equal; `None` for two subjects, which are one pair. Subjects without a value
/// in more than a third of the rounds are left out, because they get no verdict.
fn friedman_p(levels: impl Iterator<Item = Series>) -> Option<f64> {
    let subjects: Vec<_> =
        levels.filter(|series| insufficient(series).is_none()).map(|series| series.rounds).collect();
    (subjects.len() > 3).then(|| significance::friedman_p(&subjects)).flatten()
}

/// A subject's tail latency beside hostile clients divided by that without them.
fn isolation_ratio(
    comparison: &Comparison,
    ranked: &[usize],
    beside: Option<usize>,
    subject: usize,
) -> Option<Estimate> {
    let alone = shape_of(comparison, Figure::TailLatency, ranked);
    let tail = |shape| level(comparison, Source::Samples(shape, Metric::TailLatency), subject).rounds;
    let (beside, alone) = (tail(beside?), tail(alone?));
    let pair = |of: &Round| {
        let its = alone.iter().find(|one| one.round == of.round)?;
        Some(of.logarithm - its.logarithm)
    };
    Estimate::of(&beside.iter().filter_map(pair).collect::<Vec<_>>())
}

/// Why a subject has no value at all.
fn without_value(series: &Series) -> Why {
    match series {
        Series { overloaded: 0, generator_limited: 0, .. } => Why::NotMeasured,
        Series { overloaded: 0, .. } => Why::GeneratorLimited,
        _ => Why::Overloaded,
    }
}

/// The result of a pair, in either order.
fn between(pairs: &[PairResult], subject: usize, against: usize) -> Option<PairResult> {
    let is = |pair: &&PairResult, one, other| pair.subject == one && pair.against == other;
    let direct = pairs.iter().find(|pair| is(pair, subject, against)).cloned();
    direct.or_else(|| Some(pairs.iter().find(|pair| is(pair, against, subject))?.reversed()))
}

/// The best subject, and those that can't be told apart from it.
fn leader_and_ties(
    cells: &[Cell],
    pairs: &[PairResult],
    more_is_better: bool,
) -> (Option<usize>, Vec<usize>) {
    let is_measured = |cell: &&Cell| cell.verdict != Verdict::Undecided(Why::GeneratorLimited);
    let value = |cell: &Cell| Some((cell.subject, cell.level?.median));
    let values: Vec<(usize, f64)> = cells.iter().filter(is_measured).filter_map(value).collect();
    let worth = |value: f64| if more_is_better { -value } else { value };
    let best = values.iter().min_by(|one, other| worth(one.1).total_cmp(&worth(other.1)));
    let Some(&(mut leader, _)) = best else { return (None, Vec::new()) };
    let verdict = |subject, leader| between(pairs, subject, leader).map(|pair| pair.verdict);
    let rivals = |leader: usize| values.iter().map(|of| of.0).filter(move |&subject| subject != leader);
    // The medians over all rounds may order two subjects differently than the rounds that both have.
    for _ in 0..values.len() {
        let Some(better) = rivals(leader).find(|&rival| verdict(rival, leader) == Some(Verdict::Better))
        else {
            break;
        };
        leader = better;
    }
    // A subject with too many flagged rounds has no verdict, so it isn't called tied either.
    let is_other =
        |verdict| matches!(verdict, Some(Verdict::Worse | Verdict::Undecided(Why::Flagged { .. })));
    let is_equal = |&rival: &usize| !is_other(verdict(rival, leader));
    (Some(leader), rivals(leader).filter(is_equal).collect())
}

impl Cell {
    /// The cell of a subject without values.
    fn absent(subject: usize) -> Self {
        let verdict = Verdict::Undecided(Why::NotMeasured);
        Self { subject, level: None, ratio: None, p: None, verdict, flagged: 0, isolation_ratio: None }
    }
}

#[cfg(test)]
mod tests;
