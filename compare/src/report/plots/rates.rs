//! The sweep of the rate: the cores that a rate needs, and the latency at a rate, which shows the headroom of each
//! server.

use load::slo::{Rank, Slo};

use super::axes::{Axes, Scale};
use super::labels::{self, Label};
use super::svg::{Anchor, Svg};
use super::{LEFT, LETTER, Plot, WIDTH, name, passes, right, series, shown};
use crate::report::wording::{self, amount, rate, time};
use crate::statistics::Assessment;
use crate::{Comparison, RatePoint};

/// The width of the picture for small screens.
const NARROW: f64 = 380.0;

pub(super) fn cores(comparison: &Comparison, assessment: &Assessment) -> Plot {
    let has_data =
        shown(comparison, assessment).any(|subject| sustained(comparison, subject).next().is_some());
    let pictures = has_data.then(|| cores_picture(comparison, assessment, WIDTH));
    Plot {
        key: "cores",
        question: "How many cores does a rate need?",
        caption: format!(
            "Server CPU time for each message × messages per second. A curve ends where the server can't keep up; \
the cross is the rate that it then achieved. A curve that ends in a hollow mark has not reached the \
limit: no higher rate was offered. {}",
            passes(comparison)
        ),
        pictures: pictures.into_iter().collect(),
        small: has_data.then(|| cores_picture(comparison, assessment, NARROW)),
        missing: "The rates were not measured: leave out --quick and --with-handwritten.",
    }
}

/// The number of cores that a point of the sweep needed.
fn needed(point: &RatePoint) -> f64 {
    (point.cpu.0 + point.cpu.1) * point.achieved / 1e6
}

/// A subject's points up to its first overload, by rate.
fn sustained(comparison: &Comparison, subject: usize) -> impl Iterator<Item = &RatePoint> {
    known(comparison, subject).take_while(|point| !point.overloaded)
}

/// A subject's points with known CPU time, by rate.
fn known(comparison: &Comparison, subject: usize) -> impl Iterator<Item = &RatePoint> {
    let is_known = |point: &&RatePoint| needed(point).is_finite() && needed(point) > 0.0;
    points(comparison, subject).into_iter().filter(is_known)
}

/// The first point at which it was overloaded.
fn end(comparison: &Comparison, subject: usize) -> Option<&RatePoint> {
    known(comparison, subject).find(|point| point.overloaded)
}

fn cores_picture(comparison: &Comparison, assessment: &Assessment, width: f64) -> String {
    let height = if width < WIDTH { 320.0 } else { 300.0 };
    let subjects: Vec<usize> = shown(comparison, assessment).collect();
    let all = || {
        subjects.iter().flat_map(|&subject| sustained(comparison, subject).chain(end(comparison, subject)))
    };
    let common = comparison.shapes.iter().find_map(|shape| shape.rate);
    let x = Scale::from_zero(all().map(|point| point.achieved).chain(common));
    let y = Scale::from_zero(all().map(needed));
    let longest =
        subjects.iter().map(|&subject| name(comparison, subject).chars().count()).max().unwrap_or(0);
    let right = if width < WIDTH {
        (width - 18.0 - LETTER * longest as f64).max(width / 2.0)
    } else {
        right(comparison, assessment, 0)
    };
    let left = if width < WIDTH { 30.0 } else { LEFT };
    let axes = Axes { left, right, top: 30.0, bottom: height - 44.0, x, y };
    let mut svg = Svg::new(width, height);
    svg.text("name", (0.0, 14.0), Anchor::Start, "cores");
    axes.draw_y(&mut svg, wording::cores);
    axes.draw_x(&mut svg, &x.ticks(), amount, "messages per second");
    let (mut labels, mut covered) = (Vec::new(), Vec::new());
    if let Some(common) = common {
        let (place, said) = (axes.x(common), format!("the common rate, {}", rate(common)));
        svg.line("common", (place, axes.top), (place, axes.bottom));
        let (from, to) =
            ((place + 4.0, axes.top - 3.0), (place + 4.0 + 0.8 * labels::length(&said), axes.top - 3.0));
        svg.text("tick", from, Anchor::Start, &said);
        // Names must not cover it.
        covered.extend((0..4).flat_map(|_| labels::along(&[from, to])));
    }
    for &subject in &subjects {
        let places = curve(&mut svg, &axes, comparison, subject);
        if let Some(&end) = places.last() {
            let (class, text) = (series(comparison, subject), name(comparison, subject).to_owned());
            labels.push(Label { class, end, text });
        }
        covered.extend(labels::along(&places));
    }
    labels::at_the_ends(&axes, &mut svg, labels, &covered, width);
    svg.finish("cores needed against messages per second, a curve for each server")
}

