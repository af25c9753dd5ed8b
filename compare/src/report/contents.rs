//! The contents of the report, as plain data. The terminal, the Markdown and the page only lay it out.

use super::wording::{count, date, kind_of_all, load_in_words, names, sentence, slo};
use super::{details, diff, matrix, sentences, validity};
use crate::Comparison;
use crate::statistics::{Assessment, Objective, SloResult, objectives};

/// The contents of the report.
pub(super) struct Contents {
    pub(super) title: String,
    /// What was measured, where and when, in one line.
    pub(super) subtitle: String,
    /// What the reader must know first, in a few words each.
    pub(super) warnings: Vec<String>,
    pub(super) matrix: Table,
    /// The verdict: at most three sentences.
    pub(super) sentences: Vec<String>,
    /// Whether the objectives were met, a sentence for each.
    pub(super) objectives: Vec<String>,
    /// This build compared with another one.
    pub(super) builds: Option<Table>,
    pub(super) by_hand: Option<Table>,
    pub(super) details: Vec<Table>,
    /// Names and values.
    pub(super) conditions: Vec<(String, String)>,
}

impl Contents {
    pub(super) fn of(comparison: &Comparison, assessment: &Assessment) -> Self {
        let kind = kind_of_all(comparison);
        Self {
            title: format!("Which {kind} suits {}?", comparison.conditions.handler),
            subtitle: subtitle(comparison, assessment),
            warnings: validity::warnings(comparison, assessment),
            matrix: matrix::matrix(comparison, assessment),
            sentences: sentences::sentences(comparison, assessment),
            objectives: objectives_in_words(comparison),
            builds: diff::between_builds(comparison),
            by_hand: details::by_hand(comparison, assessment),
            details: details::details(comparison, assessment),
            conditions: conditions(comparison, assessment),
        }
    }
}

fn subtitle(comparison: &Comparison, assessment: &Assessment) -> String {
    let conditions = &comparison.conditions;
    let message = if conditions.message.is_empty() { &conditions.message_size } else { &conditions.message };
    let cores = conditions
        .machine
        .iter()
        .find(|(name, _)| name == "cores")
        .map(|(_, cores)| format!("{cores} cores"));
    let facts = [
        count(assessment.ranked.len(), kind_of_all(comparison), &format!("{}s", kind_of_all(comparison))),
        count(assessment.rounds, "round", "rounds"),
        message.clone(),
        cores.unwrap_or_default(),
        date(conditions.started),
    ];
    facts.into_iter().filter(|fact| !fact.is_empty()).collect::<Vec<_>>().join(" · ")
}

fn conditions(comparison: &Comparison, assessment: &Assessment) -> Vec<(String, String)> {
    let conditions = &comparison.conditions;
    let slos: Vec<String> = conditions.slos.iter().map(|written| slo(written)).collect();
    let fact = |name: &str, value: String| (name.to_owned(), value);
    let mut facts = vec![
        fact("handler", conditions.handler.clone()),
        fact(
            "messages",
            if conditions.message.is_empty() {
                conditions.message_size.clone()
            } else {
                conditions.message.clone()
            },
        ),
        fact(
            "loads",
            (0..comparison.shapes.len())
                .map(|shape| load_in_words(comparison, shape))
                .collect::<Vec<_>>()
                .join("; "),
        ),
        fact("rounds", format!("{} of {} ({})", assessment.rounds, conditions.rounds, conditions.tier)),
        fact("objectives", slos.join(", ")),
        fact(
            "replies",
            if conditions.unverified { "counted, not verified" } else { "verified, each of them" }.to_owned(),
        ),
        fact("pinned", validity::pinned(comparison).unwrap_or_else(|| "no".to_owned())),
        fact("begun", date(conditions.started)),
        fact("took", format!("{:.0} s", conditions.seconds)),
        fact("seed", conditions.seed.to_string()),
    ];
    facts.extend(conditions.machine.iter().cloned());
    facts.extend(conditions.facts.iter().cloned());
    facts.retain(|(_, value)| !value.is_empty());
    facts
}

/// For each objective, the servers that met it, those that missed it, and those for which it is unknown.
fn objectives_in_words(comparison: &Comparison) -> Vec<String> {
    let mut grouped: Vec<(String, Vec<Objective>)> = Vec::new();
    for objective in objectives(comparison) {
        match grouped.iter_mut().find(|(slo, of)| *slo == objective.slo && of[0].shape == objective.shape) {
            Some((_, of)) => of.push(objective),
            None => grouped.push((objective.slo.clone(), vec![objective])),
        }
    }
    let in_words = |(written, of): (String, Vec<Objective>)| {
        let load = load_in_words(comparison, of[0].shape);
        let who = |result: SloResult, verb: &str| {
            let subjects: Vec<usize> = of
                .iter()
                .filter(|objective| objective.result == result)
                .map(|objective| objective.subject)
                .collect();
            (!subjects.is_empty()).then(|| format!("{verb} {}", names(comparison, &subjects)))
        };
        let parts = [
            who(SloResult::Met, "met by"),
            who(SloResult::Missed, "missed by"),
            who(SloResult::Unknown, "unknown for"),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        format!("{} with {load}: {}.", slo(&written), parts.join(", "))
    };
    grouped.into_iter().map(in_words).collect()
}

/// A table whose rows are servers.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Table {
    /// What it shows.
    pub(super) title: String,
    /// The columns, except for the first, which has the names.
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Row>,
    /// How to read it, a sentence each.
    pub(super) notes: Vec<String>,
}

/// A column.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Column {
    /// What is measured.
    pub(super) heading: String,
    /// The load.
    pub(super) under: String,
    /// Why there are no figures, and which flag adds them: `not measured without --full`.
    pub(super) absent: Option<String>,
}

/// A row.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Row {
    /// A heading of the rows below it.
    Group(String),
    /// A server and its cells, one for each column.
    Figures {
        /// Index into [`crate::Comparison::subjects`].
        subject: usize,
        name: String,
        /// Further facts: `reference`, `legacy`.
        remark: String,
        cells: Vec<Cell>,
    },
    /// A server without figures.
    NoFigures {
        /// Index into [`crate::Comparison::subjects`].
        subject: usize,
        name: String,
        /// `FAILED`, `not available here` or `serves one client at a time`.
        what: &'static str,
        is_failure: bool,
        why: String,
    },
}

/// A figure and its verdict.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Cell {
    /// The figure with its unit; empty if there is none.
    pub(super) figure: String,
    /// The verdict: `better`, `same`, `worse`, `no verdict`, `reference`; empty if there is none.
    pub(super) word: String,
    /// The evidence, in short: `0.72×`, `within 4 %`, `too noisy`.
    pub(super) evidence: String,
    /// The evidence in full, with the interval.
    pub(super) detail: String,
    pub(super) tone: Tone,
    /// Whether it is the best of its column, or can't be told apart from the best.
    pub(super) is_best: bool,
}

/// The color of a cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    Bad,
    /// There is no verdict.
    Faint,
    #[default]
    Plain,
}

impl Table {
    /// Whether a column has figures.
    pub(super) fn is_filled(&self, column: usize) -> bool {
        self.columns.get(column).is_some_and(|column| column.absent.is_none())
    }

    /// A sentence that says which columns have no figures, and why; `None` if all have some.
    pub(super) fn absent(&self) -> Option<String> {
        let of = |column: &Column| Some(format!("{} is {}", column.heading, column.absent.as_ref()?));
        sentence(&self.columns.iter().filter_map(of).collect::<Vec<_>>())
    }
}
