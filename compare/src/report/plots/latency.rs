//! Latency against the offered rate: how much headroom each backend has.

use crate::report::wording::{amount, rate, time};
use load::slo::{Rank, Slo};

use super::axes::Axes;
use super::labels::{self, Label};
use super::scale::Scale;
use super::svg::{Anchor, Svg};
use super::{LEFT, Plot, WIDTH, name, passes, right, series, shown};
use crate::statistics::Assessment;
use crate::{Comparison, RatePoint};

pub(super) fn plot(comparison: &Comparison, assessment: &Assessment) -> Plot {
    let has_data = shown(comparison, assessment).any(|subject| !points(comparison, subject).is_empty());
    let slos: Vec<Slo> =
        comparison.conditions.slos.iter().filter_map(|written| written.parse().ok()).collect();
    let limit_of = |percentile: f64| {
        let of_it = slos.iter().find(|slo| slo.rank == Rank::Percentile(percentile));
        of_it.map(|slo| slo.limit.as_secs_f64() * 1e6)
    };
    let has_limit = limit_of(99.0).or(limit_of(50.0)).is_some();
    let pictures = if has_data {
        vec![
            picture(comparison, assessment, "p99 from schedule", (330.0, true), limit_of(99.0), |point| {
                point.p99
            }),
            picture(comparison, assessment, "p50 from schedule", (230.0, false), limit_of(50.0), |point| {
                point.p50
            }),
        ]
    } else {
        Vec::new()
    };
    let limit = if has_limit { " The dashed line is the objective." } else { "" };
    let passes = passes(comparison);
    Plot {
        key: "latency",
        question: "At what rate does each server break?",
        caption: format!(
            "Latency counts from the time at which a message was due, so it includes the wait for a server that \
             has fallen behind. A cross in the hatched strip is a rate at which less than 98 % of the messages \
             were answered: latencies there only say how long it was measured, so they are not drawn.{limit} \
             {passes}"
        ),
        pictures,
        missing: "The rate was not swept: leave out --quick and --with-handwritten.",
        ..Plot::default()
    }
}

/// A subject's points by rate.
fn points(comparison: &Comparison, subject: usize) -> Vec<&RatePoint> {
    let mut points: Vec<_> = comparison.rate_sweep.iter().filter(|point| point.subject == subject).collect();
    points.sort_by(|one, other| one.offered.total_cmp(&other.offered));
    points
}

fn picture(
    comparison: &Comparison,
    assessment: &Assessment,
    what: &str,
    (height, with_strip): (f64, bool),
    limit: Option<f64>,
    value: impl Fn(&RatePoint) -> f64,
) -> String {
    let subjects: Vec<usize> =
        shown(comparison, assessment).filter(|&subject| !points(comparison, subject).is_empty()).collect();
    let all = || subjects.iter().flat_map(|&subject| points(comparison, subject));
    let strip = if with_strip { 10.0 * subjects.len() as f64 + 6.0 } else { 0.0 };
    let top = 34.0 + strip;
    let y = Scale::logarithmic(all().filter(|point| !point.overloaded).map(&value).chain(limit));
    let x = Scale::from_zero(all().map(|point| point.offered));
    let right = right(comparison, assessment, 0);
    let axes = Axes { left: LEFT, right, top: top + 6.0, bottom: height - 44.0, x, y };
    let mut svg = Svg::new(WIDTH, height);
    if with_strip {
        svg.area("hatched", (LEFT, top - strip), (right, top), "");
        svg.text("tick", (right + 14.0, top - strip / 2.0 + 4.0), Anchor::Start, "overloaded");
    }
    svg.text("name", (0.0, 16.0), Anchor::Start, &format!("{what} (logarithmic)"));
    axes.draw_y(&mut svg, time);
    axes.draw_x(&mut svg, &x.ticks(), amount, "offered rate, messages per second");
    if let Some(limit) = limit {
        svg.line("limit", (LEFT, axes.y(limit)), (right, axes.y(limit)));
        svg.text(
            "limit-label",
            (LEFT + 6.0, axes.y(limit) - 5.0),
            Anchor::Start,
            &format!("limit {}", time(limit)),
        );
    }
    let (mut labels, mut covered) = (Vec::new(), Vec::new());
    for (row, &subject) in subjects.iter().enumerate() {
        let (class, points) = (series(comparison, subject), points(comparison, subject));
        // Only up to the first overload: what is joined must have been sustained.
        let kept: Vec<_> = points.iter().take_while(|point| !point.overloaded).collect();
        let places: Vec<_> = kept.iter().map(|point| axes.at(point.offered, value(point))).collect();
        svg.curve(&class, &places);
        covered.extend(labels::along(&places));
        for point in &points {
            let who = name(comparison, subject);
            let offered = rate(point.offered);
            if point.overloaded && with_strip {
                let y = top - strip + 8.0 + 10.0 * row as f64;
                let says =
                    format!("{who}: overloaded at {offered} offered, {} achieved", rate(point.achieved));
                svg.cross(&class, (axes.x(point.offered), y), &says);
            } else if !point.overloaded {
                let says = format!("{who}: {what} {} at {offered}", time(value(point)));
                svg.point(&class, subject, axes.at(point.offered, value(point)), &says);
            }
        }
        if let Some(&end) = places.last() {
            labels.push(Label { class, end, text: name(comparison, subject).to_owned() });
        }
    }
    labels::at_the_ends(&axes, &mut svg, labels, &covered, WIDTH);
    svg.finish(&format!("{what} against the offered rate, a curve for each server"))
}
