//! All that may be said of a comparison.
//!
//! In a column of the matrix each pair of the ranked that has values is a contest, and all of them are judged together:
//! those against the reference, which the cells show, and those of the leader, who is chosen by looking at the values, so
//! that each pair could have become one of them. Of three or more it is asked first whether all of them may be equal.

use serde::Serialize;

use super::column::{Cell, Column, Detail, Figure, shape_of, source, why_absent};
use super::contest::{Contest, Court};
use super::estimate::Estimate;
use super::metric::Metric;
use super::noise::{Noise, least};
use super::readings::probed;
use super::rounds::{Round, Series, Source, control_of, level, over, why_failed, with_control};
use super::significance;
use super::verdict::{FEWEST, Told, Why, lacking};
use crate::Comparison;

/// All that may be said of a comparison.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Assessment {
    /// Whom the others are compared with: the one that has a control, because only against it the noise is known;
    /// if that failed, the first who did not. An index into [`Comparison::subjects`].
    pub reference: Option<usize>,
    /// The second run of the reference.
    pub control: Option<usize>,
    /// Who is ranked: backends and other servers, but no controls, no servers written by hand, no other builds, and
    /// none that failed or can't run here.
    pub ranked: Vec<usize>,
    /// Who failed, and why.
    pub failed: Vec<(usize, String)>,
    /// Who can't run on this machine, and why. That is no failure.
    pub unavailable: Vec<(usize, String)>,
    /// How many rounds were measured.
    pub rounds: usize,
    /// Whether there are fewer rounds than anything can be told from: screening only.
    pub screening: bool,
    /// The matrix: the columns of [`Figure::ALL`], always all of them, in that order.
    pub columns: Vec<Column>,
    /// What else was measured: figures, and no verdicts.
    pub details: Vec<Detail>,
}

/// Concludes all that may be concluded.
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
        screening: rounds < FEWEST,
        columns: Figure::ALL.iter().map(|&figure| column(comparison, figure, &ranked, reference)).collect(),
        details: details(comparison, &ranked),
        ranked,
    }
}

/// Who is ranked.
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
    let mut twins = ranked.iter().filter(|&&subject| control_of(comparison, subject).is_some());
    twins.next().or(ranked.first()).copied()
}

fn details(comparison: &Comparison, ranked: &[usize]) -> Vec<Detail> {
    let mut details = Vec::new();
    for shape in 0..comparison.shapes.len() {
        for &subject in ranked {
            for &metric in Metric::ALL {
                let series = level(comparison, Source::Samples(shape, metric), subject);
                if series.len() > 0 {
                    let level = Estimate::of(&series.logarithms());
                    let lack = lacking(&series).filter(|why| !matches!(why, Why::Flagged { .. }));
                    details.push(Detail { subject, shape, metric, level, lack, flagged: series.flagged() });
                }
            }
        }
    }
    details
}

impl Assessment {
    /// A column of the matrix.
    pub fn column(&self, figure: Figure) -> Option<&Column> {
        self.columns.iter().find(|column| column.figure == figure)
    }
}

