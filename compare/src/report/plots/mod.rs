//! The plots, as SVG that stands within the page.
//!
//! They are drawn by hand rather than by a plotting library. What serves the reader here is what libraries
//! don't do: colours that follow the page from light to dark to paper, because they are names in a style
//! sheet; labels at the curves in place of a legend; an axis of percentiles; overloaded points that are shown
//! and yet never joined. All of it together is shorter than the code that would bend a library to it.

mod connections;
mod cpu;
mod frame;
mod isolation;
mod latency;
mod memory;
mod percentiles;
mod rounds;
mod scale;
mod svg;

use crate::Comparison;
use crate::statistics::former::Assessment;

/// A plot with what it is for.
pub(super) struct Figure {
    /// A short name, for links.
    pub(super) key: &'static str,
    /// The question that it answers.
    pub(super) question: &'static str,
    /// How to read it.
    pub(super) caption: String,
    /// The pictures; none if there is no data.
    pub(super) pictures: Vec<String>,
    /// What to do to get the data.
    pub(super) missing: &'static str,
}

/// All plots in the order of the page.
pub(super) fn figures(comparison: &Comparison, assessment: &Assessment) -> Vec<Figure> {
    vec![
        latency::figure(comparison, assessment),
        percentiles::figure(comparison, assessment),
        connections::figure(comparison, assessment),
        cpu::figure(comparison, assessment),
        memory::figure(comparison, assessment),
        isolation::figure(comparison, assessment),
        rounds::figure(comparison, assessment),
    ]
}

/// The width of every picture.
const WIDTH: f64 = 760.0;

/// Where the room for labels at the right begins, if they are short.
const RIGHT: f64 = 600.0;

/// About the width of a letter in a label.
const LETTER: f64 = 7.9;

/// Where the room for numbers at the left ends.
const LEFT: f64 = 62.0;

/// The class of a subject's series: its colour and dashes, everywhere the same.
pub(super) fn series(comparison: &Comparison, subject: usize) -> String {
    let before = comparison.subjects.iter().take(subject).filter(|subject| subject.control_of.is_none());
    format!("s{}", before.count() % SERIES)
}

/// How many subjects have a colour and dashes of their own.
const SERIES: usize = 8;

/// Subjects of which something can be shown: no controls, none that failed.
fn shown(assessment: &Assessment) -> impl Iterator<Item = usize> + '_ {
    assessment.ranked.iter().copied()
}

/// Where the room for labels at the right begins: names, and so many letters behind them.
fn right(comparison: &Comparison, assessment: &Assessment, behind: usize) -> f64 {
    let longest =
        shown(assessment).map(|subject| name(comparison, subject).chars().count()).max().unwrap_or(0);
    // Names have no bounds, the page has.
    (WIDTH - 18.0 - LETTER * (longest + behind) as f64).clamp(WIDTH / 2.0, RIGHT)
}

/// How much the curves rest on.
fn passes(comparison: &Comparison) -> &'static str {
    match comparison.conditions.tier.as_str() {
        "full" => "The points are medians of several passes: screening, without intervals.",
        _ => "From one pass: screening, to see the shape of the curves.",
    }
}

fn name(comparison: &Comparison, subject: usize) -> &str {
    &comparison.subjects[subject].name
}
