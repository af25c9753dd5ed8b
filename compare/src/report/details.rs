//! The tables below the first screen: one for each load, with all metrics, and the cost compared with handwritten
//! servers.

use super::contents::{Cell, Column, Row, Table, Tone};
use super::matrix::{not_measured, without};
use super::wording::{count, interval, list, load_in_words, percent, ratio, remark, value};
use crate::statistics::{
    Assessment, Detail, Estimate, Metric, Verdict, Why, compare_pair, compare_pair_mean,
};
use crate::{Care, Comparison, Kind};

/// A table for each load that was measured.
pub(super) fn details(comparison: &Comparison, assessment: &Assessment) -> Vec<Table> {
    (0..comparison.shapes.len()).filter_map(|shape| detail(comparison, assessment, shape)).collect()
}

fn detail(comparison: &Comparison, assessment: &Assessment, shape: usize) -> Option<Table> {
    let of_shape: Vec<_> = assessment.details.iter().filter(|detail| detail.shape == shape).collect();
    let has = |metric: &Metric| of_shape.iter().any(|detail| detail.metric == *metric);
    let metrics: Vec<Metric> = Metric::ALL.iter().copied().filter(has).collect();
    if metrics.is_empty() {
        return None;
    }
    let cell = |subject: usize, metric: Metric| {
        let detail = of_shape.iter().find(|detail| detail.subject == subject && detail.metric == metric)?;
        Some(figure(detail, assessment.rounds))
    };
    let ran = |subject: &&usize| of_shape.iter().any(|detail| detail.subject == **subject);
    let row = |&subject: &usize| Row::Figures {
        subject,
        name: comparison.subjects[subject].name.clone(),
        remark: remark(comparison, assessment, subject),
        cells: metrics.iter().map(|&metric| cell(subject, metric).unwrap_or_default()).collect(),
    };
    let mut rows: Vec<Row> = assessment.ranked.iter().filter(ran).map(row).collect();
    rows.extend(without(comparison, assessment));
    let column = |&metric: &Metric| Column { heading: heading(metric).to_owned(), ..Column::default() };
    Some(Table {
        title: load_in_words(comparison, shape),
        columns: metrics.iter().map(column).collect(),
        rows,
        notes: notes(comparison, assessment, shape, &metrics),
    })
}

/// A figure with its interval, which takes at least six rounds. If it has fewer, and some rounds have no figure, the
/// cell says how many have one.
fn figure(detail: &Detail, rounds: usize) -> Cell {
    if detail.why == Some(Why::GeneratorLimited) {
        return not_measured();
    }
    let Some(level) = detail.level else {
        return Cell { word: "overloaded".to_owned(), tone: Tone::Faint, ..Cell::default() };
    };
    let in_words = |number| value(detail.metric, number);
    let evidence = match level.interval_95() {
        Some(range) => format!("({} to {})", in_words(range.low), in_words(range.high)),
        None if level.rounds == rounds => String::new(),
        None => format!("({} of {})", level.rounds, count(rounds, "round", "rounds")),
    };
    Cell { figure: in_words(level.median), evidence, ..Cell::default() }
}

/// A note on the latencies of a closed loop, and how many rounds are flagged.
fn notes(comparison: &Comparison, assessment: &Assessment, shape: usize, metrics: &[Metric]) -> Vec<String> {
    let mut notes = Vec::new();
    let has_latency = metrics.iter().any(|of| matches!(of, Metric::MedianLatency | Metric::TailLatency));
    if comparison.shapes[shape].rate.is_none() && has_latency {
        notes.push(
            "In a closed loop nothing is sent while a server stalls, so its latencies hide most of the stall."
                .to_owned(),
        );
    }
    let most = |metric: &Metric| {
        let of_it = assessment.details.iter().filter(|of| of.shape == shape && of.metric == *metric);
        of_it.map(|of| of.flagged).max().filter(|most| *most > 0)
    };
    let mut flagged: Vec<(usize, Vec<String>)> = Vec::new();
    for metric in metrics {
        let Some(rounds) = most(metric) else { continue };
        match flagged.iter_mut().find(|(others, _)| *others == rounds) {
            Some((_, metrics)) => metrics.push(heading(*metric).to_owned()),
            None => flagged.push((rounds, vec![heading(*metric).to_owned()])),
        }
    }
    let flagged: Vec<String> =
        flagged.iter().map(|(rounds, metrics)| format!("at most {rounds} for {}", list(metrics))).collect();
    if !flagged.is_empty() {
        let rounds = count(assessment.rounds, "round", "rounds");
        notes.push(format!("Flagged as doubtful, of the {rounds} of each server: {}.", flagged.join("; ")));
    }
    notes
}

