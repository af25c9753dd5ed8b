//! The line that tells how a run goes, while it goes on.

use std::cell::Cell;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use load::engine::Progress;
use load::plan::Plan;

/// The line on standard error that tells how a run goes. Where that is no terminal, there is none.
pub(super) struct Status {
    terminal: bool,
    shown: Cell<Option<Instant>>,
}

/// How often the line is written anew: seldom enough to cost nothing beside the load.
const EVERY: Duration = Duration::from_millis(500);

impl Status {
    pub(super) fn new() -> Self {
        Self { terminal: io::stderr().is_terminal(), shown: Cell::new(None) }
    }

    /// Whether anybody sees it.
    pub(super) fn is_shown(&self) -> bool {
        self.terminal
    }

    /// Shows how it goes.
    pub(super) fn show(&self, plan: &Plan, progress: Progress) {
        if self.shown.get().is_none_or(|shown| shown.elapsed() >= EVERY) {
            self.write(&line(plan, progress));
        }
    }

    /// Shows a text.
    pub(super) fn write(&self, text: &str) {
        if self.terminal {
            self.shown.set(Some(Instant::now()));
            let _ = write!(io::stderr(), "\r\x1b[K{text}");
        }
    }

    /// Takes the line away.
    pub(super) fn clear(&self) {
        if self.shown.take().is_some() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

fn line(plan: &Plan, progress: Progress) -> String {
    let Progress { passed, total, warming_up, replies, bad, failed, p50, p99 } = progress;
    let (passed, total) = (passed.as_secs_f64(), total.as_secs_f64());
    let offered = plan.rate().map_or_else(String::new, |rate| format!("{rate:.0}/s offered  "));
    let rate = if passed > 0.0 { replies as f64 / passed } else { 0.0 };
    let times = if warming_up { "warming up".into() } else { format!("p50 {p50:.0} µs  p99 {p99:.0} µs") };
    format!("[{passed:5.1}/{total:.0} s] {offered}{rate:.0}/s done  {times}  bad {bad}  failed {failed}")
}
