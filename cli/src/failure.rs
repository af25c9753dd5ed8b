//! Failures of the command: one line on standard error, and an exit code.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use crate::color;
use crate::escape::escaped;
use crate::exit::Outcome;

/// Why the command ends with an exit code other than 0 without having measured anything.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line is wrong; nothing was done.
    Usage(String),
    /// The command failed.
    Failed(String),
    /// The construction of a handler failed. The text is the program's.
    Unmade(String),
    /// A signal ended it before there was a result.
    Interrupted(String),
}

impl Failure {
    /// Converts an error by its kind.
    pub(crate) fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::InvalidInput => Self::Usage(error.to_string()),
            io::ErrorKind::Interrupted => Self::Interrupted(error.to_string()),
            _ => Self::Failed(error.to_string()),
        }
    }

    /// The same failure with another text.
    pub(crate) fn reworded(self, reword: impl FnOnce(&str) -> String) -> Self {
        match self {
            Self::Usage(text) => Self::Usage(reword(&text)),
            Self::Failed(text) => Self::Failed(reword(&text)),
            Self::Unmade(_) => self,
            Self::Interrupted(text) => Self::Interrupted(reword(&text)),
        }
    }

    /// Prints the failure to standard error, and returns the exit code. A text of the program has its name as prefix.
    pub(crate) fn report(&self, program: &str) -> ExitCode {
        let label = if matches!(self, Self::Unmade(_)) { program } else { "error" };
        say(label, RED, &self.to_string());
        match self {
            Self::Usage(_) => ExitCode::from(2),
            Self::Failed(_) | Self::Unmade(_) => Outcome::Failed.into(),
            Self::Interrupted(_) => Outcome::Interrupted.into(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Usage(text) | Self::Failed(text) | Self::Unmade(text) | Self::Interrupted(text)) = self;
        escaped(text.as_bytes()).fmt(f)
    }
}

/// Prints a warning to standard error.
pub(crate) fn warn(text: &str) {
    say("warning", YELLOW, &escaped(text.as_bytes()).to_string());
}

fn say(label: &str, color: &str, text: &str) {
    let label = if color::on_stderr() { format!("{color}{label}:{RESET}") } else { format!("{label}:") };
    // If standard error is closed, the exit code still reports the failure.
    let _ = writeln!(io::stderr(), "{label} {text}");
}

/// Writes to standard output. A reader that closes the pipe early is not an error.
pub(crate) fn print(output: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(output).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::Failed(format!("can't write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// The same colors as clap's.
const RED: &str = "\x1b[1m\x1b[31m";
const YELLOW: &str = "\x1b[1m\x1b[33m";
const RESET: &str = "\x1b[0m";
