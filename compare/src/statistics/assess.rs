//! All that may be said of a comparison.

use serde::Serialize;

use super::column::{Absent, Cell, Column, Detail, Figure, Noise, Told, Why};
use super::estimate::Estimate;
use super::metric::Metric;
use super::rounds::{Round, control_of, levels, ratios, why_failed};
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

/// With fewer rounds than this nothing is told: a difference in five of five rounds happens by chance in one of
/// sixteen comparisons.
pub const FEWEST: usize = 6;

/// Concludes all that may be concluded.
pub fn assess(comparison: &Comparison) -> Assessment {
    let subjects = 0..comparison.subjects.len();
    let failed: Vec<_> =
        subjects.clone().filter_map(|index| Some((index, why_failed(comparison, index)?))).collect();
    let is_ranked = |&index: &usize| {
        let subject = &comparison.subjects[index];
        subject.control_of.is_none()
            && subject.kind.is_ranked()
            && subject.unavailable.is_none()
            && failed.iter().all(|(other, _)| *other != index)
    };
    let ranked: Vec<usize> = subjects.clone().filter(is_ranked).collect();
    let reference = ranked
        .iter()
        .copied()
        .find(|&subject| control_of(comparison, subject).is_some())
        .or(ranked.first().copied());
    let rounds = comparison.samples.iter().map(|sample| sample.round + 1).max().unwrap_or(0);
    let columns = Figure::ALL.map(|figure| column(comparison, figure, &ranked, reference)).into();
    Assessment {
        reference,
        control: reference.and_then(|reference| control_of(comparison, reference)),
        unavailable: subjects
            .filter_map(|index| Some((index, comparison.subjects[index].unavailable.clone()?)))
            .collect(),
        details: details(comparison, &ranked),
        columns,
        failed,
        rounds,
        screening: rounds < FEWEST,
        ranked,
    }
}

fn column(comparison: &Comparison, figure: Figure, ranked: &[usize], reference: Option<usize>) -> Column {
    let find = |is: &dyn Fn(&crate::Shape) -> bool| comparison.shapes.iter().position(is);
    let (shape, metric) = match figure {
        Figure::CpuAtRate => (find(&|shape| shape.rate.is_some() && shape.hostile == 0), Metric::Cpu),
        Figure::CpuAtSaturation => (find(&|shape| shape.rate.is_none()), Metric::Cpu),
        Figure::TailLatency => {
            (find(&|shape| shape.rate.is_some() && shape.hostile == 0), Metric::TailLatency)
        }
        Figure::Isolation => (find(&|shape| shape.hostile > 0), Metric::TailLatency),
        Figure::HighestRate | Figure::Memory => (None, Metric::Cpu),
    };
    let absent = match (figure, shape) {
        (Figure::HighestRate, _) => Some(Absent::NeedsSlo),
        (Figure::Isolation, None) => Some(Absent::NeedsFull),
        (_, None) => Some(Absent::NotMeasured),
        _ => None,
    };
    let cell = |&subject: &usize| {
        let rounds = shape.map(|shape| levels(comparison, shape, metric, subject)).unwrap_or_default();
        let level = estimate(&rounds);
        let against = reference.filter(|&reference| reference != subject);
        let ratio = against
            .zip(shape)
            .and_then(|(against, shape)| estimate(&ratios(comparison, shape, metric, subject, against)));
        let told = match (against, ratio.and_then(|ratio| ratio.interval).zip(ratio)) {
            (None, _) => Told::Reference,
            (_, None) => Told::NotTold(Why::NotMeasured),
            (_, Some((interval, _))) if interval.contains(1.0) => Told::Same { up_to: interval.reach() },
            (_, Some((_, ratio))) if (ratio.median > 1.0) == metric.more_is_better() => Told::Better,
            _ => Told::Worse,
        };
        let flagged = rounds.iter().filter(|round| round.flagged).count();
        Cell { subject, level, ratio, p: None, told, flagged, over_alone: None }
    };
    let cells: Vec<Cell> = ranked.iter().map(cell).collect();
    let measured = cells.iter().filter_map(|cell| Some((cell.subject, cell.level?.median)));
    let leader = measured.min_by(|one, other| one.1.total_cmp(&other.1)).map(|(subject, _)| subject);
    let noise = Noise { band: 0.03, ..Noise::default() };
    Column { figure, shape, absent, noise, cells, leader, equals: Vec::new() }
}

fn details(comparison: &Comparison, ranked: &[usize]) -> Vec<Detail> {
    let mut details = Vec::new();
    for shape in 0..comparison.shapes.len() {
        for &subject in ranked {
            for metric in Metric::ALL {
                let rounds = levels(comparison, shape, metric, subject);
                let flagged = rounds.iter().filter(|round| round.flagged).count();
                details.extend(estimate(&rounds).map(|level| Detail {
                    subject,
                    shape,
                    metric,
                    level,
                    flagged,
                }));
            }
        }
    }
    details
}

fn estimate(rounds: &[Round]) -> Option<Estimate> {
    Estimate::of(&rounds.iter().map(|round| round.logarithm).collect::<Vec<_>>())
}
