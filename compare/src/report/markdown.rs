//! `report.md`: the comparison for a pull request or a wiki.

use std::fmt::Write;

use super::by_hand;
use super::conclusion::sentences;
use super::html::conditions;
use super::summary::{bytes_per_connection, heading, summaries};
use super::wording::bytes;
use crate::Comparison;
use crate::statistics::former::assess;

/// The verdict, the conditions and the tables.
pub fn to_markdown(comparison: &Comparison) -> String {
    let assessment = assess(comparison);
    let mut text = String::from("# Which backend suits\n\n");
    let verdict = sentences(comparison, &assessment);
    let _ = writeln!(text, "{}\n", verdict.iter().map(|said| guard(said)).collect::<Vec<_>>().join(" "));
    for summary in summaries(comparison, &assessment) {
        let _ = writeln!(text, "## {}\n", guard(&summary.title));
        let headings: Vec<&str> = summary.metrics.iter().map(|&metric| heading(metric)).collect();
        let _ = writeln!(text, "| backend | {} | verdict |", headings.join(" | "));
        let _ = writeln!(text, "| --- |{} --- |", " ---: |".repeat(headings.len()));
        for line in &summary.lines {
            let name = if line.remark.is_empty() {
                line.name.clone()
            } else {
                format!("{} ({})", line.name, line.remark)
            };
            let _ = write!(text, "| {} |", guard(&name));
            if let Some(absent) = &line.absent {
                let (empty, what, why) = (" |".repeat(headings.len()), absent.what(), guard(&absent.why));
                let _ = writeln!(text, "{empty} **{what}**: {why} |");
                continue;
            }
            for cell in &line.cells {
                let _ = match cell.ratio.as_str() {
                    "" => write!(text, " {} |", cell.value),
                    ratio => write!(text, " {}, {ratio} |", cell.value),
                };
            }
            let _ = writeln!(text, " {} |", line.cells.first().map_or("", |cell| cell.verdict.as_str()));
        }
        text.push('\n');
    }
    costs(&mut text, comparison);
    memory(&mut text, comparison);
    text.push_str("## Conditions\n\n");
    for (name, value) in conditions(comparison) {
        let _ = writeln!(text, "- {}: {}", guard(&name), guard(&value));
    }
    let fence = "```";
    let command = comparison.conditions.command.replace(fence, "");
    let _ = writeln!(text, "\nThis makes it again:\n\n{fence}sh\n{command}\n{fence}");
    text
}

/// The costs against what one writes by hand.
fn costs(text: &mut String, comparison: &Comparison) {
    let Some(figures) = by_hand::figures(comparison) else { return };
    let _ = writeln!(text, "## {}\n\n| {} |", by_hand::TITLE, by_hand::HEADINGS.join(" | "));
    text.push_str("| --- | --- | ---: | ---: | ---: | ---: |\n");
    for row in &figures.rows {
        let cells: Vec<String> = row.iter().map(|cell| guard(cell)).collect();
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    let _ = writeln!(text, "\n{}\n", guard(&figures.note));
}

fn memory(text: &mut String, comparison: &Comparison) {
    let slopes = comparison.subjects.iter().enumerate().filter_map(|(index, subject)| {
        let (slope, _) = bytes_per_connection(comparison, index)?;
        Some(format!("| {} | {} |", guard(&subject.name), bytes(slope)))
    });
    let slopes: Vec<String> = slopes.collect();
    if !slopes.is_empty() {
        let _ = writeln!(
            text,
            "## Memory\n\n| backend | per idle connection |\n| --- | ---: |\n{}\n",
            slopes.join("\n")
        );
    }
}

/// Text that ends no cell and begins no element.
fn guard(text: &str) -> String {
    text.replace(['\n', '\r'], " ").replace('|', "\\|").replace('<', "&lt;")
}
