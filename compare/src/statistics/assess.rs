//! All that may be said of a comparison.

use serde::Serialize;

use super::column::{Column, Detail, Figure};
use super::estimate::Estimate;
use super::matrix::column;
use super::metric::Metric;
use super::rounds::{Source, control_of, level, why_failed};
use super::told::FEWEST;
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
        columns: Figure::ALL.map(|figure| column(comparison, figure, &ranked, reference)).into(),
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
            for metric in Metric::ALL {
                let series = level(comparison, Source::Samples(shape, metric), subject);
                let level = Estimate::of(&series.logarithms());
                let flagged = series.flagged();
                details.extend(level.map(|level| Detail { subject, shape, metric, level, flagged }));
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
