//! Standard output, and the replies on it.

use std::io::{self, BufWriter, ErrorKind, IsTerminal, StdoutLock, Write};

use crate::escape::escaped;
use crate::failure::Failure;

/// Standard output, with a line for each reply. At a terminal a reply is shown so that it directs nothing; elsewhere
/// stand its bytes as they came.
pub(super) struct Screen {
    output: BufWriter<StdoutLock<'static>>,
    is_terminal: bool,
}

impl Screen {
    pub(super) fn new() -> Self {
        let stdout = io::stdout();
        let is_terminal = stdout.is_terminal();
        Self { output: BufWriter::with_capacity(BUFFER, stdout.lock()), is_terminal }
    }

    /// Shows a reply that came with this behind it. If that is no line end, it gets one.
    pub(super) fn show(&mut self, reply: &[u8], behind: &[u8]) -> io::Result<()> {
        if self.is_terminal {
            return writeln!(self.output, "{}", escaped(reply).with_tabs());
        }
        self.output.write_all(reply)?;
        self.output.write_all(if behind.ends_with(b"\n") { behind } else { b"\n" })
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

/// What it means that replies can't be written. Whoever reads them may have seen enough.
pub(super) fn unheard(error: &io::Error) -> Result<(), Failure> {
    match error.kind() {
        ErrorKind::BrokenPipe => Ok(()),
        _ => Err(Failure::Failed(format!("can't write to standard output: {error}"))),
    }
}

/// How much is collected before it is written, in bytes.
const BUFFER: usize = 64 * 1024;
