//! The effect of more subscribers: what a delivery costs, and how long it takes.

use super::axes::{Axes, Scale};
use super::labels::{self, Label};
use super::svg::{Anchor, Svg};
use super::{LEFT, Plot, WIDTH, name, right, series, shown};
use crate::Comparison;
use crate::report::wording::{amount, subscribers, time};
use crate::statistics::{Assessment, Estimate, Metric};

/// The height of a picture.
const HEIGHT: f64 = 300.0;

pub(super) fn cost(comparison: &Comparison, assessment: &Assessment) -> Plot {
    Plot {
        key: "deliveries",
        question: "What does a push cost?",
        caption: "Server CPU time for each delivery to a subscriber, the time to receive and to answer the messages \
included. With more subscribers there are fewer messages for each delivery. A point is the median of the rounds."
            .to_owned(),
        pictures: picture(comparison, assessment, Metric::DeliveryCpu).into_iter().collect(),
        missing: "CPU time was not measured: the system didn't report it.",
        ..Plot::default()
    }
}

pub(super) fn delay(comparison: &Comparison, assessment: &Assessment) -> Plot {
    Plot {
        key: "delay",
        question: "How long does a push take?",
        caption: "The 99th percentile of the time from the sending of a message to its delivery. A message to many subscribers \
is a burst, and the percentile shows almost the last of them: it includes the time in which the load generator receives \
the others. A point is the median of the rounds."
            .to_owned(),
        pictures: picture(comparison, assessment, Metric::TailDelay).into_iter().collect(),
        missing: "The delay was not measured: no server sustained the rate.",
        ..Plot::default()
    }
}

/// The figures of a subject, each with its number of subscribers.
fn points(
    comparison: &Comparison,
    assessment: &Assessment,
    metric: Metric,
    subject: usize,
) -> Vec<(usize, Estimate)> {
    let of_it = assessment.details.iter().filter(|of| of.subject == subject && of.metric == metric);
    let point =
        |of: &crate::statistics::Detail| Some((comparison.shapes.get(of.shape)?.subscribers, of.level?));
    let mut points: Vec<_> = of_it.filter(|of| of.why.is_none()).filter_map(point).collect();
    points.sort_by_key(|(count, _)| *count);
    points
}

fn picture(comparison: &Comparison, assessment: &Assessment, metric: Metric) -> Option<String> {
    let points = |subject| points(comparison, assessment, metric, subject);
    let all = || shown(comparison, assessment).flat_map(points);
    all().next()?;
    let x = Scale::logarithmic(all().map(|(count, _)| count as f64));
    let y = match metric {
        Metric::TailDelay => Scale::logarithmic(all().map(|(_, level)| level.median)),
        _ => Scale::from_zero(all().map(|(_, level)| level.median)),
    };
    let axes =
        Axes { left: LEFT, right: right(comparison, assessment, 0), top: 34.0, bottom: HEIGHT - 44.0, x, y };
    let mut svg = Svg::new(WIDTH, HEIGHT);
    svg.text("name", (0.0, 16.0), Anchor::Start, metric.name());
    axes.draw_y(&mut svg, time);
    axes.draw_x(&mut svg, &x.ticks(), amount, "subscribers (logarithmic)");
    let mut labels = Vec::new();
    for subject in shown(comparison, assessment) {
        let (class, who) = (series(comparison, subject), name(comparison, subject));
        let points = points(subject);
        let places: Vec<_> =
            points.iter().map(|(count, level)| axes.at(*count as f64, level.median)).collect();
        svg.curve(&class, &places);
        for ((count, level), &place) in points.iter().zip(&places) {
            let tooltip = format!("{who}: {} to {}", time(level.median), subscribers(*count));
            svg.point(&class, subject, place, &tooltip);
        }
        if let Some(&end) = places.last() {
            labels.push(Label { class, end, text: who.to_owned() });
        }
    }
    labels::in_a_column(&axes, &mut svg, labels);
    Some(svg.finish(&format!("{} against subscribers, a curve for each server", metric.name())))
}
