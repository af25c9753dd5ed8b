//! `report.json`, which has the comparison with every sample and the verdicts, and the data that the page embeds.

use std::fmt;

use serde::Serialize;
use serde_json::{Value, json};

use super::ranking::{Ranking, ranking};
use super::wording::unit;
use crate::data::VERSION;
use crate::statistics::metric::percentile;
use crate::statistics::{self, Assessment, Column, Estimate, Figure, Verdict, Why, assess};
use crate::{Comparison, Sample};

/// Why a file can't be read as a report.
#[derive(Debug)]
pub enum Unreadable {
    /// It has another version: this one, 0 if it has none.
    Version(u64),
    /// It is not JSON, or has another structure.
    Form(serde_json::Error),
    /// It refers to a subject or a load that it doesn't contain.
    Index {
        /// The list with the reference: `samples`, `memory`.
        list: &'static str,
        /// The index that is out of range.
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
                "it has version {other}, and version {VERSION} is needed; measure again, or use the anyloop that \
                 wrote it"
            ),
            Self::Form(error) => write!(f, "it is not a report.json of `compare`: {error}"),
            Self::Index { list, index } => {
                write!(f, "its {list} refer to subject or load number {index}, which it doesn't contain")
            }
        }
    }
}

impl std::error::Error for Unreadable {}

/// The comparison as JSON: its fields, and `verdicts` with one entry for each subject and figure. JSON has no NaN or
/// infinity (a rate divided by zero time): they are stored as 0, which counts as not measured.
///
/// # Errors
/// If it can't be written as JSON.
pub fn to_json(comparison: &Comparison) -> serde_json::Result<String> {
    #[derive(Serialize)]
    struct Stored {
        #[serde(flatten)]
        comparison: Comparison,
        verdicts: Vec<StoredVerdict>,
    }
    let verdicts = verdicts(comparison, &assess(comparison));
    let comparison = Comparison { version: VERSION, ..finite(comparison) };
    let mut json = serde_json::to_string(&Stored { comparison, verdicts })?;
    json.push('\n');
    Ok(json)
}

/// Reads a stored comparison. Its verdicts are not read but computed again.
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

