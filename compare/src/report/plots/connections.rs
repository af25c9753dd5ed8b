//! The effect of more connections: throughput, and the memory of idle ones.

use super::axes::{Axes, Scale};
use super::labels::{self, Label};
use super::svg::{Anchor, Svg};
use super::{LEFT, Plot, WIDTH, name, passes, right, series, shown};
use crate::report::wording::{amount, bytes, count, rate};
use crate::statistics::{Assessment, per_connection};
use crate::{Comparison, ConnectionPoint, MemorySample};

/// The height of each picture.
const THROUGHPUT: f64 = 300.0;
const MEMORY: f64 = 290.0;

pub(super) fn throughput(comparison: &Comparison, assessment: &Assessment) -> Plot {
    let has_data = shown(comparison, assessment).any(|subject| !sweep_of(comparison, subject).is_empty());
    Plot {
        key: "throughput",
        question: "Does throughput hold as connections grow?",
        caption: format!(
            "A closed loop: each connection sends when its reply has come. A cross marks where connections could \
not be opened or broke. Closed loops favor servers that stall, and if server and generator share cores, \
they also measure how the cores are divided: compare with the cost per message. {}",
            passes(comparison)
        ),
        pictures: has_data.then(|| throughput_picture(comparison, assessment)).into_iter().collect(),
        missing: "Throughput against connections was not measured: use --full, without --with-handwritten.",
        ..Plot::default()
    }
}

fn sweep_of(comparison: &Comparison, subject: usize) -> Vec<&ConnectionPoint> {
    let mut points: Vec<_> =
        comparison.connection_sweep.iter().filter(|point| point.subject == subject).collect();
    points.sort_by_key(|point| point.connections);
    points
}

fn throughput_picture(comparison: &Comparison, assessment: &Assessment) -> String {
    let all = || shown(comparison, assessment).flat_map(|subject| sweep_of(comparison, subject));
    let x = Scale::logarithmic(all().map(|point| point.connections as f64));
    let y = Scale::from_zero(all().map(|point| point.rate));
    let right = right(comparison, assessment, 0);
    let axes = Axes { left: LEFT, right, top: 34.0, bottom: THROUGHPUT - 44.0, x, y };
    let mut svg = Svg::new(WIDTH, THROUGHPUT);
    svg.text("name", (0.0, 16.0), Anchor::Start, "replies per second");
    axes.draw_y(&mut svg, amount);
    axes.draw_x(&mut svg, &x.ticks(), amount, "connections (logarithmic)");
    let mut labels = Vec::new();
    for subject in shown(comparison, assessment) {
        let (class, points) = (series(comparison, subject), sweep_of(comparison, subject));
        let places: Vec<_> =
            points.iter().map(|point| axes.at(point.connections as f64, point.rate)).collect();
        svg.curve(&class, &places);
        for (point, &place) in points.iter().zip(&places) {
            let who = name(comparison, subject);
            let tooltip = format!(
                "{who}: {} with {}",
                rate(point.rate),
                count(point.connections, "connection", "connections")
            );
            if point.failed > 0 {
                svg.cross(&class, place, &format!("{tooltip}, {} of which failed", point.failed));
            } else {
                svg.point(&class, subject, place, &tooltip);
            }
        }
        if let Some(&end) = places.last() {
            labels.push(Label { class, end, text: name(comparison, subject).to_owned() });
        }
    }
    labels::in_a_column(&axes, &mut svg, labels);
    svg.finish("replies per second against connections, a curve for each server")
}

pub(super) fn memory(comparison: &Comparison, assessment: &Assessment) -> Plot {
    let has_data = shown(comparison, assessment).any(|subject| !samples_of(comparison, subject).is_empty());
    Plot {
        key: "memory",
        question: "What does an idle client cost?",
        caption: "The server's anonymous memory, with idle clients that have exchanged one message each. The line is \
the least squares fit, its slope the memory of one more connection; the kernel's socket buffers are \
not included."
            .to_owned(),
        pictures: has_data.then(|| memory_picture(comparison, assessment)).into_iter().collect(),
        missing: "Memory was not measured: leave out --quick and --with-handwritten.",
        ..Plot::default()
    }
}

fn samples_of(comparison: &Comparison, subject: usize) -> Vec<&MemorySample> {
    comparison.memory.iter().filter(|sample| sample.subject == subject).collect()
}

fn memory_picture(comparison: &Comparison, assessment: &Assessment) -> String {
    let all = || shown(comparison, assessment).flat_map(|subject| samples_of(comparison, subject));
    let x = Scale::from_zero(all().map(|point| point.connections as f64));
    let mebibytes = |bytes: f64| bytes / 1024.0 / 1024.0;
    let y = Scale::from_zero(all().map(|point| mebibytes(point.bytes as f64)));
    let axes =
        Axes { left: LEFT, right: right(comparison, assessment, 15), top: 34.0, bottom: MEMORY - 44.0, x, y };
    let mut svg = Svg::new(WIDTH, MEMORY);
    svg.text("name", (0.0, 16.0), Anchor::Start, "memory");
    axes.draw_y(&mut svg, |value| format!("{} MiB", amount(value)));
    axes.draw_x(&mut svg, &x.ticks(), amount, "idle connections");
    let mut labels = Vec::new();
    for subject in shown(comparison, assessment) {
        let (class, who, points) =
            (series(comparison, subject), name(comparison, subject), samples_of(comparison, subject));
        for point in &points {
            let tooltip =
                format!("{who}: {} with {} idle connections", bytes(point.bytes as f64), point.connections);
            let place = axes.at(point.connections as f64, mebibytes(point.bytes as f64));
            svg.point(&class, subject, place, &tooltip);
        }
        let most = points.iter().map(|point| point.connections).max().unwrap_or(0) as f64;
        if let Some((slope, base)) = per_connection(comparison, subject) {
            let end = axes.at(most, mebibytes(base + slope * most));
            svg.curve(&class, &[axes.at(0.0, mebibytes(base)), end]);
            labels.push(Label { class, end, text: format!("{who}: {} each", bytes(slope)) });
        } else if let Some(point) = points.last() {
            let end = axes.at(point.connections as f64, mebibytes(point.bytes as f64));
            labels.push(Label { class, end, text: who.to_owned() });
        }
    }
    labels::in_a_column(&axes, &mut svg, labels);
    svg.finish("memory against idle connections, a line for each server")
}