/// A column.
fn column(comparison: &Comparison, figure: Figure, ranked: &[usize], reference: Option<usize>) -> Column {
    let (shape, source) = source(comparison, figure, ranked);
    let Some(source) = source else {
        let cells = ranked.iter().map(|&subject| Cell::absent(subject)).collect();
        let absent = Some(why_absent(comparison, figure));
        let noise = Noise::default();
        let band = noise.band;
        return Column { figure, shape, absent, noise, band, cells, leader: None, equals: Vec::new() };
    };
    let levels: Vec<Series> = ranked.iter().map(|&subject| level(comparison, source, subject)).collect();
    let control = reference.and_then(|reference| control_of(comparison, reference));
    let court = Court {
        noise: Noise::of(comparison, source),
        more_is_better: figure.more_is_better(),
        all_equal: all_equal(levels.iter().cloned().chain(control.map(|of| level(comparison, source, of)))),
        least: least(source),
        reference,
    };
    let readings: Vec<_> = ranked.iter().map(|&subject| with_control(comparison, source, subject)).collect();
    let mut pairs = Vec::new();
    for (index, &subject) in ranked.iter().enumerate() {
        for (other, readings_of_other) in ranked.iter().zip(&readings).take(index) {
            pairs.push((subject, *other, over(&readings[index], readings_of_other)));
        }
    }
    let contests = court.judge(comparison, pairs);
    let cell = |(&subject, series): (&usize, &Series)| {
        let tried = |subject| (source == Source::Probes).then(|| probed(comparison, subject)).flatten();
        let level = Estimate::of(&series.logarithms()).map(|level| level.at(tried(subject)));
        let over_alone =
            (figure == Figure::Isolation).then(|| over_alone(comparison, ranked, shape, subject));
        let cell = Cell { level, over_alone: over_alone.flatten(), ..Cell::absent(subject) };
        let Some(against) = reference.filter(|&reference| reference != subject) else {
            let told = if level.is_some() { Told::Reference } else { Told::NotTold(without_value(series)) };
            return Cell { told, flagged: series.flagged(), ..cell };
        };
        match between(&contests, subject, against) {
            Some(Contest { ratio, p, told, flagged, .. }) => {
                let told = match (told, source) {
                    (Told::NotTold(_), Source::Memory) if series.rounds.len() == 1 => {
                        Told::NotTold(Why::OnePass)
                    }
                    _ => told,
                };
                let tried = tried(subject).zip(tried(against)).map(|(one, other)| one / other);
                let ratio = ratio.map(|ratio| ratio.at(tried));
                Cell { ratio, p: ratio.map(|_| p), told, flagged, ..cell }
            }
            None => cell,
        }
    };
    let cells: Vec<Cell> = ranked.iter().zip(&levels).map(cell).collect();
    let (leader, equals) = standing(&cells, &contests, figure.more_is_better());
    let others = reference.and_then(|of| Some((of, *ranked.iter().find(|&&subject| subject != of)?)));
    let band = others.map_or(court.noise.band, |(reference, other)| {
        court.noise.band_between(comparison, other, reference, court.least)
    });
    Column { figure, shape, absent: None, noise: court.noise, band, cells, leader, equals }
}

/// With which probability all may be equal; `None` for two, whose contest is the only one. Who has no value in more than a
/// third of the rounds takes no part, because nothing is told of that one.
fn all_equal(levels: impl Iterator<Item = Series>) -> Option<f64> {
    let subjects: Vec<_> =
        levels.filter(|series| lacking(series).is_none()).map(|series| series.rounds).collect();
    (subjects.len() > 3).then(|| significance::all_equal(&subjects)).flatten()
}

/// A subject's tail beside hostile clients over its tail without them.
fn over_alone(
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

/// The contest of one subject against another, whichever way round it was judged.
fn between(contests: &[Contest], subject: usize, against: usize) -> Option<Contest> {
    let is = |contest: &&Contest, one, other| contest.subject == one && contest.against == other;
    let direct = contests.iter().find(|contest| is(contest, subject, against)).cloned();
    direct.or_else(|| Some(contests.iter().find(|contest| is(contest, against, subject))?.reversed()))
}

/// Who is best, and who cannot be told from that one.
fn standing(cells: &[Cell], contests: &[Contest], more_is_better: bool) -> (Option<usize>, Vec<usize>) {
    let is_measured = |cell: &&Cell| cell.told != Told::NotTold(Why::GeneratorLimited);
    let value = |cell: &Cell| Some((cell.subject, cell.level?.median));
    let values: Vec<(usize, f64)> = cells.iter().filter(is_measured).filter_map(value).collect();
    let worth = |value: f64| if more_is_better { -value } else { value };
    let best = values.iter().min_by(|one, other| worth(one.1).total_cmp(&worth(other.1)));
    let Some(&(mut leader, _)) = best else { return (None, Vec::new()) };
    let told = |subject, leader| between(contests, subject, leader).map(|contest| contest.told);
    let rivals = |leader: usize| values.iter().map(|of| of.0).filter(move |&subject| subject != leader);
    // Medians over all rounds may rank two otherwise than the rounds that both have.
    for _ in 0..values.len() {
        let Some(better) = rivals(leader).find(|&rival| told(rival, leader) == Some(Told::Better)) else {
            break;
        };
        leader = better;
    }
    // Of whom most rounds are doubtful nothing is said, and so not that it is as good.
    let is_other = |told| matches!(told, Some(Told::Worse | Told::NotTold(Why::Flagged { .. })));
    let is_equal = |&rival: &usize| !is_other(told(rival, leader));
    (Some(leader), rivals(leader).filter(is_equal).collect())
}

impl Cell {
    /// The cell of a subject of which nothing is known.
    fn absent(subject: usize) -> Self {
        let told = Told::NotTold(Why::NotMeasured);
        Self { subject, level: None, ratio: None, p: None, told, flagged: 0, over_alone: None }
    }
}

#[cfg(test)]
mod tests;