/// The heading of a metric's column.
fn heading(metric: Metric) -> &'static str {
    match metric {
        Metric::Cpu => "CPU per message",
        Metric::Throughput => "replies",
        Metric::MedianLatency => "p50 latency",
        Metric::TailLatency => "p99 latency",
        Metric::Switches => "context switches per message",
        Metric::DeliveryCpu => "CPU per delivery",
        Metric::MedianDelay => "p50 delay",
        Metric::TailDelay => "p99 delay",
    }
}

/// The cost of the backends divided by that of the handwritten servers; `None` if none of these was measured.
pub(super) fn by_hand(comparison: &Comparison, assessment: &Assessment) -> Option<Table> {
    let has_cpu = |shape: &usize| {
        let mut details = assessment.details.iter();
        details.any(|detail| detail.shape == *shape && detail.metric == Metric::Cpu)
            && comparison.shapes[*shape].hostile == 0
    };
    let shapes: Vec<usize> = (0..comparison.shapes.len()).filter(has_cpu).collect();
    let closed: Vec<usize> =
        shapes.iter().copied().filter(|&shape| comparison.shapes[shape].rate.is_none()).collect();
    let mut rows = Vec::new();
    for (care, title) in [
        (Care::Careful, "compared with the careful server on the same runtime, or with the one for all"),
        (Care::Plain, "compared with the plain server on the same runtime, as tutorials write it"),
        (Care::Raw, "compared with the raw loop, which sends bytes back without parsing them"),
    ] {
        let of_it: Vec<Row> = assessment
            .ranked
            .iter()
            .filter_map(|&subject| {
                let against = counterpart(comparison, assessment, subject, care)?;
                let mut cells: Vec<Cell> = shapes
                    .iter()
                    .map(|&shape| cell(compare_pair(comparison, shape, Metric::Cpu, subject, against)))
                    .collect();
                if closed.len() > 1 {
                    cells.push(cell(compare_pair_mean(comparison, &closed, Metric::Cpu, subject, against)));
                }
                let name = comparison.subjects[subject].name.clone();
                let has_any = cells.iter().any(|cell| !cell.figure.is_empty());
                has_any.then(|| Row::Figures { subject, name, remark: String::new(), cells })
            })
            .collect();
        if !of_it.is_empty() {
            rows.push(Row::Group(title.to_owned()));
            rows.extend(of_it);
        }
    }
    if rows.is_empty() {
        return None;
    }
    let column = |&shape: &usize| Column { heading: load_in_words(comparison, shape), ..Column::default() };
    let mut columns: Vec<Column> = shapes.iter().map(column).collect();
    if closed.len() > 1 {
        columns.push(Column { heading: "mean of the closed loops".to_owned(), ..Column::default() });
    }
    let notes = vec![
        "Each figure is the server CPU per message of the backend divided by that of the other: below 1× the backend \
         uses less. Each pair is tested by itself, by the same statistics as in the first table; the mean is geometric."
            .to_owned(),
    ];
    Some(Table {
        title: "Server CPU per message, compared with handwritten servers".to_owned(),
        columns,
        rows,
        notes,
    })
}

/// The handwritten counterpart of a backend: the one on the same runtime, or the one that is the counterpart of all.
fn counterpart(
    comparison: &Comparison,
    assessment: &Assessment,
    subject: usize,
    care: Care,
) -> Option<usize> {
    let name = &comparison.subjects[subject].name;
    let is_it = |index: &usize| match &comparison.subjects[*index].kind {
        Kind::Handwritten { of, care: taken } => *taken == care && of.as_ref().is_none_or(|of| of == name),
        _ => false,
    };
    let is_measured = |index: &usize| {
        let mut absent = assessment.failed.iter().chain(&assessment.unavailable);
        absent.all(|(other, _)| other != index) && comparison.subjects[*index].control_of.is_none()
    };
    (0..comparison.subjects.len()).filter(is_it).find(is_measured)
}

fn cell(pair: Option<(Estimate, Verdict)>) -> Cell {
    let Some((times, verdict)) = pair else { return Cell::default() };
    let (word, tone) = match verdict {
        Verdict::Better => ("less".to_owned(), Tone::Good),
        Verdict::Worse => ("more".to_owned(), Tone::Bad),
        Verdict::Same { up_to } => (format!("same, within {}", percent(up_to)), Tone::Plain),
        Verdict::Reference | Verdict::Undecided(_) => ("no verdict".to_owned(), Tone::Faint),
    };
    let evidence = times.interval.map(|of| format!("({})", interval(of))).unwrap_or_default();
    Cell { figure: ratio(times.median), word, evidence, tone, ..Cell::default() }
}
