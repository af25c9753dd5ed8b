//! Writes replies to standard output.

use std::io::{self, BufWriter, ErrorKind, IsTerminal, StdoutLock, Write};

use crate::escape::escaped;
use crate::failure::Failure;

/// Standard output, with a line for each reply. At a terminal control characters of replies are escaped; otherwise
/// their bytes are written unchanged.
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

    /// Shows a reply with the bytes of its end. If these are not a line end, adds one.
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

/// Converts an error of standard output. A closed pipe is not a failure, since its reader may have seen enough.
pub(super) fn unheard(error: &io::Error) -> Result<(), Failure> {
    match error.kind() {
        ErrorKind::BrokenPipe => Ok(()),
        _ => Err(Failure::Failed(format!("can't write to standard output: {error}"))),
    }
}

/// The size of the write buffer, in bytes.
const BUFFER: usize = 64 * 1024;
