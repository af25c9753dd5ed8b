//! The comparison for a terminal: at most a hundred columns.

use super::by_hand::{self, Figures};
use super::conclusion::sentences;
use super::summary::{Line, Summary, heading, summaries};
use crate::Comparison;
use crate::statistics::former::assess;

/// How a terminal is written to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Whether colours may be used: it is a terminal, and `NO_COLOR` is not set.
    pub colour: bool,
    /// Whether letters beyond ASCII may be used.
    pub unicode: bool,
}

/// So many columns at the most.
const WIDTH: usize = 100;

/// The verdict and a table for each load.
pub fn to_table(comparison: &Comparison, style: Style) -> String {
    let assessment = assess(comparison);
    let mut text = String::new();
    for summary in summaries(comparison, &assessment) {
        for line in layout(&summary, style) {
            text.push_str(&paint(&line, style));
            text.push('\n');
        }
        text.push('\n');
    }
    if let Some(figures) = by_hand::figures(comparison) {
        for line in costs(&figures, style) {
            text.push_str(&paint(&line, style));
            text.push('\n');
        }
        text.push('\n');
    }
    let verdict = sentences(comparison, &assessment).join(" ").replace("**", "");
    let verdict = if style.unicode { verdict } else { to_ascii(&verdict) };
    for line in wrap(&verdict) {
        text.push_str(&line);
        text.push('\n');
    }
    if style.unicode { text } else { to_ascii(&text) }
}

/// The name, the headline metric with its ratio, and the verdict are always there.
const KEPT: usize = 4;

/// What a line is, for its colour.
enum Kind {
    Title,
    Plain,
    Failed,
}

struct Row {
    kind: Kind,
    text: String,
}

/// The lines of one load's table. The headline metric comes with its ratio and verdict, the others as values
/// only: their ratios are in the page.
fn layout(summary: &Summary, style: Style) -> Vec<Row> {
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut headings = vec!["backend".to_owned()];
    for (index, metric) in summary.metrics.iter().enumerate() {
        headings.push(heading(*metric).to_owned());
        if index == 0 {
            headings.extend(["ratio (interval)".to_owned(), "verdict".to_owned()]);
        }
    }
    rows.push(headings);
    rows.extend(summary.lines.iter().map(columns));
    if !style.unicode {
        // Before it is laid out, because some letters become two.
        rows.iter_mut().flatten().for_each(|cell| *cell = to_ascii(cell));
    }
    let count = rows.iter().filter(|row| row.len() > 2).map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter(|row| row.len() == count).map(|row| row[column].chars().count()).max().unwrap_or(0)
    };
    let mut widths: Vec<usize> = (0..count).map(width).collect();
    // The last columns matter least, and the page has them all.
    while widths.len() > KEPT && widths.iter().sum::<usize>() + 2 * (widths.len() - 1) > WIDTH {
        widths.pop();
    }
    let mut laid = vec![Row { kind: Kind::Title, text: cut(&summary.title) }];
    for row in rows {
        let absent = row.len() < count;
        let failed = absent && row.last().is_some_and(|what| what.starts_with("FAILED"));
        let kind = if failed { Kind::Failed } else { Kind::Plain };
        let mut text = String::new();
        for (column, cell) in row.iter().enumerate().take(widths.len().max(KEPT)) {
            let width = widths.get(column).copied().unwrap_or(0);
            let is_text = column == 0 || column == 2 || column == 3 || absent;
            let padding = " ".repeat(width.saturating_sub(cell.chars().count()));
            let gap = if column == 0 { "" } else { "  " };
            text += &if is_text { format!("{gap}{cell}{padding}") } else { format!("{gap}{padding}{cell}") };
        }
        laid.push(Row { kind, text: cut(text.trim_end()) });
    }
    laid
}

