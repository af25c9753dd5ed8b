//! What is said of a run: what took part, and what was violated.

use std::io::{self, ErrorKind, Write};

use anyloop_simulation::{Tape, options};

/// A run that has failed.
#[derive(Debug)]
pub(crate) struct Failure<'a> {
    /// The seed, or the file of the tape.
    pub(crate) name: &'a str,
    pub(crate) tape: &'a Tape,
    pub(crate) violation: &'a str,
}

/// An output of which nobody may read on: the exit code still says what the runs have shown.
#[derive(Debug)]
pub(crate) struct Unread<W>(pub(crate) W);

impl<W: Write> Write for Unread<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.write(bytes) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(bytes.len()),
            written => written,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0
            .flush()
            .or_else(|error| if error.kind() == ErrorKind::BrokenPipe { Ok(()) } else { Err(error) })
    }
}

/// The seed, the commit and what the tape draws.
pub(crate) fn heading(name: &str, tape: &Tape) -> String {
    let commit = option_env!("ANYLOOP_COMMIT").unwrap_or("unknown");
    format!("{name}, commit {commit}\n{}", options(tape.clone()))
}

impl Failure<'_> {
    /// Prints it: below the trace if that was printed, and otherwise below the heading.
    pub(crate) fn print(&self, is_traced: bool, out: &mut impl Write) -> io::Result<()> {
        let Self { name, tape, violation } = self;
        if !is_traced {
            writeln!(out, "{}", heading(name, tape))?;
        }
        writeln!(out, "{name}: {violation}")
    }

    /// Writes its tape to a file in the current directory, with what is said of it as comments. Returns the name of the file.
    pub(crate) fn write_tape(&self) -> io::Result<String> {
        let Self { name, tape, violation } = self;
        let file = format!("{}.tape", name.replace(' ', "-"));
        let text = tape.to_text(&format!("{}\n{violation}", heading(name, tape)));
        let written = std::fs::write(&file, text);
        written.map_err(|error| io::Error::new(error.kind(), format!("{file}: {error}")))?;
        Ok(file)
    }
}
