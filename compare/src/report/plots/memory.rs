//! Memory against idle connections, and what one of them costs.

use super::axes::Axes;
use super::labels::{self, Label};
use super::scale::Scale;
use super::svg::{Anchor, Svg};
use super::{LEFT, Plot, WIDTH, name, right, series, shown};
use crate::report::wording::{amount, bytes};
use crate::statistics::{Assessment, per_connection};
use crate::{Comparison, MemorySample};

const HEIGHT: f64 = 290.0;

pub(super) fn plot(comparison: &Comparison, assessment: &Assessment) -> Plot {
    let has_data = shown(comparison, assessment).any(|subject| !points(comparison, subject).is_empty());
    Plot {
        key: "memory",
        question: "What does an idle client cost?",
        caption: "The server's own (anonymous) memory, with clients that have exchanged a message and now say \
                  nothing. The line is the least squares' fit, its slope the cost of one more connection; the \
                  kernel's socket buffers are not in it."
            .to_owned(),
        pictures: has_data.then(|| picture(comparison, assessment)).into_iter().collect(),
        missing: "Memory was not measured: leave out --quick and --with-handwritten.",
        ..Plot::default()
    }
}

fn points(comparison: &Comparison, subject: usize) -> Vec<&MemorySample> {
    comparison.memory.iter().filter(|sample| sample.subject == subject).collect()
}

fn picture(comparison: &Comparison, assessment: &Assessment) -> String {
    let all = || shown(comparison, assessment).flat_map(|subject| points(comparison, subject));
    let x = Scale::from_zero(all().map(|point| point.connections as f64));
    let mebibytes = |bytes: f64| bytes / 1024.0 / 1024.0;
    let y = Scale::from_zero(all().map(|point| mebibytes(point.bytes as f64)));
    let axes =
        Axes { left: LEFT, right: right(comparison, assessment, 15), top: 34.0, bottom: HEIGHT - 44.0, x, y };
    let mut svg = Svg::new(WIDTH, HEIGHT);
    svg.text("name", (0.0, 16.0), Anchor::Start, "memory");
    axes.draw_y(&mut svg, |value| format!("{} MiB", amount(value)));
    axes.draw_x(&mut svg, &x.ticks(), amount, "idle connections");
    let mut labels = Vec::new();
    for subject in shown(comparison, assessment) {
        let (class, who, points) =
            (series(comparison, subject), name(comparison, subject), points(comparison, subject));
        for point in &points {
            let says =
                format!("{who}: {} with {} idle connections", bytes(point.bytes as f64), point.connections);
            let place = axes.at(point.connections as f64, mebibytes(point.bytes as f64));
            svg.point(&class, subject, place, &says);
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
