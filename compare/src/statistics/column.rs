//! The matrix that a report begins with, as plain data: a column for each figure, a cell for each subject; and under
//! which load each figure is measured.

use serde::Serialize;

use super::estimate::Estimate;
use super::metric::Metric;
use super::noise::Noise;
use super::rounds::Source;
use super::verdict::{Told, Why};
use crate::{Comparison, Shape};

/// What a column shows of every subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Figure {
    /// Server CPU time for each message at the rate that is offered to all, in microseconds.
    CpuAtRate,
    /// Server CPU time for each message in a closed loop with the server kept busy, in microseconds.
    CpuAtSaturation,
    /// The highest rate at which the first objective is kept, in messages per second.
    HighestRate,
    /// The 99th percentile of the latency at the rate that is offered to all, in microseconds.
    TailLatency,
    /// The memory that an idle connection adds, in bytes.
    Memory,
    /// The 99th percentile of the latency of good clients beside hostile ones, in microseconds.
    Isolation,
}

/// A figure for every subject that is ranked, and what may be said about it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Column {
    /// What it shows.
    pub figure: Figure,
    /// Under which load: an index into [`Comparison::shapes`](crate::Comparison::shapes); `None` if under none of them.
    pub shape: Option<usize>,
    /// Why it is empty, if it is.
    pub absent: Option<Absent>,
    /// How much two runs of the same subject differ in it.
    pub noise: Noise,
    /// A difference from the reference counts only beyond this part. It is the band of the noise, narrowed because the
    /// reference is the mean of its two runs.
    pub band: f64,
    /// One for each of [`Assessment::ranked`](super::Assessment::ranked), in that order.
    pub cells: Vec<Cell>,
    /// Who has the best value, as an index into [`Comparison::subjects`](crate::Comparison::subjects). Whether it
    /// can be told from the others is what [`equals`](Self::equals) says.
    pub leader: Option<usize>,
    /// Who cannot be told from the leader, as indices into the subjects. The leader alone is best if it is empty.
    pub equals: Vec<usize>,
}

/// Why a column is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Absent {
    /// The highest rate has a meaning only within an objective: `--slo`.
    NeedsSlo,
    /// It takes more time than there is by default: `--full`.
    NeedsFull,
    /// It was not measured, for a reason of its own.
    NotMeasured,
}

/// A subject's figure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cell {
    /// Index into [`Comparison::subjects`](crate::Comparison::subjects).
    pub subject: usize,
    /// Its value in the unit of the figure; `None` if there is none.
    pub level: Option<Estimate>,
    /// Its value over the reference's; `None` for the reference, and without values that can be compared.
    pub ratio: Option<Estimate>,
    /// With which probability equals would differ so much somewhere in this column; `None` where nothing was compared.
    pub p: Option<f64>,
    /// What may be said of it against the reference.
    pub told: Told,
    /// In how many rounds something made one of its measurements doubtful for this figure.
    pub flagged: usize,
    /// In the column [`Figure::Isolation`]: its value over its own without hostile clients.
    pub over_alone: Option<Estimate>,
}

/// What else was measured of a subject in the rounds: a figure, and no verdict. There is none where no round says anything.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Detail {
    /// Index into [`Comparison::subjects`](crate::Comparison::subjects).
    pub subject: usize,
    /// Index into [`Comparison::shapes`](crate::Comparison::shapes).
    pub shape: usize,
    /// What.
    pub metric: Metric,
    /// Its value, in the unit of the metric, of the rounds that have one; `None` if none has.
    pub level: Option<Estimate>,
    /// Why it says nothing about the server, if that is so: [`Why::GeneratorLimited`], [`Why::Overloaded`].
    pub lack: Option<Why>,
    /// In how many rounds it is doubtful.
    pub flagged: usize,
}

impl Figure {
    /// All of them, in the order of the columns.
    pub const ALL: &[Self] = &[
        Self::CpuAtRate,
        Self::CpuAtSaturation,
        Self::HighestRate,
        Self::TailLatency,
        Self::Memory,
        Self::Isolation,
    ];

    /// Whether a larger value is the better one.
    pub fn more_is_better(self) -> bool {
        self == Self::HighestRate
    }
}

/// Under which load, and from what, a figure comes; nothing if that was not measured.
pub(super) fn source(
    comparison: &Comparison,
    figure: Figure,
    ranked: &[usize],
) -> (Option<usize>, Option<Source>) {
    let samples = |shape: Option<usize>, metric| (shape, shape.map(|shape| Source::Samples(shape, metric)));
    let is_open = |shape: &Shape| shape.rate.is_some() && shape.hostile == 0;
    let is_closed = |shape: &Shape| shape.rate.is_none() && shape.hostile == 0;
    match figure {
        Figure::CpuAtRate => samples(main_shape(comparison, ranked, is_open), Metric::Cpu),
        Figure::CpuAtSaturation => samples(main_shape(comparison, ranked, is_closed), Metric::Cpu),
        Figure::TailLatency => samples(main_shape(comparison, ranked, is_open), Metric::TailLatency),
        Figure::Isolation => {
            samples(main_shape(comparison, ranked, |shape| shape.hostile > 0), Metric::TailLatency)
        }
        Figure::HighestRate => (None, (!comparison.probes.is_empty()).then_some(Source::Probes)),
        Figure::Memory => (None, (!comparison.memory.is_empty()).then_some(Source::Memory)),
    }
}

/// Under which load a figure is measured.
pub(super) fn shape_of(comparison: &Comparison, figure: Figure, ranked: &[usize]) -> Option<usize> {
    source(comparison, figure, ranked).0
}

/// Of the loads of a kind the one that most of the ranked ran; of several the one with the most in flight, and of these
/// the first.
fn main_shape(comparison: &Comparison, ranked: &[usize], is: impl Fn(&Shape) -> bool) -> Option<usize> {
    let ran = |shape: usize, subject: usize| {
        comparison.samples.iter().any(|sample| sample.shape == shape && sample.subject == subject)
    };
    let weight = |&index: &usize| {
        let shape = &comparison.shapes[index];
        let runners = ranked.iter().filter(|&&subject| ran(index, subject)).count();
        (runners, shape.hostile, shape.connections.saturating_mul(shape.depth))
    };
    let of_kind = (0..comparison.shapes.len()).filter(|&index| is(&comparison.shapes[index]));
    // Reversed, because the last of equal ones is the maximum.
    of_kind.rev().max_by_key(weight).filter(|index| weight(index).0 > 0)
}

/// Why a figure that comes from nowhere was not measured.
pub(super) fn why_absent(comparison: &Comparison, figure: Figure) -> Absent {
    match figure {
        Figure::HighestRate if comparison.conditions.slos.is_empty() => Absent::NeedsSlo,
        Figure::Isolation if comparison.conditions.tier != "full" => Absent::NeedsFull,
        _ => Absent::NotMeasured,
    }
}
