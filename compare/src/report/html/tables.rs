//! Tables of the page.

use maud::{Markup, PreEscaped, html};

use crate::Comparison;
use crate::report::escape::escape;
use crate::report::plots::series;
use crate::report::table::{Cell, Row, Table, Tone};

/// The matrix, in which a column without figures says why, with the first of its notes, which says how to read it.
pub(super) fn matrix(comparison: &Comparison, matrix: &Table) -> Markup {
    html! {
        div.matrix {
            (bare(comparison, matrix))
            @if let Some(legend) = matrix.notes.first() { p.note { (legend) } }
        }
    }
}

/// Any other table, with its notes.
pub(super) fn table(comparison: &Comparison, table: &Table, class: &str) -> Markup {
    html! {
        div class=(class) {
            (bare(comparison, table))
            @if !table.notes.is_empty() { p.note { (table.notes.join(" ")) } }
        }
    }
}

fn bare(comparison: &Comparison, table: &Table) -> Markup {
    html! {
        // It can be scrolled by the keyboard as well.
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
        Row::Without { subject, name, what, is_failure, why } => html! {
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
                        // Said once, for the rows below it as well.
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

/// Why a column is empty; the flag that would fill it is not broken over lines.
fn absent(why: &str) -> Markup {
    match why.split_once(": ") {
        Some((what, flag)) => html! { (what) ": " code.flag { (flag) } },
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

/// A piece of a subject's curve, as the plots draw it; an empty place if they don't.
fn swatch(comparison: &Comparison, subject: usize) -> Markup {
    let class = escape(&series(comparison, subject));
    if class == "control" {
        return html! { span.swatch {} };
    }
    PreEscaped(format!(
        "<svg class=\"swatch\" viewBox=\"0 0 26 12\" aria-hidden=\"true\"><path class=\"curve {class}\" d=\"M0 6L26 6\"/></svg>"
    ))
}
