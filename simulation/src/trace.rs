//! The trace of a run: a line for each step.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use crate::kernel::locked;

/// What becomes of the lines of a trace. Its clones are the same trace, which also has the lines of a run that didn't return.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    lines: Option<Arc<Mutex<Vec<String>>>>,
}

impl Trace {
    /// A trace that keeps its lines.
    pub fn kept() -> Self {
        Self { lines: Some(Arc::default()) }
    }

    /// Its lines so far.
    pub fn lines(&self) -> Vec<String> {
        self.lines.as_ref().map(|lines| locked(lines).clone()).unwrap_or_default()
    }

    /// Whether it keeps its lines.
    pub fn is_kept(&self) -> bool {
        self.lines.is_some()
    }

    /// Prints its lines so far.
    ///
    /// # Errors
    /// If they can't be written.
    pub fn print(&self, out: &mut impl Write) -> io::Result<()> {
        self.lines().iter().try_for_each(|line| writeln!(out, "{line}"))
    }

    pub(crate) fn line(&self, line: impl FnOnce() -> String) {
        if let Some(lines) = &self.lines {
            let line = line(); // which may panic
            locked(lines).push(line);
        }
    }
}
