//! From which load, and from what of it, each figure of the matrix comes.

use super::column::{Absent, Figure};
use super::metric::Metric;
use super::rounds::Source;
use crate::{Comparison, Shape};

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
