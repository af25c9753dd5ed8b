//! The longest latency of each tenth of a second: when did a run stall?

use std::fmt::Write;

use super::axes::Axes;
use super::scale::Scale;
use super::svg::{Anchor, Svg};
use super::{LEFT, Plot, WIDTH, name, series, shown};
use crate::report::names::load_in_words;
use crate::report::wording::time;
use crate::statistics::Assessment;
use crate::{Comparison, Sample};

/// The height of a server's strip, and of the space between two.
const STRIP: f64 = 46.0;
const SPACE: f64 = 24.0;

/// The most lines of a strip.
const MOST_LINES: usize = 300;

pub(super) fn plot(comparison: &Comparison, assessment: &Assessment) -> Plot {
    let shape = (0..comparison.shapes.len()).find(|&shape| {
        shown(comparison, assessment).any(|subject| !runs(comparison, shape, subject).is_empty())
    });
    let place = shape.map_or(String::new(), |shape| format!(", {}", load_in_words(comparison, shape)));
    Plot {
        key: "timeline",
        question: "When did a run stall?",
        caption: format!(
            "The longest latency of each tenth of a second, all rounds one after the other, separated by thin lines\
             {place}. A peak in one round alone is an accident of that round; the same peak in every round is the \
             server's own."
        ),
        pictures: shape.map(|shape| picture(comparison, assessment, shape)).into_iter().collect(),
        missing: "No load with an offered rate was measured.",
        ..Plot::default()
    }
}

/// A subject's runs under a load that have a time series, by round.
fn runs(comparison: &Comparison, shape: usize, subject: usize) -> Vec<&Sample> {
    let of_it =
        |sample: &&Sample| sample.shape == shape && sample.subject == subject && !sample.timeline.is_empty();
    let mut runs: Vec<_> = comparison.samples.iter().filter(of_it).collect();
    runs.sort_by_key(|sample| sample.round);
    runs
}

fn picture(comparison: &Comparison, assessment: &Assessment, shape: usize) -> String {
    let subjects: Vec<usize> = shown(comparison, assessment)
        .filter(|&subject| !runs(comparison, shape, subject).is_empty())
        .collect();
    let of_all = || subjects.iter().flat_map(|&subject| runs(comparison, shape, subject));
    let y = Scale::logarithmic(of_all().flat_map(|run| &run.timeline).map(|tick| tick.max));
    let rounds = of_all().map(|run| run.round + 1).max().unwrap_or(1);
    // Every round has room for as many ticks as the longest.
    let ticks = of_all().map(|run| run.timeline.len()).max().unwrap_or(1);
    let x = Scale::over(0.0, (rounds * ticks) as f64);
    let mut svg = Svg::new(WIDTH, 26.0 + (STRIP + SPACE) * subjects.len() as f64 + 22.0);
    svg.text("name", (0.0, 14.0), Anchor::Start, "longest latency in 100 ms (logarithmic)");
    for (index, &subject) in subjects.iter().enumerate() {
        let top = 26.0 + SPACE + (STRIP + SPACE) * index as f64;
        let axes = Axes { left: LEFT, right: WIDTH - 8.0, top, bottom: top + STRIP, x, y };
        // The numbers stand within the strip, or else they would touch those of the next.
        for (tick, aside) in y.ends().into_iter().zip([0.0, 10.0]) {
            svg.line("grid", (axes.left, axes.y(tick)), (axes.right, axes.y(tick)));
            svg.text("tick", (axes.left - 7.0, axes.y(tick) + aside), Anchor::End, &time(tick));
        }
        for round in 1..rounds {
            let place = axes.x((round * ticks) as f64);
            svg.line("grid", (place, axes.top), (place, axes.bottom));
        }
        let (class, who) = (series(comparison, subject), name(comparison, subject));
        svg.text(&format!("label {class}"), (axes.left, top - 5.0), Anchor::Start, who);
        strip(&mut svg, &axes, &class, &runs(comparison, shape, subject), ticks);
    }
    let bottom = 26.0 + (STRIP + SPACE) * subjects.len() as f64 + 16.0;
    svg.text("name", (f64::midpoint(LEFT, WIDTH), bottom), Anchor::Middle, &format!("{rounds} rounds"));
    svg.finish("the longest latency of each tenth of a second of all rounds, a strip for each server")
}

/// A line upwards for each tick, and the longest latency in words.
fn strip(svg: &mut Svg, axes: &Axes, class: &str, runs: &[&Sample], ticks: usize) {
    let mut path = String::new();
    let mut longest: Option<(f64, usize, f64)> = None;
    let rounds = runs.iter().map(|run| run.round + 1).max().unwrap_or(1);
    // Of neighbours that would touch, the longest is drawn.
    let together = (rounds * ticks).div_ceil(MOST_LINES).max(1);
    for run in runs {
        for (index, ticks_of_run) in run.timeline.chunks(together).enumerate() {
            let known = ticks_of_run.iter().filter(|tick| tick.max > 0.0 && tick.max.is_finite());
            let Some(tick) = known.max_by(|one, other| one.max.total_cmp(&other.max)) else { continue };
            let x = axes.x((run.round * ticks + index * together) as f64 + 0.5 * together as f64);
            let _ = write!(path, "M{x:.1} {:.0}V{:.0}", axes.bottom, axes.y(tick.max));
            if longest.is_none_or(|(value, ..)| tick.max > value) {
                longest = Some((tick.max, run.round, tick.at));
            }
        }
    }
    svg.path(&format!("ticks {class}"), &path);
    if let Some((value, round, at)) = longest {
        let says = format!("longest {}, in round {} at {at:.1} s", time(value), round + 1);
        svg.text("tick", (axes.right, axes.top - 5.0), Anchor::End, &says);
    }
}
