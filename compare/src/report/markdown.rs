//! `report.md`: the comparison for a pull request or a wiki.

use std::fmt::Write;

use super::contents::{Cell, Contents, Row, Table};
use super::trust;
use crate::Comparison;
use crate::statistics::assess;

/// The matrix, the verdict, the details, the noise and the conditions.
pub fn to_markdown(comparison: &Comparison) -> String {
    let assessment = assess(comparison);
    let contents = Contents::of(comparison, &assessment);
    let mut text = String::new();
    let _ = writeln!(text, "# {}\n\n{}\n", guard(&contents.title), guard(&contents.subtitle));
    for warning in &contents.warnings {
        let _ = writeln!(text, "**{}**\n", guard(warning));
    }
    table(&mut text, &contents.matrix);
    let said: Vec<String> = contents.sentences.iter().map(|said| guard(said)).collect();
    let _ = writeln!(text, "{}\n", said.join(" "));
    for said in &contents.objectives {
        let _ = writeln!(text, "{}\n", guard(said));
    }
    for of in [&contents.builds, &contents.by_hand].into_iter().flatten() {
        let _ = writeln!(text, "## {}\n", guard(&of.title));
        table(&mut text, of);
    }
    for of in &contents.details {
        let _ = writeln!(text, "## {}\n", guard(&of.title));
        table(&mut text, of);
    }
    noise(&mut text, comparison, &assessment);
    text.push_str("## Conditions\n\n");
    for (name, value) in &contents.conditions {
        let _ = writeln!(text, "- {}: {}", guard(name), guard(value));
    }
    for (name, place) in trust::handlers(comparison) {
        let _ = writeln!(text, "- `{}` runs the handler: {}", guard(&name).replace('`', "'"), guard(&place));
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
        if of.under.is_empty() { guard(&of.heading) } else { guard(&format!("{}, {}", of.heading, of.under)) }
    };
    let _ = writeln!(text, "| | {} |", shown.iter().map(heading).collect::<Vec<_>>().join(" | "));
    let _ = writeln!(text, "| --- |{}", " ---: |".repeat(shown.len()));
    let empty = " |".repeat(shown.len().saturating_sub(1));
    for row in &table.rows {
        let _ = match row {
            Row::Group(title) => writeln!(text, "| *{}* | |{empty}", guard(title)),
            Row::Without { name, what, why, .. } => {
                writeln!(text, "| {} | **{what}**: {} |{empty}", guard(name), guard(why))
            }
            Row::Figures { name, remark, cells, .. } => {
                let name = if remark.is_empty() { guard(name) } else { guard(&format!("{name} ({remark})")) };
                let figures: Vec<String> = shown.iter().map(|&column| cell(cells.get(column))).collect();
                writeln!(text, "| {name} | {} |", figures.join(" | "))
            }
        };
    }
    text.push('\n');
    for note in &table.notes {
        let _ = writeln!(text, "{}  ", guard(note));
    }
    if let Some(absent) = table.absent() {
        let _ = writeln!(text, "{}  ", guard(&absent));
    }
    text.push('\n');
}

/// A figure and what is told of it; the best of a column is strong.
fn cell(cell: Option<&Cell>) -> String {
    let Some(cell) = cell else { return String::new() };
    let figure = match (cell.figure.as_str(), cell.is_best) {
        ("", _) => "–".to_owned(),
        (figure, true) => format!("**{}**", guard(figure)),
        (figure, false) => guard(figure),
    };
    let told = format!("{} {}", cell.word, cell.evidence);
    if told.trim().is_empty() { figure } else { format!("{figure} {}", guard(told.trim())) }
}

/// How much two runs of the same differ, and how much is flagged.
fn noise(text: &mut String, comparison: &Comparison, assessment: &crate::statistics::Assessment) {
    let rows = trust::noise_rows(comparison, assessment);
    if !rows.is_empty() {
        let _ = writeln!(text, "## Noise\n\n| {} |", trust::NOISE_HEADINGS.join(" | "));
        text.push_str("| --- | ---: | ---: | --- | ---: |\n");
        for row in rows {
            let _ = writeln!(text, "| {} |", row.map(|cell| guard(&cell)).join(" | "));
        }
        text.push('\n');
    }
    if let Some(flagged) = trust::flags_in_words(comparison) {
        let _ = writeln!(text, "{flagged}.\n");
    }
}

/// Text that ends no cell and begins no element.
fn guard(text: &str) -> String {
    text.replace(['\n', '\r'], " ").replace('|', "\\|").replace('<', "&lt;")
}
