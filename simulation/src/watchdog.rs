//! Ends the process if a run doesn't return, and says which.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyloop_simulation::{Run, Tape, Trace, run};

use crate::report::Failure;

/// A run takes less than a millisecond. One that takes so many intervals never returns.
const INTERVALS: u32 = 10;
const INTERVAL: Duration = Duration::from_secs(1);

/// A thread that watches the runs of another one.
#[derive(Debug)]
pub(crate) struct Watchdog {
    running: Arc<Mutex<Option<Running>>>,
}

/// The run that is watched.
#[derive(Debug)]
struct Running {
    name: String,
    tape: Tape,
    trace: Trace,
    /// How many intervals have passed.
    intervals: u32,
}

impl Watchdog {
    /// Starts the thread.
    pub(crate) fn start() -> Self {
        let running = Arc::new(Mutex::new(None::<Running>));
        let watched = Arc::clone(&running);
        thread::spawn(move || {
            loop {
                thread::sleep(INTERVAL);
                let running = &mut *watched.lock().unwrap_or_else(PoisonError::into_inner);
                let Some(running) = running else { continue };
                running.intervals += 1;
                if running.intervals > INTERVALS {
                    let _ = running.report(&mut io::stdout());
                    std::process::exit(1);
                }
            }
        });
        Self { running }
    }

    /// Runs a tape.
    pub(crate) fn run(&self, name: &str, tape: Tape, trace: Trace) -> Run {
        let running =
            Running { name: name.to_owned(), tape: tape.clone(), trace: trace.clone(), intervals: 0 };
        self.set(Some(running));
        let ran = run(tape, trace);
        self.set(None);
        ran
    }

    fn set(&self, running: Option<Running>) {
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = running;
    }
}

impl Running {
    /// Reports a run that doesn't return, with its tape, since it may be one that was shrunk.
    fn report(&self, out: &mut impl Write) -> io::Result<()> {
        let Self { name, tape, trace, .. } = self;
        trace.print(out)?;
        let violation = &format!("a step takes more than {INTERVALS} s: something spins, or waits for ever");
        let failure = Failure { name, tape, violation };
        failure.print(trace.is_kept(), out)?;
        let file = failure.write_tape()?;
        writeln!(out, "replay it with --tape {file} --trace")
    }
}
