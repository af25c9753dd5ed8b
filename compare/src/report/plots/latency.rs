//! Latency at one rate: whether its tail comes from queueing or from the service itself, and when a run stalled.

use std::fmt::Write;

use super::axes::{Axes, Scale};
use super::svg::{Anchor, Svg};
use super::{LEFT, Plot, WIDTH, name, series, shown};
use crate::report::wording::{load_in_words, time};
use crate::statistics::{Assessment, Estimate, metric};
use crate::{Comparison, Sample};

/// The height of a panel. Each server has one, so that its two curves don't cross those of others.
const PANEL: f64 = 200.0;

pub(super) fn percentiles(comparison: &Comparison, assessment: &Assessment) -> Plot {
    let shape = (0..comparison.shapes.len()).find(|&shape| {
        let rate = comparison.shapes[shape].rate;
        rate.is_some()
            && comparison.shapes[shape].hostile == 0
            && shown(comparison, assessment)
                .any(|subject| !curve(comparison, shape, subject, latency).is_empty())
    });
    let place = shape.map_or(String::new(), |shape| format!(" ({})", load_in_words(comparison, shape)));
    Plot {
        key: "percentiles",
        question: "Is latency due to the service or to queueing?",
        caption: format!(
            "At one rate for all{place}. Solid: from the scheduled time, which is what users see. Dashed: from the \
sending, which is the service alone. Where the two differ, messages wait in a queue; where they don't, \
the service is slow. The curves are medians over the rounds; the other servers are in grey."
        ),
        pictures: shape.map(|shape| panels(comparison, assessment, shape)).into_iter().collect(),
        missing: "No server sustained a load with an offered rate.",
        ..Plot::default()
    }
}

fn latency(sample: &Sample) -> &[(f64, f64)] {
    &sample.latency
}

fn service(sample: &Sample) -> &[(f64, f64)] {
    &sample.service
}

/// The median over the rounds at each percentile, without overloaded runs.
fn curve(
    comparison: &Comparison,
    shape: usize,
    subject: usize,
    of: fn(&Sample) -> &[(f64, f64)],
) -> Vec<(f64, f64)> {
    let samples: Vec<_> = comparison
        .samples
        .iter()
        .filter(|sample| sample.shape == shape && sample.subject == subject && !sample.overloaded)
        .collect();
    let Some(first) = samples.first() else { return Vec::new() };
    let at = |&(percentile, _): &(f64, f64)| {
        let values = samples.iter().filter_map(|sample| metric::percentile(of(sample), percentile));
        let logarithms: Vec<f64> = values.filter(|value| *value > 0.0).map(f64::ln).collect();
        let estimate = Estimate::of(&logarithms)?;
        (percentile < 100.0).then_some((100.0 / (100.0 - percentile), estimate.median))
    };
    of(first).iter().filter_map(at).collect()
}

fn panels(comparison: &Comparison, assessment: &Assessment, shape: usize) -> String {
    let subjects: Vec<usize> = shown(comparison, assessment)
        .filter(|&subject| !curve(comparison, shape, subject, latency).is_empty())
        .collect();
    let curves = |of| -> Vec<Vec<(f64, f64)>> {
        subjects.iter().map(|&subject| curve(comparison, shape, subject, of)).collect()
    };
    let (felt, served) = (curves(latency), curves(service));
    let all = || felt.iter().chain(&served).flatten();
    let y = Scale::logarithmic(all().map(|point| point.1));
    let rarest = all().map(|point| point.0).fold(2.0, f64::max);
    let x = Scale::logarithmic_over(2.0, rarest);
    let columns = if subjects.len() > 4 { 3 } else { 2 };
    let rows = subjects.len().div_ceil(columns);
    let mut svg = Svg::new(WIDTH, rows as f64 * PANEL + 30.0);
    let width = (WIDTH - 24.0) / columns as f64;
    for (index, &subject) in subjects.iter().enumerate() {
        let (column, row) = (index % columns, index / columns);
        let left = 52.0 + column as f64 * width;
        let top = 26.0 + row as f64 * PANEL;
        let axes = Axes { left, right: left + width - 44.0, top, bottom: top + PANEL - 56.0, x, y };
        axes.draw_y(&mut svg, |value| if column == 0 { time(value) } else { String::new() });
        let last_row = index + columns >= subjects.len();
        let name_x = if last_row { "percentile" } else { "" };
        axes.draw_x(
            &mut svg,
            &[2.0, 10.0, 100.0, 1e3, 1e4].map(|rare: f64| rare.min(rarest)),
            percentile,
            name_x,
        );
        for (_, points) in felt.iter().enumerate().filter(|(other, _)| *other != index) {
            svg.curve("context", &places(&axes, points));
        }
        let class = series(comparison, subject);
        svg.curve(&format!("plain dashed {class}"), &places(&axes, &served[index]));
        svg.curve(&format!("plain {class}"), &places(&axes, &felt[index]));
        for (points, what) in [(&felt[index], "from schedule"), (&served[index], "from sending")] {
            for &(rare, value) in points {
                let tooltip =
                    format!("{}: p{} {what} {}", name(comparison, subject), percentile(rare), time(value));
                svg.hover_point(axes.at(rare, value), &tooltip);
            }
        }
        if index == 0 {
            // Labelled once, where the curves are farthest apart.
            for (points, what, aside) in [
                (&felt[index], "from schedule", -9.0),
                (&served[index], "from sending", if columns == 2 { 34.0 } else { 48.0 }),
            ] {
                if let Some(&(rare, value)) = points.last() {
                    svg.text("tick", (axes.x(rare) - 4.0, axes.y(value) + aside), Anchor::End, what);
                }
            }
        }
        svg.text(&format!("label {class}"), (left, top - 9.0), Anchor::Start, name(comparison, subject));
    }
    svg.finish("latency by percentile at one rate, a panel for each server")
}

