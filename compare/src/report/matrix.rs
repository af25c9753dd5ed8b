//! The matrix: a row for each server, a column for each figure that has verdicts.

use super::contents::{Cell, Column, Row, Table, Tone};
use super::pushes;
use super::ranking::{Ranking, notes, ranking, why_in_short};
use super::wording::{
    self, count, interval, load_in_words, name, percent, rate, ratio, remark, subscribers, title,
};
use crate::statistics::rounds::levels;
use crate::statistics::{
    self, Absent, Assessment, Estimate, Figure, Metric, Verdict, Why, builds, compare_pair,
};
use crate::{Comparison, Kind, Shape};

/// The matrix. Other builds and handwritten servers follow below the ranked servers, each under a heading; then the
/// servers that failed or can't run on this machine.
pub(super) fn matrix(comparison: &Comparison, assessment: &Assessment) -> Table {
    let columns = assessment.columns.iter().map(|of| column(comparison, of)).collect();
    let is_measured_elsewhere =
        |subject: usize| measured_elsewhere(comparison, assessment, subject).is_some();
    let here = assessment.ranked.iter().filter(|of| !is_measured_elsewhere(**of));
    let mut rows: Vec<Row> = here.map(|&of| ranked_row(comparison, assessment, of)).collect();
    let is_of = |subject: usize, is: fn(&Kind) -> bool| {
        let of = &comparison.subjects[subject];
        let absent =
            assessment.failed.iter().chain(&assessment.unavailable).any(|(other, _)| *other == subject);
        is(&of.kind) && of.control_of.is_none() && !absent
    };
    let mut apart = |title: &str, is: fn(&Kind) -> bool, against: &dyn Fn(usize) -> Option<usize>| {
        let mut of_it: Vec<usize> =
            (0..comparison.subjects.len()).filter(|&subject| is_of(subject, is)).collect();
        of_it.sort_by_key(|&subject| against(subject));
        if !of_it.is_empty() {
            rows.push(Row::Group(title.to_owned()));
            rows.extend(
                of_it.iter().map(|&subject| unranked_row(comparison, assessment, subject, against(subject))),
            );
        }
    };
    apart(
        "the other build, each compared with the same backend of this build",
        |kind| matches!(kind, Kind::Build { .. }),
        &|subject| match &comparison.subjects[subject].kind {
            Kind::Build { of } => comparison.subjects.iter().position(|subject| subject.name == *of),
            _ => None,
        },
    );
    apart(
        "handwritten, without limits and deadlines; not ranked",
        |kind| matches!(kind, Kind::Handwritten { .. }),
        &|_| assessment.reference,
    );
    rows.extend(assessment.ranked.iter().filter_map(|&of| measured_elsewhere(comparison, assessment, of)));
    rows.extend(without(comparison, assessment));
    let title = "The figures that decide".to_owned();
    Table { title, columns, rows, notes: notes(comparison, assessment) }
}

/// The row of a server that can't hold the connections of the matrix's loads and was measured only under another load,
/// or under none; `None` for other servers.
fn measured_elsewhere(comparison: &Comparison, assessment: &Assessment, subject: usize) -> Option<Row> {
    let has_figure = |column: &statistics::Column| {
        column.cells.iter().any(|cell| cell.subject == subject && cell.level.is_some())
    };
    if comparison.has_subscribers() {
        let row = pushes::row_of_no_figures(comparison, subject)?;
        return (!assessment.columns.iter().any(has_figure)).then_some(row);
    }
    let is_under = |shape: usize| assessment.columns.iter().any(|column| column.shape == Some(shape));
    let ran = |shape: &usize| assessment.details.iter().any(|of| of.subject == subject && of.shape == *shape);
    let shape = (0..comparison.shapes.len()).filter(ran).find(|&shape| !is_under(shape))?;
    let is_single = comparison.shapes[shape].connections == 1;
    (!assessment.columns.iter().any(has_figure)).then(|| Row::NoFigures {
        subject,
        name: comparison.subjects[subject].name.clone(),
        what: if is_single { "serves one client at a time" } else { "holds fewer connections" },
        is_failure: false,
        why: format!("see {}", load_in_words(comparison, shape)),
    })
}

