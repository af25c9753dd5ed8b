//! How a run of load goes, while it goes on.

use load::engine::Progress;
use load::plan::Plan;

use crate::progress::Bar;

/// The line on standard error that tells how a run goes. Where that is no terminal, there is none.
pub(super) struct Status {
    bar: Bar,
}

impl Status {
    pub(super) fn new() -> Self {
        Self { bar: Bar::new() }
    }

    /// Whether anybody sees it.
    pub(super) fn is_shown(&self) -> bool {
        self.bar.is_seen()
    }

    /// Shows how it goes.
    pub(super) fn show(&self, plan: &Plan, progress: Progress) {
        let (passed, total) = (progress.passed.as_secs_f64(), progress.total.as_secs_f64());
        let done = if total > 0.0 { passed / total } else { 0.0 };
        self.bar.show(done, format!("{passed:.1}/{total:.0} s"), line(plan, progress));
    }

    /// Shows what is done, where it can't be told how much of it there is.
    pub(super) fn write(&self, text: &str) {
        self.bar.show(0.0, String::new(), text.to_owned());
    }

    /// Takes the line away.
    pub(super) fn clear(&self) {
        self.bar.clear();
    }
}

fn line(plan: &Plan, progress: Progress) -> String {
    let Progress { passed, warming_up, replies, bad, failed, p50, p99, .. } = progress;
    let passed = passed.as_secs_f64();
    let offered = plan.rate().map_or_else(String::new, |rate| format!("{rate:.0}/s offered  "));
    let rate = if passed > 0.0 { replies as f64 / passed } else { 0.0 };
    let times = if warming_up { "warming up".into() } else { format!("p50 {p50:.0} µs  p99 {p99:.0} µs") };
    format!("{offered}{rate:.0}/s done  {times}  bad {bad}  failed {failed}")
}
