//! The ratio to the reference in each round, for the control and for each server.

use super::axes::{Axes, Scale};
use super::svg::{Anchor, Svg};
use super::{LETTER, Plot, WIDTH, name, series};
use crate::Comparison;
use crate::report::wording::load_in_words;
use crate::report::wording::{percent, ratio};
use crate::statistics::rounds::{Round, control_of, ratios};
use crate::statistics::{Assessment, Column, Estimate, Metric};

/// The height of a server's row.
const ROW: f64 = 30.0;

/// One server's row.
struct Strip {
    subject: usize,
    class: String,
    label: String,
    rounds: Vec<Round>,
    estimate: Option<Estimate>,
}

pub(super) fn plot(comparison: &Comparison, assessment: &Assessment) -> Plot {
    // The column with which the verdict begins.
    let column = assessment.columns.iter().find(|column| column.absent.is_none() && column.shape.is_some());
    let band = column.map_or(0.0, |column| column.band);
    let place = column
        .and_then(|column| column.shape)
        .map_or(String::new(), |shape| load_in_words(comparison, shape));
    Plot {
        key: "rounds",
        question: "How much do the rounds differ?",
        caption: format!(
            "A dot is one round: server CPU per message divided by that of the reference ({place}). The bar is the 95 % \
             interval, the line across it the estimate. The first row is the second run of the reference compared with the first; \
its differences are noise. A server is called better or worse only if its line lies outside the noise \
band, ±{}, and chance would produce such a difference anywhere in the column in at most 5 of 100 \
comparisons; a bar that does not include 1 is not sufficient. Hollow dots are rounds that are flagged for CPU.",
            percent(band)
        ),
        pictures: column.and_then(|column| picture(comparison, assessment, column)).into_iter().collect(),
        missing: "There are no rounds with a reference and another server: compare at least two.",
        ..Plot::default()
    }
}

fn strips(comparison: &Comparison, assessment: &Assessment, column: &Column) -> Option<Vec<Strip>> {
    let (reference, shape) = (assessment.reference?, column.shape?);
    let strip = |subject: usize, class: String, label: String, estimate: Option<Estimate>| Strip {
        subject,
        class,
        label,
        rounds: ratios(comparison, shape, Metric::Cpu, subject, reference),
        estimate,
    };
    let mut strips = Vec::new();
    if let Some(control) = control_of(comparison, reference) {
        let label = format!("{} again", name(comparison, reference));
        strips.push(strip(control, "control".to_owned(), label, column.noise.estimate));
    }
    for cell in column.cells.iter().filter(|cell| cell.subject != reference) {
        let label = name(comparison, cell.subject).to_owned();
        strips.push(strip(cell.subject, series(comparison, cell.subject), label, cell.ratio));
    }
    strips.retain(|strip| !strip.rounds.is_empty());
    (!strips.is_empty()).then_some(strips)
}

fn picture(comparison: &Comparison, assessment: &Assessment, column: &Column) -> Option<String> {
    let strips = strips(comparison, assessment, column)?;
    let band = column.band;
    let (mut low, mut high) = (1.0 / (1.0 + band), 1.0 + band);
    for value in strips.iter().flat_map(|strip| &strip.rounds).map(|round| round.logarithm.exp()) {
        (low, high) = (low.min(value), high.max(value));
    }
    let x = Scale::logarithmic_over(low / 1.03, high * 1.03);
    let longest = strips.iter().map(|strip| strip.label.chars().count()).max().unwrap_or(0);
    let left = (LETTER * longest as f64 + 14.0).clamp(80.0, WIDTH / 3.0);
    let (top, bottom) = (30.0, 34.0 + ROW * strips.len() as f64);
    let axes = Axes { left, right: WIDTH - 70.0, top, bottom, x, y: Scale::over(0.0, strips.len() as f64) };
    let mut svg = Svg::new(WIDTH, bottom + 26.0);
    let reference = name(comparison, assessment.reference?);
    let what = format!("CPU per message, {reference} = 1 (logarithmic); less is better");
    svg.text("name", (0.0, 14.0), Anchor::Start, &what);
    let (from, to) = (axes.x(1.0 / (1.0 + band)), axes.x(1.0 + band));
    svg.area("band", (from, top), (to, bottom), &format!("noise: ±{}", percent(band)));
    for tick in ticks(low / 1.03, high * 1.03) {
        let class = if tick == 1.0 { "axis" } else { "grid" };
        svg.line(class, (axes.x(tick), top), (axes.x(tick), bottom));
        svg.text("tick", (axes.x(tick), bottom + 16.0), Anchor::Middle, &ratio(tick));
    }
    for (index, strip) in strips.iter().enumerate() {
        row(&mut svg, &axes, strip, top + 4.0 + ROW * index as f64);
    }
    Some(svg.finish("the ratio to the reference in each round, a row for each server"))
}

fn row(svg: &mut Svg, axes: &Axes, strip: &Strip, top: f64) {
    let (from, to) = (top + 3.0, top + ROW - 5.0);
    if let Some(estimate) = strip.estimate {
        if let Some(interval) = estimate.interval {
            let tooltip = format!("{}: {} to {}", strip.label, ratio(interval.low), ratio(interval.high));
            let class = format!("interval {}", strip.class);
            svg.area(&class, (axes.x(interval.low), from), (axes.x(interval.high), to), &tooltip);
        }
        let x = axes.x(estimate.median);
        svg.line(&format!("median {}", strip.class), (x, from), (x, to));
        svg.text("value", (WIDTH, top + ROW / 2.0 + 3.0), Anchor::End, &ratio(estimate.median));
    }
    for (nth, round) in strip.rounds.iter().enumerate() {
        // In the order of the rounds from top to bottom, so that the points don't overlap.
        let y = from + (to - from) * (nth as f64 + 0.5) / strip.rounds.len() as f64;
        let class = format!("{}{}", if round.flagged { "hollow " } else { "" }, strip.class);
        let flagged = if round.flagged { ", flagged" } else { "" };
        let value = round.logarithm.exp();
        let tooltip = format!("{}, round {}: {}{flagged}", strip.label, round.round + 1, ratio(value));
        svg.point(&class, strip.subject, (axes.x(value), y), &tooltip);
    }
    let class = format!("label {}", strip.class);
    svg.text(&class, (axes.left - 10.0, top + ROW / 2.0 + 3.0), Anchor::End, &strip.label);
}

/// The ratios on the axis: 1, and steps that fit the range, at most about eight.
fn ticks(low: f64, high: f64) -> Vec<f64> {
    let steps = [0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0];
    let step = steps.into_iter().find(|step| (high - low) / step <= 8.0);
    let Some(step) = step else { return Scale::logarithmic([low, high]).ticks() };
    let first = ((low - 1.0) / step).ceil() as i64;
    let last = ((high - 1.0) / step).floor() as i64;
    let at = |n| if n == 0 { 1.0 } else { 1.0 + n as f64 * step };
    (first..=last).map(at).filter(|tick| *tick > 0.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axis_always_includes_one() {
        assert!(ticks(0.62, 1.31).contains(&1.0));
        assert!(ticks(0.97, 1.03).len() > 2);
        assert!(ticks(0.001, 1000.0).contains(&1.0));
    }
}
