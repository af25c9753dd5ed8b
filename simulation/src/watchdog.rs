//! Ends the process if a run doesn't return, and says which.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyloop_simulation::{Run, Tape, Trace, run};
use rustix::time::{ClockId, clock_gettime};

use crate::report::{Failure, Unread};

/// A run takes less than a millisecond, and the longest a second. One that uses the processor for this time never returns.
const MOST_CPU_TIME: Duration = Duration::from_secs(10);
/// Nor does one that takes so long. Other programs may use the processor meanwhile.
const MOST_TIME: Duration = Duration::from_secs(120);
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
    begun: Instant,
    /// The time for which the process had used the processor then.
    cpu_time: Duration,
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
                if running.begun.elapsed() > MOST_TIME || cpu_time() - running.cpu_time > MOST_CPU_TIME {
                    let _ = running.report(&mut Unread(io::stdout()));
                    std::process::exit(1);
                }
            }
        });
        Self { running }
    }

    /// Runs a tape.
    pub(crate) fn run(&self, name: &str, tape: Tape, trace: Trace) -> Run {
        self.set(Some(Running {
            name: name.to_owned(),
            tape: tape.clone(),
            trace: trace.clone(),
            begun: Instant::now(),
            cpu_time: cpu_time(),
        }));
        let ran = run(tape, trace);
        self.set(None);
        ran
    }

    fn set(&self, running: Option<Running>) {
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = running;
    }
}

/// The time for which the process has used the processor.
fn cpu_time() -> Duration {
    clock_gettime(ClockId::ProcessCPUTime).try_into().unwrap_or_default()
}

impl Running {
    /// Reports a run that doesn't return, with its tape, since it may be one that was shrunk.
    fn report(&self, out: &mut impl Write) -> io::Result<()> {
        let Self { name, tape, trace, .. } = self;
        trace.print(out)?;
        let violation =
            &format!("a step takes more than {MOST_CPU_TIME:?}: something spins, or waits for ever");
        let failure = Failure { name, tape, violation };
        failure.print(trace.is_kept(), out)?;
        let file = failure.write_tape()?;
        writeln!(out, "replay it with --tape {file} --trace")
    }
}
