//! The signals that stop a program.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::{Duration, Instant};

use serving::Stop;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::{flag, low_level};

/// From now on SIGINT, SIGTERM and SIGHUP press `stop`: the first lets the clients drain, a second one ends at once.
pub(crate) fn obey(stop: Stop) -> io::Result<()> {
    watch(signals()?, move |signal, meaning| {
        let signal = low_level::signal_name(signal);
        match meaning {
            Meaning::First => {
                tracing::info!(signal, "draining; a signal that comes a second later or more ends at once");
                stop.drain();
            }
            Meaning::Same => {
                tracing::info!(signal, "draining goes on: this came within a second of the first")
            }
            Meaning::Second => {
                tracing::warn!(signal, "ending at once");
                stop.now();
            }
        }
    })
}

/// From now on SIGINT, SIGTERM and SIGHUP set `stop`; a second one ends the program.
pub(crate) fn interrupt(stop: &Arc<AtomicBool>) -> io::Result<()> {
    let signals = signals()?;
    for &signal in &signals {
        // By the signal itself, so that whoever is interrupted by it finds the flag set.
        flag::register(signal, Arc::clone(stop))?;
    }
    watch(signals, |signal, meaning| {
        if meaning == Meaning::Second {
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
fn watch(
    signals: impl IntoIterator<Item = i32>,
    heed: impl Fn(i32, Meaning) + Send + 'static,
) -> io::Result<()> {
    let mut signals = Signals::new(signals)?;
    thread::Builder::new().name("signals".into()).spawn(move || {
        let mut first = None;
        for signal in signals.forever() {
            heed(signal, meaning(&mut first, Instant::now()));
        }
    })?;
    Ok(())
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
