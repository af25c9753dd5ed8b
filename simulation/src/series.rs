//! A series of runs: what they have shown, and the report of those that fail.

use std::io::{self, Write};
use std::time::Duration;

use anyloop_simulation::{Marks, Tape, Trace, counted, kind, shrink};

use crate::report::{Failure, heading};
use crate::watchdog::Watchdog;

/// What a series of runs has shown.
#[derive(Debug)]
pub(crate) struct Series {
    /// What is run: `seeds` or `tapes`.
    what: &'static str,
    watchdog: Watchdog,
    is_traced: bool,
    pub(crate) marks: Marks,
    count: u64,
    pub(crate) failed: u64,
    steps: u64,
    answered: u64,
    unlingered: u64,
    virtual_time: Duration,
}

/// A failure is shrunk for this time at most.
const SHRINK_TIME: Duration = Duration::from_secs(5);

impl Series {
    /// A series without a run yet, which prints the traces of all that follow if `is_traced`.
    pub(crate) fn new(what: &'static str, is_traced: bool) -> Self {
        let (marks, count, failed, steps, answered, unlingered, virtual_time) = Default::default();
        let watchdog = Watchdog::start();
        Self { what, watchdog, is_traced, marks, count, failed, steps, answered, unlingered, virtual_time }
    }

    /// Runs a tape, and reports and shrinks its failure.
    pub(crate) fn run(
        &mut self,
        name: &str,
        tape: Tape,
        shrinks: bool,
        out: &mut impl Write,
    ) -> io::Result<()> {
        self.count += 1;
        let trace = if self.is_traced { Trace::kept() } else { Trace::default() };
        if self.is_traced {
            writeln!(out, "{}", heading(name, &tape))?;
        }
        let ran = self.watchdog.run(name, tape.clone(), trace.clone());
        trace.print(out)?;
        match ran.result {
            Ok(summary) => {
                self.marks.add(&ran.options, &summary);
                self.virtual_time += summary.elapsed;
                self.steps += summary.steps;
                self.answered += summary.answered;
                self.unlingered += summary.unlingered;
            }
            Err(violation) => {
                self.failed += 1;
                let failure = Failure { name, tape: &tape, violation: &violation };
                failure.print(self.is_traced, out)?;
                if shrinks {
                    self.shrink(&failure, out)?;
                }
            }
        }
        Ok(())
    }

    /// Shrinks a failure, and writes the tape to a file. One byte stays: a file without any is no tape.
    fn shrink(&self, failure: &Failure<'_>, out: &mut impl Write) -> io::Result<()> {
        let name = failure.name;
        let violation =
            |tape: Tape| self.watchdog.run(name, tape, Trace::default()).result.err().unwrap_or_default();
        let fails = |bytes: &[u8]| {
            !bytes.is_empty() && kind(&violation(Tape::new(bytes.to_vec()))) == kind(failure.violation)
        };
        let tape = &Tape::new(shrink(failure.tape.bytes(), SHRINK_TIME, fails));
        let shrunk = Failure { name, tape, violation: &violation(tape.clone()) };
        let file = shrunk.write_tape()?;
        let (before, after) = (failure.tape.bytes().len(), counted(tape.bytes().len(), "byte"));
        writeln!(out, "shrunk from {before} to {after}: {}", shrunk.violation)?;
        writeln!(out, "replay it with --tape {file} --trace")
    }

    /// The counts, after this time.
    pub(crate) fn text(&self, time: Duration) -> String {
        let Self { what, count, failed, steps, answered, unlingered, virtual_time, .. } = self;
        format!(
            "{failed} of {count} {what} failed; {}, {}, {} that did not linger, {} in {:.1} s",
            counted(*steps, "step"),
            counted(*answered, "message"),
            counted(*unlingered, "socket"),
            counted(virtual_time.as_secs() / 3600, "virtual hour"),
            time.as_secs_f64()
        )
    }
}
