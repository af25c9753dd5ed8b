//! How a column of the matrix is made.
//!
//! Each pair of the ranked that has values is a contest, and all of them are judged together: those against the
//! reference, which the cells show, and those of the leader, who is chosen by looking at the values, so that each pair
//! could have become one of them. Of three or more, [`friedman`] asks first whether all of them may be equal.

use super::column::{Cell, Column, Figure};
use super::contest::{Contest, Court, lacking};
use super::estimate::Estimate;
use super::friedman;
use super::metric::Metric;
use super::noise::{Noise, least};
use super::rounds::{Round, Series, Source, control_of, level, over, with_control};
use super::sources::{shape_of, source, why_absent};
use super::told::{Told, Why};
use crate::Comparison;

/// A column.
pub(super) fn column(
    comparison: &Comparison,
    figure: Figure,
    ranked: &[usize],
    reference: Option<usize>,
) -> Column {
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
        let level = Estimate::of(&series.logarithms());
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
    (subjects.len() > 3).then(|| friedman::probability(&subjects)).flatten()
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
    let values: Vec<(usize, f64)> =
        cells.iter().filter_map(|cell| Some((cell.subject, cell.level?.median))).collect();
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
    let is_equal = |&rival: &usize| told(rival, leader) != Some(Told::Worse);
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
