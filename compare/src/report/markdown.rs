//! `report.md`: the comparison for a pull request or a wiki.

use std::fmt::Write;

use super::contents::{Cell, Contents, Row, Table};
use super::validity;
use crate::Comparison;
use crate::statistics::assess;

/// The matrix, the verdict, the details, the noise and the conditions.
pub fn to_markdown(comparison: &Comparison) -> String {
    let assessment = assess(comparison);
    let contents = Contents::of(comparison, &assessment);
    let mut text = String::new();
    let _ = writeln!(text, "# {}\n\n{}\n", escape(&contents.title), escape(&contents.subtitle));
    for warning in &contents.warnings {
        let _ = writeln!(text, "**{}**\n", escape(warning));
    }
    table(&mut text, &contents.matrix);
    let said: Vec<String> = contents.sentences.iter().map(|said| escape(said)).collect();
    let _ = writeln!(text, "{}\n", said.join(" "));
    for said in &contents.objectives {
        let _ = writeln!(text, "{}\n", escape(said));
    }
    for of in [&contents.builds, &contents.by_hand].into_iter().flatten() {
        let _ = writeln!(text, "## {}\n", escape(&of.title));
        table(&mut text, of);
    }
    for of in &contents.details {
        let _ = writeln!(text, "## {}\n", escape(&of.title));
        table(&mut text, of);
    }
    noise(&mut text, comparison, &assessment);
    text.push_str("## Conditions\n\n");
    for (name, value) in &contents.conditions {
        let _ = writeln!(text, "- {}: {}", escape(name), escape(value));
    }
    for (name, place) in validity::handlers(comparison) {
        let _ =
            writeln!(text, "- `{}` runs the handler: {}", escape(&name).replace('`', "'"), escape(&place));
    }
    let fence = "```";
    let command = comparison.conditions.command.replace(fence, "");
    let _ = writeln!(text, "\nTo repeat it:\n\n{fence}sh\n{command}\n{fence}");
    text
}

fn table(text: &mut String, table: &Table) {
    let shown: Vec<usize> = (0..table.columns.len()).filter(|&column| table.is_filled(column)).collect();
    let heading = |&column: &usize| {
        let of = &table.columns[column];
        if of.under.is_empty() {
            escape(&of.heading)
        } else {
            escape(&format!("{}, {}", of.heading, of.under))
        }
    };
    let _ = writeln!(text, "| | {} |", shown.iter().map(heading).collect::<Vec<_>>().join(" | "));
    let _ = writeln!(text, "| --- |{}", " ---: |".repeat(shown.len()));
    let empty = " |".repeat(shown.len().saturating_sub(1));
    for row in &table.rows {
        let _ = match row {
            Row::Group(title) => writeln!(text, "| *{}* | |{empty}", escape(title)),
            Row::NoFigures { name, what, why, .. } => {
                writeln!(text, "| {} | **{what}**: {} |{empty}", escape(name), escape(why))
            }
            Row::Figures { name, remark, cells, .. } => {
                let name =
                    if remark.is_empty() { escape(name) } else { escape(&format!("{name} ({remark})")) };
                let figures: Vec<String> = shown.iter().map(|&column| cell(cells.get(column))).collect();
                writeln!(text, "| {name} | {} |", figures.join(" | "))
            }
        };
    }
    text.push('\n');
    for note in &table.notes {
        let _ = writeln!(text, "{}  ", escape(note));
    }
    if let Some(absent) = table.absent() {
        let _ = writeln!(text, "{}  ", escape(&absent));
    }
    text.push('\n');
}

/// A figure and its verdict; the best of a column is strong.
fn cell(cell: Option<&Cell>) -> String {
    let Some(cell) = cell else { return String::new() };
    let figure = match (cell.figure.as_str(), cell.is_best) {
        ("", _) => "–".to_owned(),
        (figure, true) => format!("**{}**", escape(figure)),
        (figure, false) => escape(figure),
    };
    let verdict = format!("{} {}", cell.word, cell.evidence);
    if verdict.trim().is_empty() { figure } else { format!("{figure} {}", escape(verdict.trim())) }
}

/// How much two runs of the reference differ, and how many measurements are flagged.
fn noise(text: &mut String, comparison: &Comparison, assessment: &crate::statistics::Assessment) {
    let rows = validity::noise_rows(comparison, assessment);
    if !rows.is_empty() {
        let _ = writeln!(text, "## Noise\n\n| {} |", validity::NOISE_HEADINGS.join(" | "));
        text.push_str("| --- | ---: | ---: | --- | ---: |\n");
        for row in rows {
            let _ = writeln!(text, "| {} |", row.map(|cell| escape(&cell)).join(" | "));
        }
        text.push('\n');
    }
    if let Some(flagged) = validity::flags_in_words(comparison) {
        let _ = writeln!(text, "{flagged}.\n");
    }
}

/// Escapes what would end a table cell or begin an HTML element.
fn escape(text: &str) -> String {
    text.replace(['\n', '\r'], " ").replace('|', "\\|").replace('<', "&lt;")
}
