//! How the command fails: with one line on standard error, and a code.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use crate::escape::escaped;

/// Why the command ends with a code other than 0.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line is wrong, wherever and whenever it is run; nothing was done.
    Usage(String),
    /// It went wrong.
    Failed(String),
}

impl Failure {
    /// The same, in other words.
    pub(crate) fn reworded(self, reword: impl FnOnce(&str) -> String) -> Self {
        match self {
            Self::Usage(text) => Self::Usage(reword(&text)),
            Self::Failed(text) => Self::Failed(reword(&text)),
        }
    }

    /// Says it on standard error, and gives the code to end with.
    pub(crate) fn report(&self) -> ExitCode {
        // Where nobody can be told any more, the code still says it.
        let _ = writeln!(io::stderr(), "error: {self}");
        match self {
            Self::Usage(_) => ExitCode::from(2),
            Self::Failed(_) => ExitCode::FAILURE,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Usage(text) | Self::Failed(text)) = self;
        escaped(text.as_bytes()).fmt(f)
    }
}

/// Says on standard error what is no failure, and yet not as it should be.
pub(crate) fn warn(text: &str) {
    // Nobody can be told any more that nobody can be told.
    let _ = writeln!(io::stderr(), "warning: {}", escaped(text.as_bytes()));
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