/// Checks that every index refers to a subject or a load.
fn check(comparison: &Comparison) -> Result<(), Unreadable> {
    let (subjects, shapes) = (comparison.subjects.len(), comparison.shapes.len());
    let mut not_held = comparison.subjects.iter().flat_map(|subject| &subject.not_held);
    let highest = |indices: &mut dyn Iterator<Item = usize>| indices.max();
    for (list, index, count) in [
        ("samples", highest(&mut comparison.samples.iter().map(|of| of.subject)), subjects),
        ("samples", highest(&mut comparison.samples.iter().map(|of| of.shape)), shapes),
        ("subjects", highest(&mut not_held.by_ref().map(|of| of.shape)), shapes),
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

/// The same, with 0 in place of NaN and infinity.
fn finite(comparison: &Comparison) -> Comparison {
    let mut finite = comparison.clone();
    for sample in &mut finite.samples {
        let latencies = sample.latency.iter_mut().chain(&mut sample.service).map(|(_, value)| value);
        latencies.for_each(make_finite);
        sample.timeline.iter_mut().for_each(|tick| make_finite(&mut tick.max));
        sample.littles_error = sample.littles_error.filter(|error| error.is_finite());
        let [one, two, three] = [&mut sample.generator_busy, &mut sample.send_lag, &mut sample.steal];
        if let Some(of) = &mut sample.deliveries {
            let delays = of.delay.iter_mut().map(|(_, value)| value);
            delays.chain([&mut of.rate, &mut of.cpu_user, &mut of.cpu_system]).for_each(make_finite);
        }
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

/// The verdict on a server by one figure, as it is stored.
#[derive(Debug, Serialize)]
struct StoredVerdict {
    column: &'static str,
    subject: String,
    load: Option<String>,
    figure: Option<f64>,
    unit: &'static str,
    interval: Option<[f64; 2]>,
    /// The coverage of the intervals of the figure and of its ratio: 0.95 means that 95 of 100 contain the true value.
    confidence: Option<f64>,
    /// The figure divided by the reference's.
    ratio: Option<f64>,
    ratio_interval: Option<[f64; 2]>,
    /// The probability that equal servers would differ by as much somewhere in this column.
    p: Option<f64>,
    /// Only a larger difference from the reference counts: 0.05 is 5 %.
    band: f64,
    /// `reference`, `better`, `same`, `worse` or `not told`.
    told: &'static str,
    /// With `same`: the largest difference that is not excluded, 0.05 is 5 %.
    #[serde(skip_serializing_if = "Option::is_none")]
    up_to: Option<f64>,
    /// With `not told`: the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<Why>,
    /// Whether it is the best of its column, or can't be told apart from the best; false if that is true of all.
    best: bool,
    /// The number of rounds that are flagged as doubtful.
    flagged: usize,
}

/// The verdicts on every server by every figure that was measured.
fn verdicts(comparison: &Comparison, assessment: &Assessment) -> Vec<StoredVerdict> {
    let measured = assessment.columns.iter().filter(|column| column.absent.is_none());
    measured.flat_map(|column| of_column(comparison, column)).collect()
}

fn of_column(comparison: &Comparison, column: &Column) -> Vec<StoredVerdict> {
    let range = |of: &Estimate| of.interval.map(|of| [of.low, of.high]);
    let load = column.shape.and_then(|shape| comparison.shapes.get(shape)).map(|shape| shape.name.clone());
    let best = match ranking(column) {
        Ranking::Best(best) => best,
        Ranking::AllTied | Ranking::Undecided(_) => Vec::new(),
    };
    let verdict = |cell: &statistics::Cell| StoredVerdict {
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
        told: match cell.verdict {
            Verdict::Reference => "reference",
            Verdict::Better => "better",
            Verdict::Same { .. } => "same",
            Verdict::Worse => "worse",
            Verdict::Undecided(_) => "not told",
        },
        up_to: if let Verdict::Same { up_to } = cell.verdict { Some(up_to) } else { None },
        why: if let Verdict::Undecided(why) = cell.verdict { Some(why) } else { None },
        best: best.contains(&cell.subject),
        flagged: cell.flagged,
    };
    column.cells.iter().map(verdict).collect()
}

/// The name of a column in JSON.
fn key(figure: Figure) -> &'static str {
    match figure {
        Figure::CpuAtRate => "cpu_at_rate",
        Figure::CpuAtSaturation => "cpu_at_saturation",
        Figure::HighestRate => "highest_rate",
        Figure::TailLatency => "p99",
        Figure::Memory => "memory_per_idle_connection",
        Figure::Isolation => "p99_beside_hostile_clients",
        Figure::DeliveryCpu => "cpu_per_delivery",
        Figure::DeliveryDelay => "p99_delivery_delay",
    }
}

/// The data that the page embeds: the verdicts, and a row for each measurement. `report.json` has more; that would make
/// the page too large to send.
pub(super) fn page_data(comparison: &Comparison, assessment: &Assessment) -> String {
    let mut columns = vec![
        "round",
        "slot",
        "subject",
        "load",
        "replies/s",
        "own CPU µs",
        "kernel CPU µs",
        "switches",
        "p50 µs",
        "p99 µs",
        "flags",
    ];
    if comparison.has_subscribers() {
        columns.extend(["CPU per delivery µs", "p99 delivery delay µs", "missed"]);
    }
    let row = |of: &Sample| {
        let [p50, p99] = [50.0, 99.0].map(|rank| percentile(&of.latency, rank).map(short));
        let costs = [of.rate, of.cpu_user, of.cpu_system, of.switches].map(short);
        let flags = of.flags.join("; ");
        let mut row = vec![json!(of.round), json!(of.slot), json!(of.subject), json!(of.shape)];
        row.extend(costs.map(|cost| json!(cost)));
        row.extend([json!(p50), json!(p99), json!(flags)]);
        if let Some(of) = &of.deliveries {
            let delay = percentile(&of.delay, 99.0).map(short);
            row.extend([json!(short(of.cpu_user + of.cpu_system)), json!(delay), json!(of.missed)]);
        }
        row
    };
    let data = json!({
        "version": VERSION,
        "subjects": comparison.subjects.iter().map(|subject| &subject.name).collect::<Vec<_>>(),
        "loads": comparison.shapes.iter().map(|shape| &shape.name).collect::<Vec<_>>(),
        "verdicts": verdicts(comparison, assessment),
        "samples": { "columns": columns, "rows": comparison.samples.iter().map(row).collect::<Vec<_>>() },
    });
    // Inside a script element only JSON's own escapes apply. Without a `<` nothing in it can end the element.
    data.to_string().replace('<', "\\u003c")
}

/// Rounds a number to four significant digits.
fn short(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return 0.0;
    }
    let unit = 10_f64.powf(3.0 - value.abs().log10().floor());
    (value * unit).round() / unit
}
