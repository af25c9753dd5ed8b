//! The comparison for a terminal.

mod layout;

use unicode_width::UnicodeWidthStr;

use super::contents::{Contents, Table};
use crate::Comparison;
use crate::statistics::assess;
use layout::lay_out;

/// The style of terminal output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Whether colors may be used.
    pub color: bool,
    /// Whether characters beyond ASCII may be used.
    pub unicode: bool,
    /// The width of a line in columns.
    pub width: usize,
    /// Whether to show every metric under every load, and the conditions.
    pub details: bool,
}

impl Default for Style {
    fn default() -> Self {
        Self { color: false, unicode: false, width: 100, details: false }
    }
}

/// The matrix, the verdict, and the notes on them. Tables are at most [`Style::width`] wide; columns that don't fit
/// follow in a further block.
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

/// The minimum width of a line in columns.
const NARROWEST: usize = 40;

/// Wraps a text into lines of the style's width. A word is cut only if it is longer than a line.
fn wrap(text: &str, color: &str, style: Style) -> Vec<String> {
    let width = style.width.max(NARROWEST);
    let mut lines = vec![String::new()];
    // A no-break space doesn't separate words.
    for word in text.split([' ', '\n', '\t']).filter(|word| !word.is_empty()) {
        let word = cut(&clean(word, style), width);
        let last = lines.len() - 1;
        if lines[last].is_empty() {
            lines[last] = word;
        } else if lines[last].width() + 1 + word.width() > width {
            lines.push(word);
        } else {
            lines[last].push(' ');
            lines[last] += &word;
        }
    }
    lines.iter().map(|line| paint(line, color, style)).collect()
}

fn paint(text: &str, color: &str, style: Style) -> String {
    if style.color && !color.is_empty() && !text.is_empty() {
        format!("\x1b[{color}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}

fn pad(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.width())))
}

fn cut(text: &str, width: usize) -> String {
    let mut kept = String::new();
    for character in text.chars() {
        if kept.width() + character.to_string().width() > width {
            break;
        }
        kept.push(character);
    }
    kept
}

/// Removes control characters, and replaces characters beyond ASCII unless the style allows them.
fn clean(text: &str, style: Style) -> String {
    let mut cleaned = String::with_capacity(text.len());
    for character in text.chars().filter(|character| !character.is_control()) {
        match character {
            other if style.unicode || other.is_ascii() => cleaned.push(other),
            'µ' => cleaned.push('u'),
            '×' => cleaned.push('x'),
            '–' | '·' => cleaned.push('-'),
            '∗' => cleaned.push('*'),
            '±' => cleaned.push_str("+-"),
            '≤' => cleaned.push_str("<="),
            '’' => cleaned.push('\''),
            '\u{a0}' => cleaned.push(' '),
            _ => cleaned.push('?'),
        }
    }
    cleaned
}
