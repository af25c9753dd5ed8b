//! Server CPU time for each message: the headline metric, in lengths that can be compared.

use super::super::summary::shape_title;
use super::super::wording::{amount, time};
use super::frame::Frame;
use super::scale::Scale;
use super::svg::{Anchor, Svg};
use super::{Figure, LETTER, RIGHT, WIDTH, name, series};
use crate::Comparison;
use crate::statistics::former::{Assessment, Metric, Row};

const LINE: f64 = 26.0;
/// The least room for names at the left.
const NAMES: f64 = 120.0;

pub(super) fn figure(comparison: &Comparison, assessment: &Assessment) -> Figure {
    let shapes: Vec<usize> =
        (0..assessment.shapes.len()).filter(|&shape| !rows(assessment, shape).is_empty()).collect();
    Figure {
        key: "cpu",
        question: "What does a message cost?",
        caption: "Server CPU time for each message: full colour is the server's own code, pale is the kernel on \
                  its behalf. The whisker is the 95 % interval of the median over the rounds. A server that is \
                  kept busy answers several messages for one wake-up, so a message costs less than at a low rate: \
                  each load has a scale of its own."
            .to_owned(),
        pictures: shapes.iter().map(|&shape| picture(comparison, assessment, shape)).collect(),
        missing: "CPU time was not measured. Every tier measures it where the server is a process of its own.",
    }
}

fn rows(assessment: &Assessment, shape: usize) -> Vec<&Row> {
    assessment.shapes[shape].rows.iter().filter(|row| row.metric == Metric::Cpu).collect()
}

/// An axis that holds the bars and, up to twice the longest bar, the intervals: one of two or three rounds may
/// reach to the moon, and the bars must stay readable.
fn scale(rows: &[&Row]) -> Scale {
    let longest = rows.iter().map(|row| row.level.median).fold(0.0, f64::max);
    let ends = rows.iter().filter_map(|row| row.level.interval).map(|interval| interval.high);
    Scale::from_zero([ends.fold(longest, f64::max).min(2.0 * longest)])
}

fn picture(comparison: &Comparison, assessment: &Assessment, shape: usize) -> String {
    let rows = rows(assessment, shape);
    let x = scale(&rows);
    let bottom = 30.0 + LINE * rows.len() as f64;
    let longest = rows.iter().map(|row| name(comparison, row.subject).chars().count()).max().unwrap_or(0);
    let names = (LETTER * longest as f64 + 14.0).clamp(NAMES, WIDTH / 3.0);
    let frame =
        Frame { left: names, right: RIGHT, top: 28.0, bottom, x, y: Scale::over(0.0, rows.len() as f64) };
    let mut svg = Svg::new(WIDTH, bottom + 42.0);
    svg.text("name", (0.0, 16.0), Anchor::Start, &shape_title(comparison, shape));
    for (class, from, what) in
        [("bar control", RIGHT - 150.0, "own code"), ("bar kernel control", RIGHT - 62.0, "kernel")]
    {
        svg.area(class, (from, 7.0), (from + 12.0, 17.0), "");
        svg.text("tick", (from + 17.0, 16.0), Anchor::Start, what);
    }
    for tick in x.ticks() {
        svg.line("grid", (frame.x(tick), frame.top), (frame.x(tick), bottom));
    }
    frame.draw_x(&mut svg, &x.ticks(), amount, "µs of CPU time for each message");
    for (index, row) in rows.iter().enumerate() {
        let (top, class, who) = (
            frame.top + 5.0 + LINE * index as f64,
            series(comparison, row.subject),
            name(comparison, row.subject),
        );
        let (low, high) = (top, top + LINE - 9.0);
        let middle = f64::midpoint(low, high);
        let total = row.level.median;
        let own = total * own_share(comparison, shape, row.subject);
        svg.text(&format!("label {class}"), (names - 9.0, middle + 4.0), Anchor::End, who);
        let says = format!("{who}: {} in its own code", time(own));
        svg.area(&format!("bar {class}"), (frame.x(0.0), low), (frame.x(own), high), &says);
        let says = format!("{who}: {} in the kernel", time(total - own));
        svg.area(&format!("bar kernel {class}"), (frame.x(own), low), (frame.x(total), high), &says);
        let mut end = frame.x(total);
        if let Some(interval) = row.level.interval {
            let (from, to) = (frame.x(interval.low), frame.x(interval.high));
            svg.line("whisker", (from, middle), (to, middle));
            svg.line("whisker", (from, middle - 4.0), (from, middle + 4.0));
            svg.line("whisker", (to, middle - 4.0), (to, middle + 4.0));
            end = end.max(to);
        }
        svg.text("value", (end + 9.0, middle + 4.0), Anchor::Start, &time(total));
    }
    svg.finish(&format!("CPU time for each message, {}", shape_title(comparison, shape)))
}

/// The part of a subject's CPU time that is spent in its own code.
fn own_share(comparison: &Comparison, shape: usize, subject: usize) -> f64 {
    let of_it = comparison.samples.iter().filter(|sample| sample.shape == shape && sample.subject == subject);
    let (own, kernel) =
        of_it.fold((0.0, 0.0), |(own, kernel), sample| (own + sample.cpu_user, kernel + sample.cpu_system));
    let share = own / (own + kernel);
    if share.is_finite() { share.clamp(0.0, 1.0) } else { 1.0 }
}