/// Rows of the servers that failed or can't run on this machine.
pub(super) fn without(comparison: &Comparison, assessment: &Assessment) -> Vec<Row> {
    let row = |of: &(usize, String), is_failure: bool| Row::NoFigures {
        subject: of.0,
        name: comparison.subjects[of.0].name.clone(),
        what: if is_failure { "FAILED" } else { "not available here" },
        is_failure,
        why: of.1.clone(),
    };
    let failed = assessment.failed.iter().map(|of| row(of, true));
    failed.chain(assessment.unavailable.iter().map(|of| row(of, false))).collect()
}

fn column(comparison: &Comparison, column: &statistics::Column) -> Column {
    let shape = column.shape.and_then(|shape| comparison.shapes.get(shape));
    let at =
        shape.and_then(|shape| shape.rate).map_or(String::new(), |offered| format!("at {}", rate(offered)));
    let connections = |shape: &Shape| count(shape.connections, "connection", "connections");
    let under = match column.figure {
        Figure::CpuAtRate => {
            shape.map_or(String::new(), |shape| format!("{at}, {}", unbroken(&connections(shape))))
        }
        Figure::CpuAtSaturation => shape.map_or(String::new(), |shape| {
            unbroken(&format!("{} × {} in flight", shape.connections, shape.depth))
        }),
        Figure::HighestRate => comparison
            .conditions
            .slos
            .first()
            .map_or(String::new(), |slo| format!("with {}", wording::slo(slo))),
        Figure::TailLatency => at,
        Figure::Memory => "per idle connection".to_owned(),
        Figure::Isolation => shape.map_or(String::new(), |shape| format!("{at}, {} hostile", shape.hostile)),
        Figure::DeliveryCpu | Figure::DeliveryDelay => shape
            .map_or(String::new(), |shape| format!("to {}, {at}", unbroken(&subscribers(shape.subscribers)))),
    };
    let absent = column.absent.map(|why| {
        let why = match why {
            Absent::NeedsSlo => "not measured without --slo",
            Absent::NeedsFull => "not measured without --full",
            Absent::NotMeasured => "not measured",
        };
        why.to_owned()
    });
    Column { heading: title(column.figure).to_owned(), under, absent }
}

/// With no-break spaces.
fn unbroken(text: &str) -> String {
    text.replace(' ', "\u{a0}")
}

fn ranked_row(comparison: &Comparison, assessment: &Assessment, subject: usize) -> Row {
    let cells = assessment.columns.iter().map(|column| {
        let Some(of) = column.cells.iter().find(|cell| cell.subject == subject) else {
            return Cell::default();
        };
        let against = assessment.reference.map(|reference| name(comparison, reference));
        let cell = cell(column.figure, of.level.as_ref(), of.ratio.as_ref(), &of.verdict, against);
        let once = matches!(of.verdict, Verdict::Reference) && column.cells.iter().any(is_from_one_pass);
        let figure = if once { about(&cell.figure) } else { cell.figure };
        Cell { is_best: best(column).contains(&subject), figure, ..cell }
    });
    Row::Figures {
        subject,
        name: comparison.subjects[subject].name.clone(),
        remark: remark(comparison, assessment, subject),
        cells: cells.collect(),
    }
}

/// The best of a column; empty if there is no verdict, or if no server can be told apart from the best.
fn best(column: &statistics::Column) -> Vec<usize> {
    match ranking(column) {
        Ranking::Best(best) => best,
        Ranking::AllTied | Ranking::Undecided(_) => Vec::new(),
    }
}

fn is_from_one_pass(cell: &statistics::Cell) -> bool {
    matches!(cell.verdict, Verdict::Undecided(Why::OnePass))
}

/// A figure whose uncertainty is unknown.
fn about(figure: &str) -> String {
    format!("about\u{a0}{figure}")
}

