//! The report in all its formats, of made-up comparisons. The pages are written to Cargo's temporary folder
//! (`target/tmp/report-*.html`).

mod details;
mod fanout;
mod forms;
mod nesting;
mod page;
mod specimen;
mod verdict;

use anyloop_compare::report::{Style, to_markdown, to_text};
use anyloop_compare::{Comparison, Sample, Shape, Subject};

/// A terminal without colors and characters beyond ASCII.
pub(crate) const PLAIN: Style = Style { color: false, unicode: false, width: 100, details: false };

/// All formats except for the page.
pub(crate) fn texts(comparison: &Comparison) -> [String; 2] {
    let unicode = Style { unicode: true, ..PLAIN };
    [to_text(comparison, unicode), to_markdown(comparison)]
}

/// Comparisons with missing data.
pub(crate) fn oddities() -> Vec<Comparison> {
    let single = |rounds: usize, cpu: f64| Comparison {
        subjects: vec![Subject { name: "a".to_owned(), ..Subject::default() }; 2],
        shapes: vec![Shape::default()],
        samples: (0..rounds * 2)
            .map(|n| Sample { round: n / 2, subject: n % 2, cpu_user: cpu, ..Sample::default() })
            .collect(),
        ..Comparison::default()
    };
    let mut odd = specimen::specimen();
    for sample in &mut odd.samples {
        sample.cpu_user = f64::NAN;
        sample.latency.clear();
        sample.rate = 0.0;
        sample.timeline.iter_mut().for_each(|tick| tick.max = f64::NAN);
    }
    odd.rate_sweep.iter_mut().for_each(|point| (point.p99, point.overloaded) = (f64::INFINITY, false));
    let mut all_failed = specimen::specimen();
    all_failed.samples.iter_mut().for_each(|sample| sample.bad = 1);
    let mut interrupted = specimen::specimen();
    interrupted.samples.truncate(7);
    interrupted.interrupted = true;
    let empty = Comparison::default();
    vec![empty, single(1, 2.0), single(2, 2.0), single(3, 0.0), single(9, 1.0), odd, all_failed, interrupted]
}
