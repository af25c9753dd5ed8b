//! The ratio of each round, and what the control shows: may any of this be believed?

use super::super::summary::shape_title;
use super::super::wording::{percent, ratio};
use super::frame::Frame;
use super::scale::Scale;
use super::svg::{Anchor, Svg};
use super::{Figure, WIDTH, name, series};
use crate::Comparison;
use crate::statistics::former::{Assessment, Estimate, Metric};
use crate::statistics::rounds::ratios;

const HEIGHT: f64 = 330.0;
const METRIC: Metric = Metric::HEADLINE;

/// One subject's part of the strip.
struct Column {
    subject: usize,
    class: String,
    label: String,
}

pub(super) fn figure(comparison: &Comparison, assessment: &Assessment) -> Figure {
    let shape = assessment.headline_shape;
    let picture = shape.and_then(|shape| picture(comparison, assessment, shape));
    let place = shape.map_or(String::new(), |shape| format!(" ({})", shape_title(comparison, shape)));
    let band = shape.map_or(0.0, |shape| assessment.shapes[shape].floor(METRIC).band);
    Figure {
        key: "rounds",
        question: "Should I believe any of this?",
        caption: format!(
            "A dot is one round: server CPU per message over that of the reference{place}. The bar is the interval, \
             the line across it the median. The first column is the reference against its own second run, where \
             every difference is noise; the band is that noise, ±{}. A subject whose bar leaves 1 and whose median \
             leaves the band is told from the reference. Hollow dots are flagged rounds.",
            percent(band)
        ),
        pictures: picture.into_iter().collect(),
        missing: "There are no rounds with a reference and another subject. Every tier has them with two backends.",
    }
}

fn picture(comparison: &Comparison, assessment: &Assessment, shape: usize) -> Option<String> {
    let reference = assessment.shapes[shape].reference?;
    let mut columns = Vec::new();
    if let Some(control) = crate::statistics::rounds::control_of(comparison, reference) {
        let label = format!("{} again", name(comparison, reference));
        columns.push(Column { subject: control, class: "control".to_owned(), label });
    }
    let others = assessment.ranked.iter().filter(|&&subject| subject != reference);
    columns.extend(others.map(|&subject| Column {
        subject,
        class: series(comparison, subject),
        label: name(comparison, subject).to_owned(),
    }));
    columns.retain(|column| !ratios(comparison, shape, METRIC, column.subject, reference).is_empty());
    if columns.is_empty() {
        return None;
    }
    let floor = assessment.shapes[shape].floor(METRIC);
    let rounds = |column: &Column| ratios(comparison, shape, METRIC, column.subject, reference);
    let values = columns.iter().flat_map(&rounds).map(|round| round.logarithm.exp());
    let (mut low, mut high) = (1.0 / (1.0 + floor.band), 1.0 + floor.band);
    for value in values {
        (low, high) = (low.min(value), high.max(value));
    }
    let y = Scale::logarithmic_over(low / 1.05, high * 1.05);
    let (left, right) = (62.0, WIDTH - 8.0);
    let frame =
        Frame { left, right, top: 34.0, bottom: HEIGHT - 46.0, x: Scale::over(0.0, columns.len() as f64), y };
    let mut svg = Svg::new(WIDTH, HEIGHT);
    let against =
        format!("CPU per message, {} = 1 (logarithmic); below 1 is cheaper", name(comparison, reference));
    svg.text("name", (0.0, 16.0), Anchor::Start, &against);
    let (above, below) = (frame.y(1.0 + floor.band), frame.y(1.0 / (1.0 + floor.band)));
    svg.area("band", (left, above), (right, below), &format!("noise: ±{}", percent(floor.band)));
    for tick in ticks(low / 1.05, high * 1.05) {
        svg.line(if tick == 1.0 { "axis" } else { "grid" }, (left, frame.y(tick)), (right, frame.y(tick)));
        svg.text("tick", (left - 7.0, frame.y(tick) + 4.0), Anchor::End, &ratio(tick));
    }
    for (index, column) in columns.iter().enumerate() {
        let rounds = rounds(column);
        let (from, to) = (frame.x(index as f64) + 12.0, frame.x(index as f64 + 1.0) - 12.0);
        let logarithms: Vec<f64> = rounds.iter().map(|round| round.logarithm).collect();
        if let Some(estimate) = Estimate::of(&logarithms, METRIC.confidence(), comparison.conditions.seed) {
            interval(&mut svg, &frame, column, &estimate, (from, to));
        }
        for (nth, round) in rounds.iter().enumerate() {
            let x = from + (to - from) * (nth as f64 + 0.5) / rounds.len() as f64;
            let class = format!("{}{}", if round.flagged { "hollow " } else { "" }, column.class);
            let flagged = if round.flagged { ", flagged" } else { "" };
            let value = round.logarithm.exp();
            let says = format!("{}, round {}: {}{flagged}", column.label, round.round + 1, ratio(value));
            svg.point(&class, column.subject, (x, frame.y(value)), &says);
        }
        let middle = f64::midpoint(from, to);
        svg.text(&format!("label {}", column.class), (middle, HEIGHT - 24.0), Anchor::Middle, &column.label);
    }
    Some(svg.finish("the ratio to the reference in each round, a column for each backend"))
}

fn interval(svg: &mut Svg, frame: &Frame, column: &Column, estimate: &Estimate, (from, to): (f64, f64)) {
    if let Some(interval) = estimate.interval {
        let says = format!("{}: {} to {}", column.label, ratio(interval.low), ratio(interval.high));
        let (low, high) = (frame.y(interval.low), frame.y(interval.high));
        svg.area(&format!("interval {}", column.class), (from, low), (to, high), &says);
    }
    let y = frame.y(estimate.median);
    svg.line(&format!("median {}", column.class), (from, y), (to, y));
    svg.text("value", (f64::midpoint(from, to), HEIGHT - 8.0), Anchor::Middle, &ratio(estimate.median));
}

/// Ratios on the axis: 1 and steps that fit the range, at most about eight.
fn ticks(low: f64, high: f64) -> Vec<f64> {
    let steps = [0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0];
    let step = steps.into_iter().find(|step| (high - low) / step <= 8.0);
    let Some(step) = step else { return Scale::logarithmic([low, high]).ticks() };
    let first = ((low - 1.0) / step).ceil() as i64;
    let last = ((high - 1.0) / step).floor() as i64;
    (first..=last)
        .map(|n| if n == 0 { 1.0 } else { 1.0 + n as f64 * step })
        .filter(|tick| *tick > 0.0)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axis_always_has_one_on_it() {
        assert!(ticks(0.62, 1.31).contains(&1.0));
        assert!(ticks(0.97, 1.03).len() > 2);
        assert!(ticks(0.001, 1000.0).contains(&1.0));
    }
}
