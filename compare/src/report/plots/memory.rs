//! Memory against idle connections, and what one of them costs.

use super::super::summary::bytes_per_connection;
use super::super::wording::{amount, bytes};
use super::frame::Frame;
use super::scale::Scale;
use super::svg::{Anchor, Svg};
use super::{Figure, LEFT, WIDTH, name, right, series, shown};
use crate::statistics::former::Assessment;
use crate::{Comparison, MemorySample};

const HEIGHT: f64 = 290.0;

pub(super) fn figure(comparison: &Comparison, assessment: &Assessment) -> Figure {
    let has_data = shown(assessment).any(|subject| !points(comparison, subject).is_empty());
    Figure {
        key: "memory",
        question: "What does an idle client cost?",
        caption: "The server's own (anonymous) memory, with clients that have exchanged a message and now say \
                  nothing. The line is the least squares' fit, its slope the cost of one more connection; the \
                  kernel's socket buffers are not in it."
            .to_owned(),
        pictures: has_data.then(|| picture(comparison, assessment)).into_iter().collect(),
        missing: "Memory was not measured. The default tier and --full measure it, --quick does not.",
    }
}

fn points(comparison: &Comparison, subject: usize) -> Vec<&MemorySample> {
    comparison.memory.iter().filter(|sample| sample.subject == subject).collect()
}

fn picture(comparison: &Comparison, assessment: &Assessment) -> String {
    let all = || shown(assessment).flat_map(|subject| points(comparison, subject));
    let x = Scale::from_zero(all().map(|point| point.connections as f64));
    let mebibytes = |bytes: f64| bytes / 1024.0 / 1024.0;
    let y = Scale::from_zero(all().map(|point| mebibytes(point.bytes as f64)));
    let frame = Frame {
        left: LEFT,
        right: right(comparison, assessment, 15),
        top: 34.0,
        bottom: HEIGHT - 44.0,
        x,
        y,
    };
    let mut svg = Svg::new(WIDTH, HEIGHT);
    svg.text("name", (0.0, 16.0), Anchor::Start, "memory");
    frame.draw_y(&mut svg, |value| format!("{} MiB", amount(value)));
    frame.draw_x(&mut svg, &x.ticks(), amount, "idle connections");
    let mut labels = Vec::new();
    for subject in shown(assessment) {
        let (class, who, points) =
            (series(comparison, subject), name(comparison, subject), points(comparison, subject));
        for point in &points {
            let says =
                format!("{who}: {} with {} idle connections", bytes(point.bytes as f64), point.connections);
            let place = frame.at(point.connections as f64, mebibytes(point.bytes as f64));
            svg.point(&class, subject, place, &says);
        }
        let most = points.iter().map(|point| point.connections).max().unwrap_or(0) as f64;
        if let Some((slope, base)) = bytes_per_connection(comparison, subject) {
            let end = frame.at(most, mebibytes(base + slope * most));
            svg.curve(&class, &[frame.at(0.0, mebibytes(base)), end]);
            labels.push((class, end, format!("{who}: {} each", bytes(slope))));
        } else if let Some(point) = points.last() {
            let end = frame.at(point.connections as f64, mebibytes(point.bytes as f64));
            labels.push((class, end, who.to_owned()));
        }
    }
    frame.label(&mut svg, labels);
    svg.finish("memory against idle connections, a line for each backend")
}
