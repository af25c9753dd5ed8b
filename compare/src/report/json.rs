//! `report.json`: the comparison with every sample, and the verdicts; and the data within the page.

use std::fmt;

use serde::Serialize;
use serde_json::{Value, json};

use super::standing::{Standing, standing};
use super::wording::unit;
use crate::Comparison;
use crate::data::VERSION;
use crate::statistics::metric::percentile;
use crate::statistics::{self, Assessment, Column, Estimate, Figure, Told, Why, assess};

/// Why a file is no report that can be read.
#[derive(Debug)]
pub enum Unreadable {
    /// It is of another version: the one that it has, 0 if it has none.
    Version(u64),
    /// It is no JSON, or not of this form.
    Form(serde_json::Error),
    /// It speaks of a subject or a load that it doesn't have.
    Index {
        /// Where: `samples`, `memory`, say.
        list: &'static str,
        /// The index that leads nowhere.
        index: usize,
    },
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(0) => write!(
                f,
                "it has no version, and version {VERSION} is needed; measure again, or use the anyloop that wrote it"
            ),
            Self::Version(other) => write!(
                f,
                "it is of version {other}, and version {VERSION} is needed; measure again, or use the anyloop that \
                 wrote it"
            ),
            Self::Form(error) => write!(f, "it is no report.json of `compare`: {error}"),
            Self::Index { list, index } => {
                write!(f, "its {list} refer to a subject or a load number {index}, which it doesn't have")
            }
        }
    }
}

impl std::error::Error for Unreadable {}

/// The comparison as JSON: its fields, and `verdicts` of every subject by every figure. JSON has no word for what is not
/// a number (a rate divided by no time, say): it is stored as 0, from which nothing is concluded.
///
/// # Errors
/// If it can't be written as JSON.
pub fn to_json(comparison: &Comparison) -> serde_json::Result<String> {
    #[derive(Serialize)]
    struct Stored {
        #[serde(flatten)]
        comparison: Comparison,
        verdicts: Vec<Verdict>,
    }
    let verdicts = verdicts(comparison, &assess(comparison));
    let comparison = Comparison { version: VERSION, ..finite(comparison) };
    let mut json = serde_json::to_string(&Stored { comparison, verdicts })?;
    json.push('\n');
    Ok(json)
}

/// A comparison that was stored. Its verdicts are not read but concluded again.
///
/// # Errors
/// [`Unreadable`], which says why.
pub fn from_json(json: &str) -> Result<Comparison, Unreadable> {
    let value: Value = serde_json::from_str(json).map_err(Unreadable::Form)?;
    let version = value.get("version").and_then(Value::as_u64).unwrap_or(0);
    if value.get("samples").is_some() && version != u64::from(VERSION) {
        return Err(Unreadable::Version(version));
    }
    let comparison: Comparison = serde_json::from_value(value).map_err(Unreadable::Form)?;
    check(&comparison)?;
    Ok(comparison)
}

/// Whether every index leads to a subject or a load.
fn check(comparison: &Comparison) -> Result<(), Unreadable> {
    let (subjects, shapes) = (comparison.subjects.len(), comparison.shapes.len());
    let highest = |indices: &mut dyn Iterator<Item = usize>| indices.max();
    for (list, index, count) in [
        ("samples", highest(&mut comparison.samples.iter().map(|of| of.subject)), subjects),
        ("samples", highest(&mut comparison.samples.iter().map(|of| of.shape)), shapes),
        ("memory", highest(&mut comparison.memory.iter().map(|of| of.subject)), subjects),
        ("rate sweep", highest(&mut comparison.rate_sweep.iter().map(|of| of.subject)), subjects),
        ("connection sweep", highest(&mut comparison.connection_sweep.iter().map(|of| of.subject)), subjects),
        ("probes", highest(&mut comparison.probes.iter().map(|of| of.subject)), subjects),
    ] {
        if let Some(index) = index.filter(|index| *index >= count) {
            return Err(Unreadable::Index { list, index });
        }
    }
    Ok(())
}

/// The same, with 0 for what is not a number.
fn finite(comparison: &Comparison) -> Comparison {
    let mut finite = comparison.clone();
    for sample in &mut finite.samples {
        let latencies = sample.latency.iter_mut().chain(&mut sample.service).map(|(_, value)| value);
        latencies.for_each(make_finite);
        sample.timeline.iter_mut().for_each(|tick| make_finite(&mut tick.max));
        sample.littles_error = sample.littles_error.filter(|error| error.is_finite());
        let [one, two, three] = [&mut sample.generator_busy, &mut sample.send_lag, &mut sample.steal];
        let costs = [&mut sample.rate, &mut sample.cpu_user, &mut sample.cpu_system, &mut sample.switches];
        [one, two, three].into_iter().chain(costs).for_each(make_finite);
    }
    for point in &mut finite.rate_sweep {
        let values = [&mut point.offered, &mut point.achieved, &mut point.p50, &mut point.p99];
        values.into_iter().chain([&mut point.cpu.0, &mut point.cpu.1]).for_each(make_finite);
    }
    finite.connection_sweep.iter_mut().for_each(|point| make_finite(&mut point.rate));
    finite.probes.iter_mut().for_each(|probe| make_finite(&mut probe.rate));
    finite
}

fn make_finite(value: &mut f64) {
    if !value.is_finite() {
        *value = 0.0;
    }
}

/// What is told of a server by a figure.
#[derive(Debug, Serialize)]
struct Verdict {
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
fn verdicts(comparison: &Comparison, assessment: &Assessment) -> Vec<Verdict> {
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
    let verdict = |cell: &statistics::Cell| Verdict {
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
pub(super) fn page_data(comparison: &Comparison, assessment: &Assessment) -> String {
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
    let data = json!({
        "version": VERSION,
        "subjects": comparison.subjects.iter().map(|subject| &subject.name).collect::<Vec<_>>(),
        "loads": comparison.shapes.iter().map(|shape| &shape.name).collect::<Vec<_>>(),
        "verdicts": verdicts(comparison, assessment),
        "samples": {
            "columns": ["round", "slot", "subject", "load", "replies/s", "own CPU µs", "kernel CPU µs", "switches",
                        "p50 µs", "p99 µs", "flags"],
            "rows": rows,
        },
    });
    // Within a script no escape but JSON's own counts. Without a `<` nothing in it ends or opens anything.
    data.to_string().replace('<', "\\u003c")
}

/// A number with four digits that count.
fn short(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return 0.0;
    }
    let unit = 10_f64.powf(3.0 - value.abs().log10().floor());
    (value * unit).round() / unit
}
