//! A table as plain data. The terminal, the Markdown and the page lay it out; none of them computes anything.

use super::names::sentence;

/// A table whose rows are servers.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Table {
    /// What it shows.
    pub(super) title: String,
    /// The columns, without the first, which holds the names.
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Row>,
    /// What must be known to read it, a sentence each.
    pub(super) notes: Vec<String>,
}

/// A column.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Column {
    /// What is measured.
    pub(super) heading: String,
    /// Under which load.
    pub(super) under: String,
    /// Why there are no figures, and which flag brings them: `not measured: --full`.
    pub(super) absent: Option<String>,
}

/// A row.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Row {
    /// A line that sets the rows below it apart.
    Group(String),
    /// A server and its cells, one for each column.
    Figures {
        /// Index into [`crate::Comparison::subjects`].
        subject: usize,
        name: String,
        /// What else there is to know: `reference`, `legacy`.
        remark: String,
        cells: Vec<Cell>,
    },
    /// A server without figures.
    Without {
        /// Index into [`crate::Comparison::subjects`].
        subject: usize,
        name: String,
        /// `FAILED`, `not available here` or `serves one client at a time`.
        what: &'static str,
        is_failure: bool,
        why: String,
    },
}

/// A figure and what may be said about it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Cell {
    /// The figure with its unit; empty if there is none.
    pub(super) figure: String,
    /// What may be said: `better`, `same`, `worse`, `not told`, `reference`; empty if nothing is judged.
    pub(super) word: String,
    /// The evidence, in a few letters: `0.72×`, `within 4 %`, `too noisy`.
    pub(super) evidence: String,
    /// The evidence in full, with the interval.
    pub(super) detail: String,
    pub(super) tone: Tone,
    /// Whether it is the best of its column, or can't be told from the best.
    pub(super) is_best: bool,
}

/// How a cell is coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    Bad,
    /// Nothing can be told.
    Faint,
    #[default]
    Plain,
}

impl Table {
    /// Whether a column has figures.
    pub(super) fn is_filled(&self, column: usize) -> bool {
        self.columns.get(column).is_some_and(|column| column.absent.is_none())
    }

    /// Which columns have no figures, and why, in a sentence; `None` if all have some.
    pub(super) fn absent(&self) -> Option<String> {
        let of = |column: &Column| Some(format!("{} is {}", column.heading, column.absent.as_ref()?));
        sentence(&self.columns.iter().filter_map(of).collect::<Vec<_>>())
    }
}
