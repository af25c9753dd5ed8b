//! The matrix at the beginning of a report, as plain data: a column for each figure, a cell for each subject; and the
//! load of each figure.

use serde::Serialize;

use super::estimate::Estimate;
use super::metric::Metric;
use super::noise::Noise;
use super::rounds::Source;
use super::verdict::{Verdict, Why};
use crate::{Comparison, Shape};

/// The figure that a column shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Figure {
    /// Server CPU time for each message at the rate that is offered to all, in microseconds.
    CpuAtRate,
    /// Server CPU time for each message in a closed loop that saturates the server, in microseconds.
    CpuAtSaturation,
    /// The highest rate at which the objectives are met, in messages per second.
    HighestRate,
    /// The 99th percentile of the latency at the rate that is offered to all, in microseconds.
    TailLatency,
    /// The memory that an idle connection adds, in bytes.
    Memory,
    /// The 99th percentile of the latency of normal clients beside hostile ones, in microseconds.
    Isolation,
    /// Server CPU time for each delivery to a subscriber, in microseconds.
    DeliveryCpu,
    /// The 99th percentile of the time from the sending of a message to its delivery, in microseconds.
    DeliveryDelay,
}

/// A figure for every ranked subject, with verdicts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Column {
    /// The figure.
    pub figure: Figure,
    /// The load, as an index into [`Comparison::shapes`](crate::Comparison::shapes); `None` if it is measured under
    /// none of them.
    pub shape: Option<usize>,
    /// Why it is empty, if it is.
    pub absent: Option<Absent>,
    /// How much two runs of the same subject differ in this figure.
    pub noise: Noise,
    /// Only a larger relative difference from the reference counts: 0.03 is 3 %. It is the band of the noise, narrowed
    /// because the reference is the mean of its two runs.
    pub band: f64,
    /// One for each of [`Assessment::ranked`](super::Assessment::ranked), in that order.
    pub cells: Vec<Cell>,
    /// The subject with the best value, as an index into [`Comparison::subjects`](crate::Comparison::subjects).
    pub leader: Option<usize>,
    /// The subjects that can't be told apart from the leader. If this is empty, the leader alone is best.
    pub tied: Vec<usize>,
}

/// Why a column is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Absent {
    /// The highest rate needs an objective: `--slo`.
    NeedsSlo,
    /// It takes more time than the default tier has: `--full`.
    NeedsFull,
    /// It was not measured, for another reason.
    NotMeasured,
}

/// A subject's figure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cell {
    /// Index into [`Comparison::subjects`](crate::Comparison::subjects).
    pub subject: usize,
    /// Its value in the unit of the figure; `None` if there is none.
    pub level: Option<Estimate>,
    /// Its value divided by the reference's; `None` for the reference, and without values that can be compared.
    pub ratio: Option<Estimate>,
    /// The probability that equal servers would differ by as much somewhere in this column; `None` if nothing was
    /// compared.
    pub p: Option<f64>,
    /// The verdict, compared with the reference.
    pub verdict: Verdict,
    /// The number of rounds in which a measurement is flagged as doubtful for this figure.
    pub flagged: usize,
    /// In the column [`Figure::Isolation`]: its value divided by that without hostile clients.
    pub isolation_ratio: Option<Estimate>,
}

/// A further figure of a subject from the rounds, without a verdict.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Detail {
    /// Index into [`Comparison::subjects`](crate::Comparison::subjects).
    pub subject: usize,
    /// Index into [`Comparison::shapes`](crate::Comparison::shapes).
    pub shape: usize,
    /// The metric.
    pub metric: Metric,
    /// Its value in the unit of the metric, from the rounds that have one; `None` if none has.
    pub level: Option<Estimate>,
    /// Why it says nothing about the server, if so: [`Why::GeneratorLimited`], [`Why::Overloaded`].
    pub why: Option<Why>,
    /// The number of rounds in which it is doubtful.
    pub flagged: usize,
}

impl Figure {
    /// The columns of a comparison without subscribers, in their order.
    pub const USUAL: &[Self] = &[
        Self::CpuAtRate,
        Self::CpuAtSaturation,
        Self::HighestRate,
        Self::TailLatency,
        Self::Memory,
        Self::Isolation,
    ];

    /// The columns of a comparison with subscribers, in their order: each for all of its loads.
    pub const OF_PUSHES: &[Self] = &[Self::DeliveryCpu, Self::DeliveryDelay];

    /// Whether a larger value is the better one.
    pub fn more_is_better(self) -> bool {
        self == Self::HighestRate
    }
}

/// The figures of the matrix, each with its load and source, `None` for what was not measured.
pub(super) fn figures(
    comparison: &Comparison,
    ranked: &[usize],
) -> Vec<(Figure, Option<usize>, Option<Source>)> {
    let with_subscribers: Vec<usize> =
        (0..comparison.shapes.len()).filter(|&shape| comparison.shapes[shape].subscribers > 0).collect();
    if with_subscribers.is_empty() {
        let of_it = |&figure: &Figure| {
            let (shape, source) = source(comparison, figure, ranked);
            (figure, shape, source)
        };
        return Figure::USUAL.iter().map(of_it).collect();
    }
    let was_measured = |shape: usize| {
        comparison.samples.iter().any(|sample| sample.shape == shape && ranked.contains(&sample.subject))
    };
    let of_it = |figure: Figure, shape: usize| {
        let metric = if figure == Figure::DeliveryCpu { Metric::DeliveryCpu } else { Metric::TailDelay };
        (figure, Some(shape), was_measured(shape).then_some(Source::Samples(shape, metric)))
    };
    let pairs = Figure::OF_PUSHES
        .iter()
        .flat_map(|&figure| with_subscribers.iter().map(move |&shape| (figure, shape)));
    pairs.map(|(figure, shape)| of_it(figure, shape)).collect()
}

/// The load and the source of a figure of a comparison without subscribers; `None` for what was not measured.
fn source(comparison: &Comparison, figure: Figure, ranked: &[usize]) -> (Option<usize>, Option<Source>) {
    let samples = |shape: Option<usize>, metric| (shape, shape.map(|shape| Source::Samples(shape, metric)));
    let is_open = |shape: &Shape| shape.rate.is_some() && shape.hostile == 0 && shape.subscribers == 0;
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
        Figure::DeliveryCpu | Figure::DeliveryDelay => (None, None),
    }
}

/// The load of a figure.
pub(super) fn shape_of(comparison: &Comparison, figure: Figure, ranked: &[usize]) -> Option<usize> {
    source(comparison, figure, ranked).0
}

/// Of the loads of a kind, the one with the most ranked subjects; of several, the one with the most messages in flight,
/// and of these the first.
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
    // Reversed, because `max_by_key` returns the last of equal elements.
    of_kind.rev().max_by_key(weight).filter(|index| weight(index).0 > 0)
}

/// Why a figure without a source was not measured.
pub(super) fn why_absent(comparison: &Comparison, figure: Figure) -> Absent {
    match figure {
        Figure::HighestRate if comparison.conditions.slos.is_empty() => Absent::NeedsSlo,
        Figure::Isolation if comparison.conditions.tier != "full" => Absent::NeedsFull,
        _ => Absent::NotMeasured,
    }
}
