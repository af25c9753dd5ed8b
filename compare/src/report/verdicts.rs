//! What is told, as data for programs: `verdicts` of `report.json`, and the data within the page.

use serde::Serialize;
use serde_json::{Value, json};

use super::standing::{Standing, standing};
use super::wording::unit;
use crate::Comparison;
use crate::statistics::metric::percentile;
use crate::statistics::{Assessment, Column, Estimate, Figure, Told, Why};

/// What is told of a server by a figure.
#[derive(Debug, Serialize)]
pub(super) struct Verdict {
    column: &'static str,
    subject: String,
    load: Option<String>,
    figure: Option<f64>,
    unit: &'static str,
    interval: Option<[f64; 2]>,
    /// In which share of comparisons such intervals hold the truth, of this figure and of its ratio.
    confidence: Option<f64>,
    /// To the reference.
    ratio: Option<f64>,
    ratio_interval: Option<[f64; 2]>,
    /// With which probability equals would differ so much somewhere in this column.
    p: Option<f64>,
    /// A difference from the reference counts only beyond this part: 0.05 for 5 %.
    band: f64,
    /// `reference`, `better`, `same`, `worse` or `not told`.
    told: &'static str,
    /// With `same`: the largest difference that could be there unseen, 0.05 for 5 %.
    #[serde(skip_serializing_if = "Option::is_none")]
    up_to: Option<f64>,
    /// With `not told`: why.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<Why>,
    /// Whether it is the best of its column, or can't be told from the best; never where all are alike.
    best: bool,
    /// In how many rounds it is flagged as doubtful.
    flagged: usize,
}

/// What is told of every server by every figure that was measured.
pub(super) fn verdicts(comparison: &Comparison, assessment: &Assessment) -> Vec<Verdict> {
    let measured = assessment.columns.iter().filter(|column| column.absent.is_none());
    measured.flat_map(|column| of_column(comparison, column)).collect()
}

fn of_column(comparison: &Comparison, column: &Column) -> Vec<Verdict> {
    let range = |of: &Estimate| of.interval.map(|of| [of.low, of.high]);
    let load = column.shape.and_then(|shape| comparison.shapes.get(shape)).map(|shape| shape.name.clone());
    let best = match standing(column) {
        Standing::Best(best) => best,
        Standing::Equal | Standing::Open(_) => Vec::new(),
    };
    let verdict = |cell: &crate::statistics::Cell| Verdict {
        column: key(column.figure),
        subject: comparison.subjects.get(cell.subject).map_or(String::new(), |subject| subject.name.clone()),
        load: load.clone(),
        figure: cell.level.map(|level| level.median),
        unit: unit(column.figure),
        interval: cell.level.as_ref().and_then(range),
        confidence: cell.ratio.or(cell.level).filter(|of| of.interval.is_some()).map(|of| of.confidence),
        ratio: cell.ratio.map(|ratio| ratio.median),
        ratio_interval: cell.ratio.as_ref().and_then(range),
        p: cell.p,
        band: column.band,
        told: match cell.told {
            Told::Reference => "reference",
            Told::Better => "better",
            Told::Same { .. } => "same",
            Told::Worse => "worse",
            Told::NotTold(_) => "not told",
        },
        up_to: if let Told::Same { up_to } = cell.told { Some(up_to) } else { None },
        why: if let Told::NotTold(why) = cell.told { Some(why) } else { None },
        best: best.contains(&cell.subject),
        flagged: cell.flagged,
    };
    column.cells.iter().map(verdict).collect()
}

/// What a column is called in JSON.
fn key(figure: Figure) -> &'static str {
    match figure {
        Figure::CpuAtRate => "cpu_at_rate",
        Figure::CpuAtSaturation => "cpu_at_saturation",
        Figure::HighestRate => "highest_rate",
        Figure::TailLatency => "p99",
        Figure::Memory => "memory_per_idle_connection",
        Figure::Isolation => "p99_beside_hostile_clients",
    }
}

/// The data within the page: the verdicts, and a row for each measurement. `report.json` has more, which would make the
/// page too large to be sent on.
pub(super) fn page_data(comparison: &Comparison, assessment: &Assessment) -> Value {
    let rows: Vec<Value> = comparison
        .samples
        .iter()
        .map(|of| {
            let [p50, p99] = [50.0, 99.0].map(|rank| percentile(&of.latency, rank).map(short));
            let costs = [of.rate, of.cpu_user, of.cpu_system, of.switches].map(short);
            let flags = of.flags.join("; ");
            json!([
                of.round, of.slot, of.subject, of.shape, costs[0], costs[1], costs[2], costs[3], p50, p99,
                flags
            ])
        })
        .collect();
    json!({
        "version": crate::data::VERSION,
        "subjects": comparison.subjects.iter().map(|subject| &subject.name).collect::<Vec<_>>(),
        "loads": comparison.shapes.iter().map(|shape| &shape.name).collect::<Vec<_>>(),
        "verdicts": verdicts(comparison, assessment),
        "samples": {
            "columns": ["round", "slot", "subject", "load", "replies/s", "own CPU µs", "kernel CPU µs", "switches",
                        "p50 µs", "p99 µs", "flags"],
            "rows": rows,
        },
    })
}

/// A number with four digits that count.
fn short(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return 0.0;
    }
    let unit = 10_f64.powf(3.0 - value.abs().log10().floor());
    (value * unit).round() / unit
}
