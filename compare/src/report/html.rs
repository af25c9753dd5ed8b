//! `report.html`: one file that needs nothing else, no network and no script.

mod sections;
mod tables;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::contents::Contents;
use super::escape::escape_json;
use super::plots::{self, Plot};
use super::verdicts::page_data;
use crate::Comparison;
use crate::statistics::{Assessment, assess};

/// How the page looks, on a light and a dark screen and on paper.
const STYLE: &str = include_str!("page.css");

/// With so many rows the matrix fills the first screen, and the verdict stands above it.
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
                        (tables::table(comparison, table, ""))
                    }
                    (sections::details(comparison, &contents))
                    h2 { "Plots" }
                    @for plot in plots::others(comparison, &assessment) { (figure(&plot)) }
                    (sections::validity(comparison, &assessment))
                    (sections::conditions(comparison, &contents))
                    (sections::glossary())
                    h2 { "Do it again" }
                    pre { (comparison.conditions.command) }
                    footer {
                        "The verdicts and every measurement are within this page, with four digits; report.json has \
                         them in full. "
                        code { "anyloop report report.json" }
                        " draws this page again."
                    }
                    script type="application/json" id="data" {
                        (PreEscaped(escape_json(&page_data(comparison, &assessment).to_string())))
                    }
                }
            }
        }
    };
    // Control characters are not allowed in a page in any form.
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
            (tables::matrix(comparison, &contents.matrix))
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

/// Makes names that stand between pairs of asterisks strong, and what stands between backquotes code.
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
