//! The summary table as plain data: the terminal, the page and the Markdown lay it out.

use super::wording;
use crate::Comparison;
use crate::statistics::former::{Assessment, Metric};

/// The results under one load.
pub(super) struct Summary {
    /// The load.
    pub(super) title: String,
    /// Which metrics have values here.
    pub(super) metrics: Vec<Metric>,
    /// A line for each subject, in the order of the subjects; controls are left out.
    pub(super) lines: Vec<Line>,
}

/// A subject's results.
pub(super) struct Line {
    /// Index into [`Comparison::subjects`].
    pub(super) subject: usize,
    /// Its name.
    pub(super) name: String,
    /// What else is to be known of it: that it is legacy, or the reference.
    pub(super) remark: String,
    /// Why it has no cells, if it was not measured.
    pub(super) absent: Option<Absent>,
    /// One for each of the metrics.
    pub(super) cells: Vec<Cell>,
}

/// Why a subject has no results.
pub(super) struct Absent {
    /// Whether that is its own fault.
    pub(super) is_failure: bool,
    /// Why, in words.
    pub(super) why: String,
}

impl Absent {
    /// What became of the subject.
    pub(super) fn what(&self) -> &'static str {
        if self.is_failure { "FAILED" } else { "not available here" }
    }
}

/// A result.
#[derive(Default)]
pub(super) struct Cell {
    /// The value with its unit; empty if there is none.
    pub(super) value: String,
    /// The ratio to the reference with its interval; empty for the reference.
    pub(super) ratio: String,
    /// What may be said about it; empty for the reference.
    pub(super) verdict: String,
    /// Whether a difference was told.
    pub(super) is_difference: bool,
}

/// The results under each load.
pub(super) fn summaries(comparison: &Comparison, assessment: &Assessment) -> Vec<Summary> {
    (0..comparison.shapes.len()).map(|shape| summary(comparison, assessment, shape)).collect()
}

fn summary(comparison: &Comparison, assessment: &Assessment, shape: usize) -> Summary {
    let assessed = &assessment.shapes[shape];
    let has = |metric: &Metric| assessed.rows.iter().any(|row| row.metric == *metric);
    let metrics: Vec<Metric> = Metric::ALL.into_iter().filter(has).collect();
    let mut lines = Vec::new();
    for (index, subject) in comparison.subjects.iter().enumerate() {
        let within = |list: &[(usize, String)], is_failure| {
            let (_, why) = list.iter().find(|(of, _)| *of == index)?;
            Some(Absent { is_failure, why: why.clone() })
        };
        let absent = within(&assessment.failed, true).or_else(|| within(&assessment.unavailable, false));
        let ran = assessed.rows.iter().any(|row| row.subject == index);
        if subject.control_of.is_some() || (absent.is_none() && !ran) {
            continue;
        }
        let mut remarks = Vec::new();
        if assessed.reference == Some(index) {
            remarks.push("reference");
        }
        if subject.legacy.is_some() {
            remarks.push("legacy");
        }
        let cells = if absent.is_some() {
            Vec::new()
        } else {
            metrics.iter().map(|&metric| cell(assessment, shape, index, metric)).collect()
        };
        let (name, remark) = (subject.name.clone(), remarks.join(", "));
        lines.push(Line { subject: index, name, remark, absent, cells });
    }
    Summary { title: shape_title(comparison, shape), metrics, lines }
}

fn cell(assessment: &Assessment, shape: usize, subject: usize, metric: Metric) -> Cell {
    let Some(row) = assessment.row(shape, subject, metric) else { return Cell::default() };
    let ratio = row.ratio.map(|ratio| match ratio.interval {
        Some(interval) => format!("{} ({})", wording::ratio(ratio.median), wording::interval(interval)),
        None => wording::ratio(ratio.median),
    });
    Cell {
        value: wording::value(metric, row.level.median),
        ratio: ratio.unwrap_or_default(),
        verdict: row.verdict.map(|verdict| wording::verdict(metric, &verdict)).unwrap_or_default(),
        is_difference: row.verdict.is_some_and(|verdict| verdict.is_difference()),
    }
}

/// A load in words.
pub(super) fn shape_title(comparison: &Comparison, shape: usize) -> String {
    let Some(shape) = comparison.shapes.get(shape) else { return String::new() };
    let connections = if shape.connections == 1 { "connection" } else { "connections" };
    let load = format!("{} {connections}", shape.connections);
    match shape.rate {
        Some(rate) => format!("{load} at {}", wording::rate(rate)),
        None if shape.depth == 1 => format!("{load} in a closed loop"),
        None => format!("{load} × {} in flight", shape.depth),
    }
}

/// What a metric's column is called.
pub(super) fn heading(metric: Metric) -> &'static str {
    match metric {
        Metric::Cpu => "CPU/msg",
        Metric::Throughput => "replies",
        Metric::MedianLatency => "p50",
        Metric::TailLatency => "p99",
        Metric::Switches => "switches",
    }
}

/// The bytes of memory that an idle connection of a subject adds: the slope of the least squares.
pub(super) fn bytes_per_connection(comparison: &Comparison, subject: usize) -> Option<(f64, f64)> {
    let points: Vec<(f64, f64)> = comparison
        .memory
        .iter()
        .filter(|sample| sample.subject == subject)
        .map(|sample| (sample.connections as f64, sample.bytes as f64))
        .collect();
    let count = points.len() as f64;
    let (mean_x, mean_y) = (
        points.iter().map(|point| point.0).sum::<f64>() / count,
        points.iter().map(|point| point.1).sum::<f64>() / count,
    );
    let square: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    let product: f64 = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    (square > 0.0).then(|| (product / square, mean_y - product / square * mean_x))
}

/// The highest offered rate of the sweep up to which a subject kept up, and kept its p99 within a limit if
/// there is one.
pub(super) fn sustained(comparison: &Comparison, subject: usize) -> Option<f64> {
    let limit = comparison.conditions.slo.unwrap_or(f64::INFINITY);
    let mut points: Vec<_> = comparison.rate_sweep.iter().filter(|point| point.subject == subject).collect();
    points.sort_by(|one, other| one.offered.total_cmp(&other.offered));
    let kept = points.iter().take_while(|point| !point.overloaded && point.p99 <= limit);
    kept.last().map(|point| point.offered)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemorySample;

    #[test]
    fn the_slope_is_that_of_the_line() {
        let sample = |connections, bytes| MemorySample { connections, bytes, ..MemorySample::default() };
        let mut comparison =
            Comparison { memory: vec![sample(0, 1000), sample(10, 3000)], ..Comparison::default() };
        assert_eq!(bytes_per_connection(&comparison, 0), Some((200.0, 1000.0)));
        assert_eq!(bytes_per_connection(&comparison, 1), None);
        comparison.memory.truncate(1);
        assert_eq!(bytes_per_connection(&comparison, 0), None, "one point has no slope");
    }
}
