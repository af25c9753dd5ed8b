//! The plots, as SVG that stands within the page.
//!
//! They are drawn by hand rather than by a plotting library. What serves the reader here is what libraries
//! don't do: colors that follow the page from light to dark to paper, because they are names in a style
//! sheet; labels at the curves in place of a legend; an axis of percentiles; overloaded points that are shown
//! and yet never joined. All of it together is shorter than the code that would bend a library to it.

mod axes;
mod connections;
mod cost;
mod labels;
mod latency;
mod rates;
mod rounds;
mod svg;

use crate::statistics::Assessment;
use crate::{Comparison, Kind};

/// A plot with what it is for.
#[derive(Default)]
pub(super) struct Plot {
    /// A short name, for links.
    pub(super) key: &'static str,
    /// The question that it answers.
    pub(super) question: &'static str,
    /// How to read it.
    pub(super) caption: String,
    /// The pictures; none if there is no data.
    pub(super) pictures: Vec<String>,
    /// The first of them once more, for a small screen, if it is worth that.
    pub(super) small: Option<String>,
    /// What to do to get the data.
    pub(super) missing: &'static str,
}

/// The plot that belongs to the first screen.
pub(super) fn first(comparison: &Comparison, assessment: &Assessment) -> Plot {
    rates::cores(comparison, assessment)
}

/// All others, in the order of the page.
pub(super) fn others(comparison: &Comparison, assessment: &Assessment) -> Vec<Plot> {
    vec![
        cost::plot(comparison, assessment),
        rates::latency(comparison, assessment),
        latency::percentiles(comparison, assessment),
        latency::timeline(comparison, assessment),
        connections::throughput(comparison, assessment),
        connections::memory(comparison, assessment),
    ]
}

/// The rounds, which belong to the noise.
pub(super) fn noise(comparison: &Comparison, assessment: &Assessment) -> Plot {
    rounds::plot(comparison, assessment)
}

/// The width of every picture.
const WIDTH: f64 = 760.0;

/// Where the room for labels at the right begins, if they are short.
const RIGHT: f64 = 640.0;

/// About the width of a letter in a label.
const LETTER: f64 = 7.9;

/// Where the room for numbers at the left ends.
const LEFT: f64 = 62.0;

/// The class of a subject's series: its color and dashes, everywhere the same.
pub(super) fn series(comparison: &Comparison, subject: usize) -> String {
    let has_series =
        |index: usize| comparison.subjects[index].control_of.is_none() && !is_by_hand(comparison, index);
    if comparison.subjects.len() <= subject || !has_series(subject) {
        return "control".to_owned();
    }
    format!("s{}", (0..subject).filter(|&index| has_series(index)).count() % SERIES)
}

/// How many subjects have a color and dashes of their own.
const SERIES: usize = 10;

/// Subjects of which curves are drawn: no controls, none that failed, none that was written by hand, which would
/// be too many to tell apart.
fn shown<'a>(comparison: &'a Comparison, assessment: &'a Assessment) -> impl Iterator<Item = usize> + 'a {
    assessment.ranked.iter().copied().filter(|&subject| !is_by_hand(comparison, subject))
}

fn is_by_hand(comparison: &Comparison, subject: usize) -> bool {
    matches!(comparison.subjects[subject].kind, Kind::Handwritten { .. })
}

/// Where the room for labels at the right begins: names, and so many letters behind them.
fn right(comparison: &Comparison, assessment: &Assessment, behind: usize) -> f64 {
    let letters = |subject| name(comparison, subject).chars().count();
    let longest = shown(comparison, assessment).map(letters).max().unwrap_or(0);
    // Names have no bounds, the page has.
    (WIDTH - 18.0 - LETTER * (longest + behind) as f64).clamp(WIDTH / 2.0, RIGHT)
}

/// How much the curves rest on.
fn passes(comparison: &Comparison) -> &'static str {
    match comparison.conditions.tier.as_str() {
        "full" => {
            "Each point is the median of several measurements, without an interval: no verdict rests on it."
        }
        _ => "Each point was measured once: no verdict rests on it.",
    }
}

fn name(comparison: &Comparison, subject: usize) -> &str {
    &comparison.subjects[subject].name
}
