//! How a comparison goes on, for whoever waits.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use compare::{Event, Step};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar on standard error; where that is no terminal, a line for each round.
pub(super) struct Bar {
    bar: ProgressBar,
    terminal: bool,
    /// What the last line was about.
    last: String,
}

/// The bar's length: parts of a thousand.
const LENGTH: u64 = 1000;

impl Bar {
    pub(super) fn new() -> Self {
        let terminal = io::stderr().is_terminal();
        // Twice in a second: drawing costs time on the cores that are measured.
        let target =
            if terminal { ProgressDrawTarget::stderr_with_hz(2) } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(LENGTH), target);
        let style = ProgressStyle::with_template("{bar:24} {prefix:8} {wide_msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { bar, terminal, last: String::new() }
    }

    pub(super) fn show(&mut self, event: &Event) {
        match event {
            Event::Note(note) => self.say(&format!("note: {note}")),
            Event::Step(step) => self.step(step),
        }
    }

    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }

    fn step(&mut self, step: &Step) {
        let Step { stage, subject, load, round, slot, passed, left } = step;
        let all = passed.as_secs_f64() + left.as_secs_f64();
        let done = if all > 0.0 { passed.as_secs_f64() / all } else { 0.0 };
        self.bar.set_position((done * LENGTH as f64) as u64);
        self.bar.set_prefix(time(*left));
        let round = if round.1 > 1 { format!(", round {} of {}", round.0, round.1) } else { String::new() };
        self.bar.set_message(format!("{stage}{round}: {subject}, {load} ({} of {})", slot.0, slot.1));
        let line = format!("{stage}{round}; {} left", time(*left));
        let about = format!("{stage}{round}");
        if !self.terminal && self.last != about {
            self.say(&line);
        }
        self.last = about;
    }

    fn say(&self, line: &str) {
        // Where nobody can be told any more, the report still says it.
        self.bar.suspend(|| {
            let _ = writeln!(io::stderr(), "{line}");
        });
    }
}

/// Minutes and seconds.
fn time(time: Duration) -> String {
    format!("{}:{:02}", time.as_secs() / 60, time.as_secs() % 60)
}
