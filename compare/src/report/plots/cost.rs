//! Server CPU time for each message, as bars.

use super::axes::{Axes, Scale};
use super::svg::{Anchor, Svg};
use super::{LETTER, Plot, RIGHT, WIDTH, name, series, shown};
use crate::Comparison;
use crate::report::wording::load_in_words;
use crate::report::wording::{amount, time};
use crate::statistics::{Assessment, Estimate, Metric};

const LINE: f64 = 26.0;
/// The least width for the names at the left.
const NAMES: f64 = 120.0;

pub(super) fn plot(comparison: &Comparison, assessment: &Assessment) -> Plot {
    let shapes = 0..comparison.shapes.len();
    let pictures = shapes.filter_map(|shape| picture(comparison, assessment, shape));
    Plot {
        key: "cost",
        question: "What does a message cost?",
        caption: "Server CPU time for each message: full color is user mode, pale is the kernel. The whisker is the \
95 % interval, which takes at least six rounds. A busy server answers several messages for one \
wake-up, so a message costs less than at a low rate: each load has its own scale."
            .to_owned(),
        pictures: pictures.collect(),
        missing: "CPU time was not measured: the system didn't report it.",
        ..Plot::default()
    }
}

/// A server's bar.
struct Bar {
    subject: usize,
    shape: usize,
    level: Estimate,
}

fn bars(comparison: &Comparison, assessment: &Assessment, shape: usize) -> Vec<Bar> {
    let of_it = |subject| {
        let mut details = assessment.details.iter();
        let of = details.find(|of| of.shape == shape && of.subject == subject && of.metric == Metric::Cpu)?;
        let level = of.level?;
        Some(Bar { subject, shape, level: Estimate { interval: level.interval_95(), ..level } })
    };
    shown(comparison, assessment).filter_map(of_it).collect()
}

/// An axis that covers the bars and the intervals, but at most twice the longest bar, so that the bars stay readable.
fn scale(bars: &[Bar]) -> Scale {
    let longest = bars.iter().map(|bar| bar.level.median).fold(0.0, f64::max);
    let ends = bars.iter().filter_map(|bar| bar.level.interval).map(|interval| interval.high);
    Scale::from_zero([ends.fold(longest, f64::max).min(2.0 * longest)])
}

fn picture(comparison: &Comparison, assessment: &Assessment, shape: usize) -> Option<String> {
    let bars = bars(comparison, assessment, shape);
    if bars.is_empty() {
        return None;
    }
    let x = scale(&bars);
    let bottom = 30.0 + LINE * bars.len() as f64;
    let longest = bars.iter().map(|bar| name(comparison, bar.subject).chars().count()).max().unwrap_or(0);
    let names = (LETTER * longest as f64 + 14.0).clamp(NAMES, WIDTH / 3.0);
    let y = Scale::over(0.0, bars.len() as f64);
    let axes = Axes { left: names, right: RIGHT, top: 28.0, bottom, x, y };
    let mut svg = Svg::new(WIDTH, bottom + 42.0);
    svg.text("name", (0.0, 16.0), Anchor::Start, &load_in_words(comparison, shape));
    for (class, from, what) in
        [("bar control", RIGHT - 120.0, "user"), ("bar kernel control", RIGHT - 62.0, "kernel")]
    {
        svg.area(class, (from, 7.0), (from + 12.0, 17.0), "");
        svg.text("tick", (from + 17.0, 16.0), Anchor::Start, what);
    }
    for tick in x.ticks() {
        svg.line("grid", (axes.x(tick), axes.top), (axes.x(tick), bottom));
    }
    axes.draw_x(&mut svg, &x.ticks(), amount, "µs of CPU time for each message");
    for (index, bar) in bars.iter().enumerate() {
        let top = axes.top + 5.0 + LINE * index as f64;
        draw(&mut svg, &axes, comparison, bar, (top, top + LINE - 9.0));
    }
    Some(svg.finish(&format!("CPU time for each message, {}", load_in_words(comparison, shape))))
}

fn draw(svg: &mut Svg, axes: &Axes, comparison: &Comparison, bar: &Bar, (low, high): (f64, f64)) {
    let (class, who) = (series(comparison, bar.subject), name(comparison, bar.subject));
    let middle = f64::midpoint(low, high);
    let total = bar.level.median;
    let own = total * own_share(comparison, bar.shape, bar.subject);
    svg.text(&format!("label {class}"), (axes.left - 9.0, middle + 4.0), Anchor::End, who);
    let tooltip = format!("{who}: {} in user mode", time(own));
    svg.area(&format!("bar {class}"), (axes.x(0.0), low), (axes.x(own), high), &tooltip);
    let tooltip = format!("{who}: {} in the kernel", time(total - own));
    svg.area(&format!("bar kernel {class}"), (axes.x(own), low), (axes.x(total), high), &tooltip);
    let mut end = axes.x(total);
    if let Some(interval) = bar.level.interval {
        let (from, to) = (axes.x(interval.low), axes.x(interval.high));
        svg.line("whisker", (from, middle), (to, middle));
        svg.line("whisker", (from, middle - 4.0), (from, middle + 4.0));
        svg.line("whisker", (to, middle - 4.0), (to, middle + 4.0));
        end = end.max(to);
    }
    svg.text("value", (end + 9.0, middle + 4.0), Anchor::Start, &time(total));
}

/// The share of a subject's CPU time that is spent in user mode.
fn own_share(comparison: &Comparison, shape: usize, subject: usize) -> f64 {
    let of_it = comparison.samples.iter().filter(|sample| sample.shape == shape && sample.subject == subject);
    let (own, kernel) =
        of_it.fold((0.0, 0.0), |(own, kernel), sample| (own + sample.cpu_user, kernel + sample.cpu_system));
    let share = own / (own + kernel);
    if share.is_finite() { share.clamp(0.0, 1.0) } else { 1.0 }
}