/// The costs against what one writes by hand: names at the left, figures at the right.
fn costs(figures: &Figures, style: Style) -> Vec<Row> {
    let mut rows = vec![by_hand::HEADINGS.map(str::to_owned)];
    rows.extend(figures.rows.iter().cloned());
    if !style.unicode {
        rows.iter_mut().flatten().for_each(|cell| *cell = to_ascii(cell));
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; by_hand::HEADINGS.len()] = std::array::from_fn(width);
    let mut laid = vec![Row { kind: Kind::Title, text: by_hand::TITLE.to_owned() }];
    for row in &rows {
        let mut text = String::new();
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            text += &if column < 2 { format!("{cell:<width$}  ") } else { format!("{cell:>width$}  ") };
        }
        laid.push(Row { kind: Kind::Plain, text: cut(text.trim_end()) });
    }
    laid.extend(wrap(&figures.note).into_iter().map(|text| Row { kind: Kind::Plain, text }));
    laid
}

fn columns(line: &Line) -> Vec<String> {
    let name =
        if line.remark.contains("legacy") { format!("{} (legacy)", line.name) } else { line.name.clone() };
    if let Some(absent) = &line.absent {
        return vec![name, format!("{}: {}", absent.what(), absent.why)];
    }
    let mut columns = vec![name];
    for (index, cell) in line.cells.iter().enumerate() {
        let or_dash = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
        columns.push(or_dash(&cell.value));
        if index == 0 {
            columns.push(or_dash(&cell.ratio));
            let reference = cell.verdict.is_empty() && line.remark.contains("reference");
            columns.push(if reference { "reference".to_owned() } else { or_dash(&cell.verdict) });
        }
    }
    columns
}

fn paint(row: &Row, style: Style) -> String {
    match row.kind {
        Kind::Title if style.colour => format!("\x1b[1m{}\x1b[0m", row.text),
        Kind::Failed if style.colour => format!("\x1b[31m{}\x1b[0m", row.text),
        _ => row.text.clone(),
    }
}

fn cut(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(WIDTH).collect()
}

fn wrap(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.len() - 1;
        if !lines[last].is_empty() && lines[last].chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push(String::new());
        }
        let last = lines.len() - 1;
        if !lines[last].is_empty() {
            lines[last].push(' ');
        }
        lines[last] += &cut(word);
    }
    lines
}

/// The same with ASCII alone.
fn to_ascii(text: &str) -> String {
    let mut ascii = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            'µ' => ascii.push('u'),
            '×' => ascii.push('x'),
            '–' => ascii.push('-'),
            '±' => ascii.push_str("+-"),
            '≤' => ascii.push_str("<="),
            '’' => ascii.push('\''),
            '\u{a0}' => ascii.push(' '),
            other if other.is_ascii() => ascii.push(other),
            _ => ascii.push('?'),
        }
    }
    ascii
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{to_html, to_markdown};
    use crate::{Sample, Shape, Subject};

    #[test]
    fn who_can_not_run_here_is_told_and_has_not_failed() {
        let subject = |name: &str, unavailable: Option<&str>| Subject {
            name: name.to_owned(),
            unavailable: unavailable.map(str::to_owned),
            ..Subject::default()
        };
        let comparison = Comparison {
            subjects: vec![subject("a", None), subject("ring", Some("no such kernel"))],
            shapes: vec![Shape {
                name: "1 × 1".to_owned(),
                connections: 1,
                depth: 1,
                rate: None,
                hostile: 0,
            }],
            samples: vec![Sample { cpu_user: 3.0, ..Sample::default() }],
            ..Comparison::default()
        };
        let assessment = assess(&comparison);
        assert_eq!((assessment.ranked, assessment.failed), (vec![0], Vec::new()));
        let colour = Style { colour: true, unicode: true };
        for text in [
            to_table(&comparison, Style::default()),
            to_table(&comparison, colour),
            to_markdown(&comparison),
            to_html(&comparison),
        ] {
            assert!(text.contains("not available here") && text.contains("no such kernel"), "{text}");
            assert!(!text.contains("FAILED") && !text.contains("\x1b[31m"), "{text}");
        }
    }

    #[test]
    fn text_is_wrapped_and_cleaned() {
        let lines = wrap(&"word ".repeat(50));
        assert_eq!(lines.len(), 3);
        assert!(lines.iter().all(|line| line.len() <= WIDTH));
        assert_eq!(cut("a\x1b[31mb"), "a[31mb");
        assert_eq!(to_ascii("±3 µs 2× 1–2 ≤ é"), "+-3 us 2x 1-2 <= ?");
    }
}
