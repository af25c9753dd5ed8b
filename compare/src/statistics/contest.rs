//! Any two subjects against each other.

use super::column::{Told, Why};
use super::estimate::Estimate;
use super::metric::Metric;
use super::rounds::ratios;
use crate::Comparison;

/// A subject's value over another's under a load, and what may be said of it, where these two are all that is
/// compared; `None` if no round has values of both.
pub fn contest(
    comparison: &Comparison,
    shape: usize,
    metric: Metric,
    subject: usize,
    against: usize,
) -> Option<(Estimate, Told)> {
    let rounds = ratios(comparison, shape, metric, subject, against);
    let estimate = Estimate::of(&rounds.iter().map(|round| round.logarithm).collect::<Vec<_>>())?;
    Some((estimate, Told::NotTold(Why::NotMeasured)))
}

/// The same of the geometric mean over several loads: of each round that has values of both under all of them.
pub fn mean_contest(
    _comparison: &Comparison,
    _shapes: &[usize],
    _metric: Metric,
    _subject: usize,
    _against: usize,
) -> Option<(Estimate, Told)> {
    None
}
