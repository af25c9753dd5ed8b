//! The line on standard error that tells how something goes on, while it goes on.

use std::cell::Cell;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::terminal;

/// A bar on standard error. Where that is no terminal, there is none.
pub(crate) struct Bar {
    bar: ProgressBar,
    terminal: bool,
    /// When it was drawn last.
    drawn: Cell<Option<Instant>>,
}

/// The bar's length: parts of a thousand.
const LENGTH: f64 = 1000.0;

/// How often it is drawn at most: drawing costs time on the cores that are measured.
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

    /// Whether somebody can see it.
    pub(crate) fn is_seen(&self) -> bool {
        self.terminal
    }

    /// Shows how much is done, from 0 to 1, a short text that has room, and one that is cut where the line ends.
    pub(crate) fn show(&self, done: f64, short: String, text: String) {
        if self.drawn.get().is_some_and(|drawn| drawn.elapsed() < EVERY) {
            return;
        }
        self.drawn.set(Some(Instant::now()));
        self.bar.set_prefix(short);
        self.bar.set_message(text);
        self.bar.set_position((done * LENGTH) as u64);
    }

    /// Writes a line that stays. Where the terminal has no room for it, it goes on in the next one, behind `indent`.
    pub(crate) fn say(&self, line: &str, indent: &str) {
        let line = terminal::fitted_for_stderr(line, indent);
        // Where nobody can be told any more, the report still says it.
        self.bar.suspend(|| {
            let _ = write!(io::stderr(), "{line}");
        });
    }

    /// Takes the bar away.
    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
