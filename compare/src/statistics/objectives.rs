//! Whether the objectives were kept.

use serde::Serialize;

use super::estimate::Estimate;
use crate::Comparison;

/// Whether a subject kept an objective at the rate that is offered to all.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Objective {
    /// The objective, as it was written: `p99=5ms`.
    pub slo: String,
    /// Index into [`Comparison::subjects`].
    pub subject: usize,
    /// Index into [`Comparison::shapes`].
    pub shape: usize,
    /// The latency that it limits, in microseconds; `None` if it is not known.
    pub latency: Option<Estimate>,
    /// Whether it was kept.
    pub kept: Kept,
}

/// Whether an objective was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Kept {
    /// It was.
    Kept,
    /// It was not.
    Missed,
    /// The rounds don't tell.
    Unknown,
}

/// Every objective, for everybody who is ranked.
pub fn objectives(_comparison: &Comparison) -> Vec<Objective> {
    Vec::new()
}