/// Draws a server's curve, and returns its points.
fn curve(svg: &mut Svg, axes: &Axes, comparison: &Comparison, subject: usize) -> Vec<(f64, f64)> {
    let (class, who) = (series(comparison, subject), name(comparison, subject));
    let place = |point: &RatePoint| axes.at(point.achieved, needed(point));
    let mut places: Vec<_> = sustained(comparison, subject).map(place).collect();
    svg.curve(&class, &places);
    for point in sustained(comparison, subject) {
        let (rate, each) = (rate(point.achieved), time(point.cpu.0 + point.cpu.1));
        let tooltip = format!("{who}: {} cores at {rate}, {each} a message", wording::cores(needed(point)));
        svg.point(&class, subject, place(point), &tooltip);
    }
    if let Some(point) = end(comparison, subject) {
        let tooltip = format!("{who}: {} of {} were answered", rate(point.achieved), rate(point.offered));
        if let Some(&last) = places.last() {
            svg.line(&format!("lead {class}"), last, place(point));
        }
        svg.cross(&class, place(point), &tooltip);
        places.push(place(point));
    } else if let Some(&last) = places.last() {
        svg.point(&format!("hollow {class}"), subject, last, &format!("{who}: not reached its limit"));
    }
    places
}

pub(super) fn latency(comparison: &Comparison, assessment: &Assessment) -> Plot {
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
            latency_picture(
                comparison,
                assessment,
                "p99 from schedule",
                (330.0, true),
                limit_of(99.0),
                |point| point.p99,
            ),
            latency_picture(
                comparison,
                assessment,
                "p50 from schedule",
                (230.0, false),
                limit_of(50.0),
                |point| point.p50,
            ),
        ]
    } else {
        Vec::new()
    };
    let limit = if has_limit { " The dashed line is the objective." } else { "" };
    let passes = passes(comparison);
    Plot {
        key: "latency",
        question: "At what rate is each server overloaded?",
        caption: format!(
            "Latency counts from the scheduled time of a message, so it includes the wait for a server that has \
fallen behind. A cross in the hatched strip is a rate at which less than 98 % of the messages were \
answered: latencies there depend only on the length of the measurement, so they are not drawn.{limit} \
{passes}"
        ),
        pictures,
        missing: "The rates were not measured: leave out --quick and --with-handwritten.",
        ..Plot::default()
    }
}

/// A subject's points by rate.
fn points(comparison: &Comparison, subject: usize) -> Vec<&RatePoint> {
    let mut points: Vec<_> = comparison.rate_sweep.iter().filter(|point| point.subject == subject).collect();
    points.sort_by(|one, other| one.offered.total_cmp(&other.offered));
    points
}

fn latency_picture(
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
        // Only points up to the first overload are joined: those rates were sustained.
        let sustained: Vec<_> = points.iter().take_while(|point| !point.overloaded).collect();
        let places: Vec<_> = sustained.iter().map(|point| axes.at(point.offered, value(point))).collect();
        svg.curve(&class, &places);
        covered.extend(labels::along(&places));
        for point in &points {
            let who = name(comparison, subject);
            let offered = rate(point.offered);
            if point.overloaded && with_strip {
                let y = top - strip + 8.0 + 10.0 * row as f64;
                let tooltip =
                    format!("{who}: overloaded at {offered} offered, {} achieved", rate(point.achieved));
                svg.cross(&class, (axes.x(point.offered), y), &tooltip);
            } else if !point.overloaded {
                let tooltip = format!("{who}: {what} {} at {offered}", time(value(point)));
                svg.point(&class, subject, axes.at(point.offered, value(point)), &tooltip);
            }
        }
        if let Some(&end) = places.last() {
            labels.push(Label { class, end, text: name(comparison, subject).to_owned() });
        }
    }
    labels::at_the_ends(&axes, &mut svg, labels, &covered, WIDTH);
    svg.finish(&format!("{what} against the offered rate, a curve for each server"))
}