/// The row of a server that is not ranked, but compared with another one.
fn unranked_row(
    comparison: &Comparison,
    assessment: &Assessment,
    subject: usize,
    against: Option<usize>,
) -> Row {
    let cells = assessment.columns.iter().map(|column| {
        let metric = match column.figure {
            Figure::CpuAtRate | Figure::CpuAtSaturation => Metric::Cpu,
            Figure::TailLatency | Figure::Isolation => Metric::TailLatency,
            Figure::DeliveryCpu => Metric::DeliveryCpu,
            Figure::DeliveryDelay => Metric::TailDelay,
            Figure::HighestRate | Figure::Memory => return Cell::default(),
        };
        let Some(shape) = column.shape else { return Cell::default() };
        let rounds = levels(comparison, shape, metric, subject);
        let level = Estimate::of(&rounds.iter().map(|round| round.logarithm).collect::<Vec<_>>());
        let pair = other_build(comparison, shape, metric, subject)
            .or_else(|| compare_pair(comparison, shape, metric, subject, against?));
        let verdict = pair.map_or(Verdict::Undecided(Why::NotMeasured), |(_, verdict)| verdict);
        let against = against.map(|against| name(comparison, against));
        cell(column.figure, level.as_ref(), pair.as_ref().map(|(ratio, _)| ratio), &verdict, against)
    });
    Row::Figures {
        subject,
        name: comparison.subjects[subject].name.clone(),
        remark: String::new(),
        cells: cells.collect(),
    }
}

/// The verdict on another build compared with this one. It is the reverse of the verdict on this build, so that both
/// agree.
fn other_build(
    comparison: &Comparison,
    shape: usize,
    metric: Metric,
    subject: usize,
) -> Option<(Estimate, Verdict)> {
    // Per delivery or per message, it is the same CPU time of the same work.
    if !matches!(metric, Metric::Cpu | Metric::DeliveryCpu) {
        return None;
    }
    let build =
        builds(comparison).into_iter().find(|build| build.other == subject && build.shape == shape)?;
    Some((build.ratio?.inverse(), build.verdict.reversed()))
}

fn cell(
    figure: Figure,
    level: Option<&Estimate>,
    times: Option<&Estimate>,
    verdict: &Verdict,
    against: Option<String>,
) -> Cell {
    if matches!(verdict, Verdict::Undecided(Why::GeneratorLimited)) {
        return not_measured();
    }
    let Some(level) = level else {
        let overloaded = matches!(verdict, Verdict::Undecided(Why::Overloaded));
        let word = if overloaded { "overloaded" } else { "not measured" }.to_owned();
        return Cell { word, tone: Tone::Faint, ..Cell::default() };
    };
    let times_in_short = times.map_or(String::new(), |times| ratio(times.median));
    let (word, tone) = word_and_tone(verdict);
    let evidence = match verdict {
        Verdict::Reference => String::new(),
        Verdict::Better | Verdict::Worse => times_in_short,
        Verdict::Same { up_to } => format!("within\u{a0}{}", percent(*up_to)),
        Verdict::Undecided(why) => format!("({})", why_in_short(*why)),
    };
    let value = wording::figure(figure, level.median);
    let value = if matches!(verdict, Verdict::Undecided(Why::OnePass)) { about(&value) } else { value };
    let mut detail = value.clone();
    let range = |of: &Estimate, write: &dyn Fn(f64) -> String| {
        of.interval.map(|of| format!(" ({} to {})", write(of.low), write(of.high))).unwrap_or_default()
    };
    detail += &range(level, &|value| wording::figure(figure, value));
    if let (Some(times), Some(against)) = (times, against) {
        let within = times.interval.map(|of| format!(" ({})", interval(of))).unwrap_or_default();
        detail += &format!("; {} of {}'s{within}", ratio(times.median), against.replace("**", ""));
    }
    Cell { figure: value, word: word.to_owned(), evidence, detail, tone, is_best: false }
}

/// The cell of a figure for which the generator was the bottleneck.
pub(super) fn not_measured() -> Cell {
    let (word, evidence) = ("not measured".to_owned(), format!("({})", why_in_short(Why::GeneratorLimited)));
    let detail = "the load generator was the bottleneck: this says nothing about the server".to_owned();
    Cell { word, evidence, detail, tone: Tone::Faint, ..Cell::default() }
}

/// A verdict as a word and a color.
pub(super) fn word_and_tone(verdict: &Verdict) -> (&'static str, Tone) {
    match verdict {
        Verdict::Reference => ("reference", Tone::Plain),
        Verdict::Better => ("better", Tone::Good),
        Verdict::Worse => ("worse", Tone::Bad),
        Verdict::Same { .. } => ("same", Tone::Plain),
        Verdict::Undecided(_) => ("no verdict", Tone::Faint),
    }
}
