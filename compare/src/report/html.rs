//! `report.html`: one file that needs no other file, no network and no script.

mod sections;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::contents::{Cell, Contents, Row, Table, Tone};
use super::json::page_data;
use super::plots::{self, Plot, series};
use crate::Comparison;
use crate::statistics::{Assessment, assess};

/// The style sheet, for light and dark screens and for paper.
const STYLE: &str = include_str!("page.css");

/// With this many rows the matrix fills the first screen, so the verdict is placed above it.
const MANY: usize = 12;

/// The page.
pub fn to_html(comparison: &Comparison) -> String {
    let assessment = assess(comparison);
    let contents = Contents::of(comparison, &assessment);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (contents.title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    (first_screen(comparison, &assessment, &contents))
                    @for table in [&contents.builds, &contents.by_hand].into_iter().flatten() {
                        h2 { (table.title) }
                        (with_notes(comparison, table, ""))
                    }
                    (sections::details(comparison, &contents))
                    h2 { "Plots" }
                    @for plot in plots::others(comparison, &assessment) { (figure(&plot)) }
                    (sections::validity(comparison, &assessment))
                    (sections::conditions(comparison, &contents))
                    (sections::glossary(comparison))
                    h2 { "Reproduce" }
                    pre { (comparison.conditions.command) }
                    footer {
                        "This page contains the verdicts and every measurement, rounded to four digits; report.json has \
    all digits. "
                        code { "anyloop report report.json" }
                        " draws this page again."
                    }
                    script type="application/json" id="data" {
                        (PreEscaped(page_data(comparison, &assessment)))
                    }
                }
            }
        }
    };
    // HTML allows no control characters, not even escaped ones.
    let is_allowed = |character: char| !character.is_control() || matches!(character, '\n' | '\t');
    page.into_string()
        .chars()
        .map(|of| if is_allowed(of) { of } else { char::REPLACEMENT_CHARACTER })
        .collect()
}

fn first_screen(comparison: &Comparison, assessment: &Assessment, contents: &Contents) -> Markup {
    html! {
        header {
            h1 { (contents.title) }
            p { (contents.subtitle) }
            @if !contents.warnings.is_empty() {
                ul.warnings { @for warning in &contents.warnings { li { (warning) } } }
            }
        }
        // The pattern that all plots share.
        svg width="0" height="0" style="position:absolute" aria-hidden="true" {
            defs {
                pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)" {
                    rect width="6" height="6" fill="var(--faint)" {}
                    line x1="0" y1="0" x2="0" y2="6" stroke="var(--rule)" stroke-width="2" {}
                }
            }
        }
        div.first-screen.many[contents.matrix.rows.len() >= MANY] {
            (matrix(comparison, &contents.matrix))
            section.verdict aria-label="verdict" {
                @for said in &contents.sentences { p { (strong(said)) } }
            }
            @for said in &contents.objectives { p.objective { (strong(said)) } }
            @if let [_, reasons @ ..] = contents.matrix.notes.as_slice() && !reasons.is_empty() {
                p.note { (reasons.join(" ")) }
            }
        }
        (figure(&plots::first(comparison, assessment)))
    }
}

/// Makes text between pairs of asterisks strong.
fn strong(text: &str) -> Markup {
    html! {
        @for (index, part) in text.split("**").enumerate() {
            @if index % 2 == 1 { strong { (part) } } @else { (part) }
        }
    }
}

fn figure(plot: &Plot) -> Markup {
    html! {
        figure id=(plot.key) {
            h3 { (plot.question) }
            @if plot.pictures.is_empty() {
                p.missing { (plot.missing) }
            } @else {
                @if let Some(small) = &plot.small { div.small-screen { (PreEscaped(small)) } }
                @for picture in &plot.pictures { div.scroll tabindex="0" { (PreEscaped(picture)) } }
                figcaption { (plot.caption) }
            }
        }
    }
}

