//! The plots, as inline SVG.
//!
//! They are drawn without a plotting library, because they need what libraries don't offer: colors that follow the
//! page's light, dark and print styles, labels at the curves in place of a legend, an axis of percentiles, and
//! overloaded points that are shown but not joined.

mod axes;
mod connections;
mod cost;
mod fanout;
mod labels;
mod latency;
mod rates;
mod rounds;
mod svg;

use crate::statistics::Assessment;
use crate::{Comparison, Kind};

/// A plot with its question and caption.
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
    /// The first picture drawn for a small screen, if there is one.
    pub(super) small: Option<String>,
    /// What to show if there is no data: which flags add it.
    pub(super) missing: &'static str,
}

/// The plot of the first screen.
pub(super) fn first(comparison: &Comparison, assessment: &Assessment) -> Plot {
    if comparison.has_subscribers() {
        fanout::cost(comparison, assessment)
    } else {
        rates::cores(comparison, assessment)
    }
}

/// All others, in the order of the page.
pub(super) fn others(comparison: &Comparison, assessment: &Assessment) -> Vec<Plot> {
    if comparison.has_subscribers() {
        return vec![fanout::delay(comparison, assessment), cost::plot(comparison, assessment)];
    }
    vec![
        cost::plot(comparison, assessment),
        rates::latency(comparison, assessment),
        latency::percentiles(comparison, assessment),
        latency::timeline(comparison, assessment),
        connections::throughput(comparison, assessment),
        connections::memory(comparison, assessment),
    ]
}

/// The plot of the rounds, for the section on noise.
pub(super) fn noise(comparison: &Comparison, assessment: &Assessment) -> Plot {
    rounds::plot(comparison, assessment)
}

/// The width of every picture.
const WIDTH: f64 = 760.0;

/// The right end of the axes, if the labels beyond it are short.
const RIGHT: f64 = 640.0;

/// The approximate width of a letter in a label.
const LETTER: f64 = 7.9;

/// The left end of the axes.
const LEFT: f64 = 62.0;

/// The CSS class of a subject's series, which sets its color and dashes, the same in all plots.
pub(super) fn series(comparison: &Comparison, subject: usize) -> String {
    let has_series =
        |index: usize| comparison.subjects[index].control_of.is_none() && !is_by_hand(comparison, index);
    if comparison.subjects.len() <= subject || !has_series(subject) {
        return "control".to_owned();
    }
    format!("s{}", (0..subject).filter(|&index| has_series(index)).count() % SERIES)
}

/// How many different colors and dashes there are.
const SERIES: usize = 10;

/// The subjects that have curves: no controls, failed ones or handwritten ones. With the latter there would be too many
/// curves.
fn shown<'a>(comparison: &'a Comparison, assessment: &'a Assessment) -> impl Iterator<Item = usize> + 'a {
    assessment.ranked.iter().copied().filter(|&subject| !is_by_hand(comparison, subject))
}

fn is_by_hand(comparison: &Comparison, subject: usize) -> bool {
    matches!(comparison.subjects[subject].kind, Kind::Handwritten { .. })
}

/// The right end of the axes, with room for names and `behind` more letters.
fn right(comparison: &Comparison, assessment: &Assessment, behind: usize) -> f64 {
    let letters = |subject| name(comparison, subject).chars().count();
    let longest = shown(comparison, assessment).map(letters).max().unwrap_or(0);
    // Names may be longer than the page is wide.
    (WIDTH - 18.0 - LETTER * (longest + behind) as f64).clamp(WIDTH / 2.0, RIGHT)
}

/// A note on how the points of the curves were measured.
fn passes(comparison: &Comparison) -> &'static str {
    match comparison.conditions.tier.as_str() {
        "full" => {
            "Each point is the median of several measurements, without an interval, and is not used for verdicts."
        }
        _ => "Each point was measured once and is not used for verdicts.",
    }
}

fn name(comparison: &Comparison, subject: usize) -> &str {
    &comparison.subjects[subject].name
}
