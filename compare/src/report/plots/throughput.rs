//! Throughput against connections: does a model scale with them?

use super::axes::Axes;
use super::labels::{self, Label};
use super::scale::Scale;
use super::svg::{Anchor, Svg};
use super::{LEFT, Plot, WIDTH, name, passes, right, series, shown};
use crate::report::wording::{amount, count, rate};
use crate::statistics::Assessment;
use crate::{Comparison, ConnectionPoint};

const HEIGHT: f64 = 300.0;

pub(super) fn plot(comparison: &Comparison, assessment: &Assessment) -> Plot {
    let has_data = shown(comparison, assessment).any(|subject| !points(comparison, subject).is_empty());
    Plot {
        key: "throughput",
        question: "Does throughput hold as connections grow?",
        caption: format!(
            "A closed loop: each connection sends when its reply has come. A cross marks where connections could \
             not be made or broke. Closed loops flatter servers that stall, and on shared cores they measure also \
             who gets the cores: read the cost per message beside it. {}",
            passes(comparison)
        ),
        pictures: has_data.then(|| picture(comparison, assessment)).into_iter().collect(),
        missing: "Connections were not swept: --full does that, without --with-handwritten.",
        ..Plot::default()
    }
}

fn points(comparison: &Comparison, subject: usize) -> Vec<&ConnectionPoint> {
    let mut points: Vec<_> =
        comparison.connection_sweep.iter().filter(|point| point.subject == subject).collect();
    points.sort_by_key(|point| point.connections);
    points
}

fn picture(comparison: &Comparison, assessment: &Assessment) -> String {
    let all = || shown(comparison, assessment).flat_map(|subject| points(comparison, subject));
    let x = Scale::logarithmic(all().map(|point| point.connections as f64));
    let y = Scale::from_zero(all().map(|point| point.rate));
    let right = right(comparison, assessment, 0);
    let axes = Axes { left: LEFT, right, top: 34.0, bottom: HEIGHT - 44.0, x, y };
    let mut svg = Svg::new(WIDTH, HEIGHT);
    svg.text("name", (0.0, 16.0), Anchor::Start, "replies per second");
    axes.draw_y(&mut svg, amount);
    axes.draw_x(&mut svg, &x.ticks(), amount, "connections (logarithmic)");
    let mut labels = Vec::new();
    for subject in shown(comparison, assessment) {
        let (class, points) = (series(comparison, subject), points(comparison, subject));
        let places: Vec<_> =
            points.iter().map(|point| axes.at(point.connections as f64, point.rate)).collect();
        svg.curve(&class, &places);
        for (point, &place) in points.iter().zip(&places) {
            let who = name(comparison, subject);
            let says = format!(
                "{who}: {} with {}",
                rate(point.rate),
                count(point.connections, "connection", "connections")
            );
            if point.failed > 0 {
                svg.cross(&class, place, &format!("{says}, {} of which failed", point.failed));
            } else {
                svg.point(&class, subject, place, &says);
            }
        }
        if let Some(&end) = places.last() {
            labels.push(Label { class, end, text: name(comparison, subject).to_owned() });
        }
    }
    labels::in_a_column(&axes, &mut svg, labels);
    svg.finish("replies per second against connections, a curve for each server")
}