/// The matrix, with the first of its notes, which says how to read it.
fn matrix(comparison: &Comparison, matrix: &Table) -> Markup {
    html! {
        div.matrix {
            (bare(comparison, matrix))
            @if let Some(legend) = matrix.notes.first() { p.note { (legend) } }
        }
    }
}

/// Any other table, with its notes.
fn with_notes(comparison: &Comparison, table: &Table, class: &str) -> Markup {
    html! {
        div class=(class) {
            (bare(comparison, table))
            @if !table.notes.is_empty() { p.note { (table.notes.join(" ")) } }
        }
    }
}

fn bare(comparison: &Comparison, table: &Table) -> Markup {
    html! {
        // With a tab index it can be scrolled by the keyboard.
        div.scroll tabindex="0" role="region" aria-label=(table.title) {
            table {
                thead {
                    tr {
                        th scope="col" { "server" }
                        @for column in &table.columns {
                            th scope="col" {
                                (column.heading)
                                @if !column.under.is_empty() { small { (column.under) } }
                            }
                        }
                    }
                }
                tbody {
                    @for (index, row) in table.rows.iter().enumerate() { (tr(comparison, table, row, index)) }
                }
            }
        }
    }
}

fn tr(comparison: &Comparison, table: &Table, row: &Row, index: usize) -> Markup {
    let width = table.columns.len() + 1;
    match row {
        Row::Group(title) => html! { tr.group { th colspan=(width) scope="colgroup" { (title) } } },
        Row::NoFigures { subject, name, what, is_failure, why } => html! {
            tr {
                th scope="row" { (swatch(comparison, *subject)) (name) }
                td.text.failed[*is_failure] colspan=(width - 1) { strong { (what) } ": " (why) }
            }
        },
        Row::Figures { subject, name, remark, cells } => html! {
            tr {
                th scope="row" title=(comparison.subjects[*subject].model) {
                    (swatch(comparison, *subject)) (name)
                    @if !remark.is_empty() { small { (remark) } }
                }
                @for (cell, column) in cells.iter().zip(&table.columns) {
                    @match &column.absent {
                        None => (td(cell)),
                        // One cell spans the rows below it.
                        Some(why) => {
                            @if index == 0 { td.none rowspan=(leading_rows(table)) { (absent(why)) } }
                            @if index > leading_rows(table) { td.none {} }
                        }
                    }
                }
            }
        },
    }
}

/// Why a column is empty. The name of the flag is not broken over lines.
fn absent(why: &str) -> Markup {
    match why.split_once("without ") {
        Some((what, flag)) => html! { (what) "without " code.flag { (flag) } },
        None => html! { (why) },
    }
}

/// How many rows with figures the table begins with.
fn leading_rows(table: &Table) -> usize {
    table.rows.iter().take_while(|row| matches!(row, Row::Figures { .. })).count()
}

fn td(cell: &Cell) -> Markup {
    let tone = match cell.tone {
        Tone::Good => "good",
        Tone::Bad => "bad",
        Tone::Faint | Tone::Plain => "",
    };
    let class = format!("{tone}{}", if cell.is_best { " best" } else { "" });
    let said = format!("{} {}", cell.word, cell.evidence);
    html! {
        td class=[(!class.is_empty()).then(|| class.trim())] title=[(!cell.detail.is_empty()).then_some(&cell.detail)] {
            @if cell.figure.is_empty() { "–" } @else { (cell.figure) }
            @if !said.trim().is_empty() { small { (said.trim()) } }
        }
    }
}

/// A piece of a subject's curve as in the plots, or an empty box if the plots don't show it.
fn swatch(comparison: &Comparison, subject: usize) -> Markup {
    let class = series(comparison, subject);
    if class == "control" {
        return html! { span.swatch {} };
    }
    PreEscaped(format!(
        "<svg class=\"swatch\" viewBox=\"0 0 26 12\" aria-hidden=\"true\"><path class=\"curve {class}\" d=\"M0 6L26 6\"/></svg>"
    ))
}
