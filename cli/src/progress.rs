//! The progress bar on standard error.

use std::cell::Cell;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::terminal;

/// A progress bar on standard error, shown only if that is a terminal.
pub(crate) struct Bar {
    bar: ProgressBar,
    terminal: bool,
    /// When it was last drawn.
    drawn: Cell<Option<Instant>>,
}

/// The resolution of the bar.
const LENGTH: f64 = 1000.0;

/// The minimum time between two updates: drawing uses CPU time on the measured machine.
const EVERY: Duration = Duration::from_millis(500);

impl Bar {
    pub(crate) fn new() -> Self {
        let terminal = io::stderr().is_terminal();
        let target = if terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(LENGTH as u64), target);
        let style = ProgressStyle::with_template("{bar:12} {prefix} {wide_msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { bar, terminal, drawn: Cell::new(None) }
    }

    /// Whether it is visible.
    pub(crate) fn is_seen(&self) -> bool {
        self.terminal
    }

    /// Shows the progress, from 0 to 1, a short text, and a text that is truncated at the end of the line.
    pub(crate) fn show(&self, done: f64, short: String, text: String) {
        if self.drawn.get().is_some_and(|drawn| drawn.elapsed() < EVERY) {
            return;
        }
        self.drawn.set(Some(Instant::now()));
        self.bar.set_prefix(short);
        self.bar.set_message(text);
        self.bar.set_position((done * LENGTH) as u64);
    }

    /// Prints a line that stays. If it is too long for the terminal, it continues on the next line after `indent`.
    pub(crate) fn say(&self, line: &str, indent: &str) {
        let line = terminal::fitted_for_stderr(line, indent);
        // If standard error is closed, the report still has the note.
        self.bar.suspend(|| {
            let _ = write!(io::stderr(), "{line}");
        });
    }

    /// Removes the bar.
    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