fn places(axes: &Axes, points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    points.iter().map(|&(rare, value)| axes.at(rare, value)).collect()
}

/// One in `rare`, as a percentile.
fn percentile(rare: f64) -> String {
    let percentile = 100.0 - 100.0 / rare;
    format!("{percentile:.2}").trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The height of a server's strip, and of the space between two.
const STRIP: f64 = 46.0;
const SPACE: f64 = 24.0;

/// The maximum number of lines of a strip.
const MOST_LINES: usize = 300;

pub(super) fn timeline(comparison: &Comparison, assessment: &Assessment) -> Plot {
    let shape = (0..comparison.shapes.len()).find(|&shape| {
        shown(comparison, assessment).any(|subject| !runs(comparison, shape, subject).is_empty())
    });
    let place = shape.map_or(String::new(), |shape| format!(", {}", load_in_words(comparison, shape)));
    Plot {
        key: "timeline",
        question: "When did a run stall?",
        caption: format!(
            "The longest latency of each tenth of a second, all rounds one after the other, separated by thin lines\
             {place}. A peak in one round only is a disturbance of that round; a peak in every round comes from \
             the server."
        ),
        pictures: shape.map(|shape| strips(comparison, assessment, shape)).into_iter().collect(),
        missing: "No load with an offered rate was measured.",
        ..Plot::default()
    }
}

/// A subject's samples under a load that have a timeline, by round.
fn runs(comparison: &Comparison, shape: usize, subject: usize) -> Vec<&Sample> {
    let of_it =
        |sample: &&Sample| sample.shape == shape && sample.subject == subject && !sample.timeline.is_empty();
    let mut runs: Vec<_> = comparison.samples.iter().filter(of_it).collect();
    runs.sort_by_key(|sample| sample.round);
    runs
}

fn strips(comparison: &Comparison, assessment: &Assessment, shape: usize) -> String {
    let subjects: Vec<usize> = shown(comparison, assessment)
        .filter(|&subject| !runs(comparison, shape, subject).is_empty())
        .collect();
    let of_all = || subjects.iter().flat_map(|&subject| runs(comparison, shape, subject));
    let y = Scale::logarithmic(of_all().flat_map(|run| &run.timeline).map(|tick| tick.max));
    let rounds = of_all().map(|run| run.round + 1).max().unwrap_or(1);
    // Every round gets the width of the longest one.
    let ticks = of_all().map(|run| run.timeline.len()).max().unwrap_or(1);
    let x = Scale::over(0.0, (rounds * ticks) as f64);
    let mut svg = Svg::new(WIDTH, 26.0 + (STRIP + SPACE) * subjects.len() as f64 + 22.0);
    svg.text("name", (0.0, 14.0), Anchor::Start, "longest latency in 100 ms (logarithmic)");
    for (index, &subject) in subjects.iter().enumerate() {
        let top = 26.0 + SPACE + (STRIP + SPACE) * index as f64;
        let axes = Axes { left: LEFT, right: WIDTH - 8.0, top, bottom: top + STRIP, x, y };
        // The numbers are within the strip; otherwise they would overlap those of the next one.
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

/// Draws a vertical line for each tick, and writes the longest latency.
fn strip(svg: &mut Svg, axes: &Axes, class: &str, runs: &[&Sample], ticks: usize) {
    let mut path = String::new();
    let mut longest: Option<(f64, usize, f64)> = None;
    let rounds = runs.iter().map(|run| run.round + 1).max().unwrap_or(1);
    // Of ticks that would overlap, the longest is drawn.
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
        let tooltip = format!("longest {}, in round {} at {at:.1} s", time(value), round + 1);
        svg.text("tick", (axes.right, axes.top - 5.0), Anchor::End, &tooltip);
    }
}
