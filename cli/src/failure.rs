//! How the command fails: with one line on standard error, and a code.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use crate::color;
use crate::escape::escaped;
use crate::exit::Outcome;

/// Why the command ends with a code other than 0, and has measured nothing.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line is wrong, wherever and whenever it is run; nothing was done.
    Usage(String),
    /// It went wrong.
    Failed(String),
    /// What is to be served can't be made. The words are the program's own.
    Unmade(String),
    /// A signal ended it before there was anything to show.
    Interrupted(String),
}

impl Failure {
    /// The failure of something that checks what it is asked for, and that a signal can end.
    pub(crate) fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::InvalidInput => Self::Usage(error.to_string()),
            io::ErrorKind::Interrupted => Self::Interrupted(error.to_string()),
            _ => Self::Failed(error.to_string()),
        }
    }

    /// The same, in other words.
    pub(crate) fn reworded(self, reword: impl FnOnce(&str) -> String) -> Self {
        match self {
            Self::Usage(text) => Self::Usage(reword(&text)),
            Self::Failed(text) => Self::Failed(reword(&text)),
            Self::Unmade(_) => self,
            Self::Interrupted(text) => Self::Interrupted(reword(&text)),
        }
    }

    /// Says it on standard error, and gives the code to end with. In front of the words of a program stands its name.
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

/// Says on standard error what is no failure, and yet not as it should be.
pub(crate) fn warn(text: &str) {
    say("warning", YELLOW, &escaped(text.as_bytes()).to_string());
}

fn say(label: &str, color: &str, text: &str) {
    let label = if color::on_stderr() { format!("{color}{label}:{RESET}") } else { format!("{label}:") };
    // Where nobody can be told any more, the code still says it.
    let _ = writeln!(io::stderr(), "{label} {text}");
}

/// Writes a whole output to standard output. Whoever reads it may stop when they have seen enough: that is
/// no failure.
pub(crate) fn print(output: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(output).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::Failed(format!("can't write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// As clap has them.
const RED: &str = "\x1b[1m\x1b[31m";
const YELLOW: &str = "\x1b[1m\x1b[33m";
const RESET: &str = "\x1b[0m";
