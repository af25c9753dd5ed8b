//! `report.html`: one file that needs nothing else, no network and no script.

mod validity;

use std::fmt::Write;

use super::by_hand::{self, Figures};
use super::conclusion::sentences;
use super::escape::{escape, escape_json};
use super::json::to_json;
use super::plots::{Figure, figures, series};
use super::summary::{Line, Summary, heading, summaries};
use super::wording;
use crate::statistics::former::{Assessment, Metric, assess};
use crate::{Comparison, Subject};

/// How the page looks, on a light and a dark screen and on paper.
const STYLE: &str = include_str!("page.css");

/// The page.
pub fn to_html(comparison: &Comparison) -> String {
    let assessment = assess(comparison);
    let mut page = String::with_capacity(256 * 1024);
    page.push_str("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n");
    page.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n");
    page.push_str("<title>anyloop: which backend suits</title>\n<style>\n");
    page.push_str(STYLE);
    page.push_str("</style>\n</head>\n<body>\n<main>\n");
    header(&mut page, comparison);
    verdict(&mut page, comparison, &assessment);
    section(&mut page, "Conditions");
    list(&mut page, &conditions(comparison));
    section(&mut page, "Summary");
    for summary in summaries(comparison, &assessment) {
        table(&mut page, comparison, &summary);
    }
    page.push_str(
        "<p class=\"note\">The small line is the ratio to the reference with its interval: 95 % for CPU per \
         message, on which the verdict rests, 99 % for the others, because there are more of them. It is bold \
         where the difference is larger than the noise.</p>\n",
    );
    if let Some(figures) = by_hand::figures(comparison) {
        section(&mut page, by_hand::TITLE);
        costs(&mut page, &figures);
    }
    section(&mut page, "Plots");
    for plot in figures(comparison, &assessment) {
        figure(&mut page, &plot);
    }
    section(&mut page, "Noise and validity");
    validity::write(&mut page, comparison, &assessment);
    section(&mut page, "Do it again");
    let _ = writeln!(page, "<pre>{}</pre>", escape(&comparison.conditions.command));
    footer(&mut page, comparison);
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

/// The conditions as names and values, for every form of the report.
pub(super) fn conditions(comparison: &Comparison) -> Vec<(String, String)> {
    let conditions = &comparison.conditions;
    let rounds = comparison.samples.iter().map(|sample| sample.round + 1).max().unwrap_or(0);
    let mut facts = vec![
        ("handler".to_owned(), conditions.handler.clone()),
        ("messages".to_owned(), conditions.message_size.clone()),
        ("rounds".to_owned(), format!("{rounds} of {} ({})", conditions.rounds, conditions.tier)),
        ("limit on p99".to_owned(), conditions.slo.map_or("none".to_owned(), wording::time)),
        ("begun".to_owned(), wording::date(conditions.started)),
        ("took".to_owned(), format!("{:.0} s", conditions.seconds)),
        ("seed".to_owned(), conditions.seed.to_string()),
    ];
    facts.extend(conditions.machine.iter().cloned());
    facts.retain(|(_, value)| !value.is_empty());
    facts
}

fn header(page: &mut String, comparison: &Comparison) {
    let is_backend = |subject: &&Subject| {
        subject.control_of.is_none() && subject.kind.is_ranked() && subject.unavailable.is_none()
    };
    let measured = comparison.subjects.iter().filter(is_backend).count();
    let loads = comparison.shapes.len();
    let _ = writeln!(
        page,
        "<header><h1>Which backend suits</h1><p>{measured} backends, {loads} loads, {}</p></header>",
        escape(&wording::date(comparison.conditions.started))
    );
    // The one pattern that all plots share.
    page.push_str(
        "<svg width=\"0\" height=\"0\" style=\"position:absolute\" aria-hidden=\"true\"><defs>\
         <pattern id=\"hatch\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" \
         patternTransform=\"rotate(45)\"><rect width=\"6\" height=\"6\" fill=\"var(--faint)\"/>\
         <line x1=\"0\" y1=\"0\" x2=\"0\" y2=\"6\" stroke=\"var(--rule)\" stroke-width=\"2\"/></pattern>\
         </defs></svg>\n",
    );
}

fn verdict(page: &mut String, comparison: &Comparison, assessment: &Assessment) {
    let sentences: Vec<String> = sentences(comparison, assessment).iter().map(|said| strong(said)).collect();
    let (first, rest) = sentences.split_first().map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
    let _ = writeln!(
        page,
        "<section class=\"verdict\" aria-label=\"verdict\"><p class=\"first\">{first}</p>\
         <p class=\"rest\">{}</p></section>",
        rest.join(" ")
    );
}

/// Escapes, and makes names that stand between pairs of asterisks strong.
fn strong(text: &str) -> String {
    let mut html = String::new();
    for (index, part) in text.split("**").enumerate() {
        let part = escape(part);
        html += &if index % 2 == 1 { format!("<strong>{part}</strong>") } else { part };
    }
    html
}

fn section(page: &mut String, title: &str) {
    let _ = writeln!(page, "<h2>{}</h2>", escape(title));
}

fn list(page: &mut String, facts: &[(String, String)]) {
    page.push_str("<dl>\n");
    for (name, value) in facts {
        let _ = writeln!(page, "<dt>{}</dt><dd>{}</dd>", escape(name), escape(value));
    }
    page.push_str("</dl>\n");
}

fn table(page: &mut String, comparison: &Comparison, summary: &Summary) {
    let _ = writeln!(
        page,
        "<h3>{}</h3>\n<div class=\"scroll\"><table>\n<thead><tr><th>backend</th>",
        escape(&summary.title)
    );
    for (index, &metric) in summary.metrics.iter().enumerate() {
        let _ = write!(page, "<th>{}</th>", escape(heading(metric)));
        if index == 0 {
            page.push_str("<th class=\"text\">verdict</th>");
        }
    }
    page.push_str("</tr></thead>\n<tbody>\n");
    for line in &summary.lines {
        let model = &comparison.subjects[line.subject].model;
        let _ = write!(
            page,
            "<tr><td title=\"{}\">{}{}<small class=\"remark\">{}</small></td>",
            escape(model),
            swatch(comparison, line.subject),
            escape(&line.name),
            escape(&line.remark)
        );
        cells(page, summary, line);
        page.push_str("</tr>\n");
    }
    page.push_str("</tbody></table></div>\n");
}

/// The costs against what one writes by hand.
fn costs(page: &mut String, figures: &Figures) {
    let cells = |row: &[String]| {
        let cell = |(index, text): (usize, &String)| match index {
            1 => format!("<td class=\"text\">{}</td>", escape(text)),
            _ => format!("<td>{}</td>", escape(text)),
        };
        row.iter().enumerate().map(cell).collect::<String>()
    };
    page.push_str("<div class=\"scroll\"><table>\n<thead><tr>");
    for heading in by_hand::HEADINGS {
        let _ = write!(page, "<th>{}</th>", escape(heading));
    }
    page.push_str("</tr></thead>\n<tbody>\n");
    for row in &figures.rows {
        let _ = writeln!(page, "<tr>{}</tr>", cells(row));
    }
    let _ = writeln!(page, "</tbody></table></div>\n<p class=\"note\">{}</p>", escape(&figures.note));
}

fn cells(page: &mut String, summary: &Summary, line: &Line) {
    if let Some(absent) = &line.absent {
        let columns = summary.metrics.len() + 1;
        let class = if absent.is_failure { "text failed" } else { "text" };
        let _ = write!(
            page,
            "<td class=\"{class}\" colspan=\"{columns}\"><strong>{}</strong>: {}</td>",
            absent.what(),
            escape(&absent.why)
        );
        return;
    }
    for (index, cell) in line.cells.iter().enumerate() {
        let told = if cell.is_difference { " class=\"told\"" } else { "" };
        let value = if cell.value.is_empty() { "–" } else { &cell.value };
        let ratio = if cell.ratio.is_empty() {
            String::new()
        } else {
            format!("<small>{}</small>", escape(&cell.ratio))
        };
        let _ = write!(page, "<td{told}>{}{ratio}</td>", escape(value));
        if index == 0 {
            let metric = summary.metrics[0];
            let class = match cell.verdict.as_str() {
                word if word == metric.better_word().to_uppercase() => "text better",
                word if word == metric.worse_word().to_uppercase() => "text worse",
                _ => "text",
            };
            let word = if cell.verdict.is_empty() { &line.remark } else { &cell.verdict };
            let _ = write!(page, "<td class=\"{class}\">{}</td>", escape(word));
        }
    }
}

/// A piece of a subject's curve, as the plots draw it.
fn swatch(comparison: &Comparison, subject: usize) -> String {
    let class = series(comparison, subject);
    format!(
        "<svg class=\"swatch\" viewBox=\"0 0 26 12\" aria-hidden=\"true\"><path class=\"curve {class}\" d=\"M0 6L26 6\"/></svg>"
    )
}

fn figure(page: &mut String, figure: &Figure) {
    let _ = writeln!(page, "<figure id=\"{}\"><h3>{}</h3>", figure.key, escape(figure.question));
    if figure.pictures.is_empty() {
        let _ = writeln!(page, "<p class=\"missing\">{}</p></figure>", escape(figure.missing));
        return;
    }
    let _ = writeln!(page, "<figcaption>{}</figcaption>", escape(&figure.caption));
    for picture in &figure.pictures {
        let _ = writeln!(page, "<div class=\"scroll\">{picture}</div>");
    }
    page.push_str("</figure>\n");
}

fn footer(page: &mut String, comparison: &Comparison) {
    let json = to_json(comparison).unwrap_or_else(|_| "null".to_owned());
    let _ = writeln!(
        page,
        "<footer>The verdict's metric, {}, was chosen before anything was measured. All data is within this page, \
         as in report.json.</footer>\n<script type=\"application/json\" id=\"data\">{}</script>",
        Metric::HEADLINE.name(),
        escape_json(json.trim_end())
    );
}
