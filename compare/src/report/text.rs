//! The comparison for a terminal.

mod layout;

use super::contents::Contents;
use super::table::Table;
use crate::Comparison;
use crate::statistics::assess;
use layout::{lay_out, wrap};

/// How a terminal is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Whether colors may be used.
    pub color: bool,
    /// Whether letters beyond ASCII may be used.
    pub unicode: bool,
    /// How many columns a line has.
    pub width: usize,
    /// Whether every metric is shown under every load, and the conditions.
    pub details: bool,
}

impl Default for Style {
    fn default() -> Self {
        Self { color: false, unicode: false, width: 100, details: false }
    }
}

/// The matrix, the verdict, and what must be known to believe it. Tables are cut into blocks as wide as
/// [`Style::width`]; in a narrow terminal the columns that don't fit follow in a block of their own.
pub fn to_text(comparison: &Comparison, style: Style) -> String {
    let contents = Contents::of(comparison, &assess(comparison));
    let mut text = String::new();
    let mut put = |lines: Vec<String>| {
        for line in lines {
            text.push_str(&line);
            text.push('\n');
        }
    };
    put(wrap(&contents.title, "1", style));
    put(wrap(&contents.subtitle, "", style));
    for warning in &contents.warnings {
        put(wrap(&format!("! {warning}"), "33", style));
    }
    put(vec![String::new()]);
    put(lay_out(&contents.matrix, style));
    for note in contents.matrix.notes.iter().chain(&contents.matrix.absent()) {
        put(wrap(note, "2", style));
    }
    put(vec![String::new()]);
    put(wrap(&contents.sentences.join(" ").replace("**", ""), "", style));
    for table in [&contents.builds, &contents.by_hand].into_iter().flatten() {
        put(vec![String::new()]);
        put(titled(table, style));
    }
    if !contents.objectives.is_empty() {
        put(vec![String::new()]);
        contents.objectives.iter().for_each(|said| put(wrap(&said.replace("**", ""), "", style)));
    }
    if style.details {
        for table in &contents.details {
            put(vec![String::new()]);
            put(titled(table, style));
        }
        put(vec![String::new()]);
        let facts = contents.conditions.iter().map(|(name, value)| format!("{name}: {value}"));
        facts.for_each(|fact| put(wrap(&fact, "", style)));
    }
    text
}

/// A table with its title and notes.
pub(super) fn table_to_text(table: &Table, style: Style) -> String {
    titled(table, style).join("\n") + "\n"
}

fn titled(table: &Table, style: Style) -> Vec<String> {
    let mut lines = wrap(&table.title, "1", style);
    lines.extend(lay_out(table, style));
    lines.extend(table.notes.iter().flat_map(|note| wrap(note, "2", style)));
    lines
}
