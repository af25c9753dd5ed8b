//! The percentile curve at one rate: is the tail made by queueing, or by the service itself?

use super::axes::Axes;
use super::scale::Scale;
use super::svg::{Anchor, Svg};
use super::{Plot, WIDTH, name, series, shown};
use crate::report::names::load_in_words;
use crate::report::wording::time;
use crate::statistics::{Assessment, Estimate};
use crate::{Comparison, Sample};

/// The height of a panel. Each backend has one, so that its two curves never cross those of another.
const PANEL: f64 = 200.0;

pub(super) fn plot(comparison: &Comparison, assessment: &Assessment) -> Plot {
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
        question: "Is a slow reply slow, or has it waited in a queue?",
        caption: format!(
            "At one rate for all{place}. Solid: from the time at which a message was due, what users feel. Dashed: \
             from its sending, the service alone. Where they part, messages wait; where they stay together, the \
             service is slow. The curves are medians over the rounds; the other servers are in grey."
        ),
        pictures: shape.map(|shape| picture(comparison, assessment, shape)).into_iter().collect(),
        missing: "No load with an offered rate was sustained by anybody.",
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
        let values =
            samples.iter().filter_map(|sample| crate::statistics::metric::percentile(of(sample), percentile));
        let logarithms: Vec<f64> = values.filter(|value| *value > 0.0).map(f64::ln).collect();
        let estimate = Estimate::of(&logarithms)?;
        (percentile < 100.0).then_some((100.0 / (100.0 - percentile), estimate.median))
    };
    of(first).iter().filter_map(at).collect()
}

fn picture(comparison: &Comparison, assessment: &Assessment, shape: usize) -> String {
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
                let says =
                    format!("{}: p{} {what} {}", name(comparison, subject), percentile(rare), time(value));
                svg.unseen(axes.at(rare, value), &says);
            }
        }
        if index == 0 {
            // Said once, where the curves are farthest apart.
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

/// One in so many, as a percentile.
fn percentile(rare: f64) -> String {
    let percentile = 100.0 - 100.0 / rare;
    format!("{percentile:.2}").trim_end_matches('0').trim_end_matches('.').to_owned()
}
