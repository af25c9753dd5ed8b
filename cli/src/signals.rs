//! The signals that stop a program, and the one at which a server logs its statistics.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::{Duration, Instant};

use serving::Running;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;
use signal_hook::{flag, low_level};

use crate::receipt;

/// The signals that a server obeys. Those that come before it serves wait.
pub(crate) struct Signalled(Signals);

impl Signalled {
    /// From now on they do nothing by themselves.
    pub(crate) fn catch() -> io::Result<Self> {
        let signals = signals()?.into_iter().chain([SIGUSR1]);
        Signals::new(signals).map(Self)
    }

    /// At SIGINT, SIGTERM and SIGHUP this server stops: at the first its clients drain, a second one ends it at once. At
    /// SIGUSR1 its statistics are logged.
    pub(crate) fn obeyed_by(self, running: &Arc<Running>) -> io::Result<()> {
        let running = Arc::clone(running);
        let mut first = None;
        on_thread(self.0, move |signal| match signal {
            SIGUSR1 if running.is_finished() => {} // its receipt says it all
            SIGUSR1 => receipt::log(&running.statistics()),
            signal => stop(&running, signal, meaning(&mut first, Instant::now())),
        })
    }
}

/// Does what a signal means to a server.
fn stop(running: &Running, signal: i32, meaning: Meaning) {
    let signal = low_level::signal_name(signal);
    match meaning {
        Meaning::First => {
            tracing::info!(signal, "draining; a signal that comes a second later or more ends at once");
            running.stop();
        }
        Meaning::Same => {
            tracing::info!(signal, "draining goes on: this came within a second of the first")
        }
        Meaning::Second => {
            tracing::warn!(signal, "ending at once");
            running.stop_now();
        }
    }
}

/// From now on SIGINT, SIGTERM and SIGHUP set `stop`; a second one ends the program.
pub(crate) fn interrupt(stop: &Arc<AtomicBool>) -> io::Result<()> {
    let signals = signals()?;
    for &signal in &signals {
        // By the signal itself, so that whoever is interrupted by it finds the flag set.
        flag::register(signal, Arc::clone(stop))?;
    }
    let mut first = None;
    on_thread(Signals::new(signals)?, move |signal| {
        if meaning(&mut first, Instant::now()) == Meaning::Second {
            let _ = low_level::emulate_default_handler(signal); // ends the process
        }
    })
}

/// The signals that stop a program. SIGHUP is none of them where it was ignored when the program started: that is what
/// `nohup` asks for.
fn signals() -> io::Result<Vec<i32>> {
    let hangup = (!is_ignored(SIGHUP)?).then_some(SIGHUP);
    Ok([SIGINT, SIGTERM].into_iter().chain(hangup).collect())
}

/// What a signal means to a program that is told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    /// To stop in good order.
    First,
    /// The same: a shell and `timeout` signal a process, and then its group, which it is in.
    Same,
    /// Somebody has seen that it goes on, and won't wait.
    Second,
}

/// How long after the first a signal is the same.
const SAME: Duration = Duration::from_secs(1);

/// What a signal means that comes now, and when the first one came.
fn meaning(first: &mut Option<Instant>, now: Instant) -> Meaning {
    match *first {
        None => {
            *first = Some(now);
            Meaning::First
        }
        Some(first) if now.duration_since(first) < SAME => Meaning::Same,
        Some(_) => Meaning::Second,
    }
}

/// Tells `heed` of each of these signals, on a thread of its own.
fn on_thread(mut signals: Signals, mut heed: impl FnMut(i32) + Send + 'static) -> io::Result<()> {
    thread::Builder::new()
        .name("signals".into())
        .spawn(move || signals.forever().for_each(&mut heed))
        .map(drop)
}

/// Whether a signal is ignored.
#[expect(unsafe_code, reason = "neither std, nor rustix, nor signal-hook tells what becomes of a signal")]
fn is_ignored(signal: i32) -> io::Result<bool> {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: without a new action nothing is changed, and the old one is written to where there is room for it.
    if unsafe { libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has succeeded, and so has written it; and all zeros are one, too.
    let action = unsafe { action.assume_init() };
    Ok(action.sa_sigaction == libc::SIG_IGN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_signal_is_one_that_comes_a_second_after_the_first() {
        let mut first = None;
        let start = Instant::now();
        for (milliseconds, expected) in [
            (0, Meaning::First),
            (0, Meaning::Same),
            (999, Meaning::Same),
            (1000, Meaning::Second),
            (1001, Meaning::Second),
        ] {
            let now = start + Duration::from_millis(milliseconds);
            assert_eq!(meaning(&mut first, now), expected, "{milliseconds} ms");
        }
    }
}
