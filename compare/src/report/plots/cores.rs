//! Cores needed against the rate: how many to buy.

use super::axes::Axes;
use super::labels::{self, Label};
use super::scale::Scale;
use super::svg::{Anchor, Svg};
use super::{LEFT, LETTER, Plot, WIDTH, name, passes, right, series, shown};
use crate::report::wording::{amount, cores, rate, time};
use crate::statistics::Assessment;
use crate::{Comparison, RatePoint};

/// The width of the same picture for a small screen.
const NARROW: f64 = 380.0;

pub(super) fn plot(comparison: &Comparison, assessment: &Assessment) -> Plot {
    let has_data = shown(comparison, assessment).any(|subject| kept(comparison, subject).next().is_some());
    let pictures = has_data.then(|| picture(comparison, assessment, WIDTH));
    Plot {
        key: "cores",
        question: "How many cores does a rate need?",
        caption: format!(
            "Server CPU time for each message × messages per second. A curve ends where the server no longer keeps \
             up; the cross is what it then answered. One that ends in a hollow mark has not reached its limit: no \
             higher rate was offered. {}",
            passes(comparison)
        ),
        pictures: pictures.into_iter().collect(),
        small: has_data.then(|| picture(comparison, assessment, NARROW)),
        missing: "The rate was not swept: leave out --quick and --with-handwritten.",
    }
}

/// Cores that a point of the sweep needed.
fn needed(point: &RatePoint) -> f64 {
    (point.cpu.0 + point.cpu.1) * point.achieved / 1e6
}

/// A subject's points up to its first overload, by rate.
fn kept(comparison: &Comparison, subject: usize) -> impl Iterator<Item = &RatePoint> {
    points(comparison, subject).into_iter().take_while(|point| !point.overloaded)
}

fn points(comparison: &Comparison, subject: usize) -> Vec<&RatePoint> {
    let is_known = |point: &&RatePoint| needed(point).is_finite() && needed(point) > 0.0;
    let of_it = comparison.rate_sweep.iter().filter(|point| point.subject == subject);
    let mut points: Vec<_> = of_it.filter(is_known).collect();
    points.sort_by(|one, other| one.offered.total_cmp(&other.offered));
    points
}

/// The first point at which it no longer kept up.
fn end(comparison: &Comparison, subject: usize) -> Option<&RatePoint> {
    points(comparison, subject).into_iter().find(|point| point.overloaded)
}

fn picture(comparison: &Comparison, assessment: &Assessment, width: f64) -> String {
    let height = if width < WIDTH { 320.0 } else { 300.0 };
    let subjects: Vec<usize> = shown(comparison, assessment).collect();
    let all =
        || subjects.iter().flat_map(|&subject| kept(comparison, subject).chain(end(comparison, subject)));
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
    axes.draw_y(&mut svg, cores);
    axes.draw_x(&mut svg, &x.ticks(), amount, "messages per second");
    if let Some(common) = common {
        let place = axes.x(common);
        svg.line("common", (place, axes.top), (place, axes.bottom));
        svg.text(
            "tick",
            (place + 4.0, axes.top - 3.0),
            Anchor::Start,
            &format!("the common rate, {}", rate(common)),
        );
    }
    let (mut labels, mut covered) = (Vec::new(), Vec::new());
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

/// Draws a server's curve, and says where it went.
fn curve(svg: &mut Svg, axes: &Axes, comparison: &Comparison, subject: usize) -> Vec<(f64, f64)> {
    let (class, who) = (series(comparison, subject), name(comparison, subject));
    let place = |point: &RatePoint| axes.at(point.achieved, needed(point));
    let mut places: Vec<_> = kept(comparison, subject).map(place).collect();
    svg.curve(&class, &places);
    for point in kept(comparison, subject) {
        let (rate, each) = (rate(point.achieved), time(point.cpu.0 + point.cpu.1));
        let says = format!("{who}: {} cores at {rate}, {each} a message", cores(needed(point)));
        svg.point(&class, subject, place(point), &says);
    }
    if let Some(point) = end(comparison, subject) {
        let says = format!("{who}: {} of {} were answered", rate(point.achieved), rate(point.offered));
        if let Some(&last) = places.last() {
            svg.line(&format!("lead {class}"), last, place(point));
        }
        svg.cross(&class, place(point), &says);
        places.push(place(point));
    } else if let Some(&last) = places.last() {
        svg.point(&format!("hollow {class}"), subject, last, &format!("{who}: not reached its limit"));
    }
    places
}
