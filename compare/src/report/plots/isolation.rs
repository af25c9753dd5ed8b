//! The latency of good clients beside hostile ones.

use super::super::wording::time;
use super::frame::Frame;
use super::scale::Scale;
use super::svg::{Anchor, Svg};
use super::{Figure, LEFT, WIDTH, name, passes, right, series, shown};
use crate::statistics::former::Assessment;
use crate::{Comparison, IsolationPoint};

pub(super) fn figure(comparison: &Comparison, assessment: &Assessment) -> Figure {
    let has_data = shown(assessment).any(|subject| !points(comparison, subject).is_empty());
    Figure {
        key: "isolation",
        question: "Do hostile clients slow down the good ones?",
        caption: format!(
            "p99 of the well-behaved clients, while a share of all clients is hostile: silent, or reading or writing \
             next to nothing. A flat line is good. A cross in the hatched strip means that the good clients' rate \
             could not be achieved. {}",
            passes(comparison)
        ),
        pictures: has_data.then(|| picture(comparison, assessment)).into_iter().collect(),
        missing: "Hostile clients were not tried. The default tier tries them once, --full several times, --quick does not.",
    }
}

fn points(comparison: &Comparison, subject: usize) -> Vec<&IsolationPoint> {
    let mut points: Vec<_> = comparison.isolation.iter().filter(|point| point.subject == subject).collect();
    points.sort_by_key(|point| point.hostile_percent);
    points
}

fn picture(comparison: &Comparison, assessment: &Assessment) -> String {
    let subjects: Vec<usize> = shown(assessment).collect();
    let all = || subjects.iter().flat_map(|&subject| points(comparison, subject));
    let mut shares: Vec<usize> = all().map(|point| point.hostile_percent).collect();
    shares.sort_unstable();
    shares.dedup();
    // A place for each share: the distances between shares mean nothing.
    let place = |share: usize| shares.iter().position(|of| *of == share).unwrap_or(0) as f64;
    let x = Scale::over(-0.35, shares.len() as f64 - 0.65);
    let y = Scale::logarithmic(all().filter(|point| !point.overloaded).map(|point| point.p99));
    let strip = 26.0;
    let (top, height) = (34.0 + strip, 310.0);
    let right = right(comparison, assessment, 0);
    let frame = Frame { left: LEFT, right, top: top + 6.0, bottom: height - 44.0, x, y };
    let mut svg = Svg::new(WIDTH, height);
    svg.text("name", (0.0, 16.0), Anchor::Start, "p99 of good clients (logarithmic)");
    svg.area("hatched", (LEFT, top - strip), (right, top), "");
    svg.text("tick", (right + 14.0, top - strip / 2.0 + 4.0), Anchor::Start, "overloaded");
    frame.draw_y(&mut svg, time);
    let ticks: Vec<f64> = (0..shares.len()).map(|place| place as f64).collect();
    let share = |place: f64| format!("{} %", shares.get(place as usize).copied().unwrap_or(0));
    frame.draw_x(&mut svg, &ticks, share, "share of the clients that are hostile");
    let mut labels = Vec::new();
    for (index, &subject) in subjects.iter().enumerate() {
        let (class, who, points) =
            (series(comparison, subject), name(comparison, subject), points(comparison, subject));
        // Beside each other, so that equal ones don't hide each other.
        let aside = (index as f64 - (subjects.len() as f64 - 1.0) / 2.0) * 0.05;
        let mut kept = Vec::new();
        for point in &points {
            let (x, share) = (place(point.hostile_percent) + aside, point.hostile_percent);
            if point.overloaded {
                svg.cross(
                    &class,
                    (frame.x(x), top - strip / 2.0),
                    &format!("{who}: overloaded with {share} % hostile"),
                );
                continue;
            }
            let at = frame.at(x, point.p99);
            svg.point(&class, subject, at, &format!("{who}: p99 {} with {share} % hostile", time(point.p99)));
            kept.push(at);
        }
        let sustained = points.iter().take_while(|point| !point.overloaded).count();
        svg.curve(&class, &kept[..sustained.min(kept.len())]);
        if let Some(&end) = kept.last() {
            labels.push((class, end, who.to_owned()));
        }
    }
    frame.label(&mut svg, labels);
    svg.finish("p99 of good clients against the share of hostile ones, a curve for each backend")
}
