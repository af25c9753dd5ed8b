//! Signal handling: the signals that stop a program, the one that logs a server's statistics, and the one that has it replaced.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::{Duration, Instant};

use ::tls::Acceptor;
use serving::Running;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;
use signal_hook::{flag, low_level};

use crate::handover::Handover;
use crate::quantity::Time;
use crate::{notify, receipt, tls};

/// The signals of a server. Signals that arrive before it serves are pending.
pub(crate) struct Signalled {
    signals: Signals,
    /// Whether SIGHUP reloads what it can, and stops nothing.
    reloads: bool,
}

impl Signalled {
    /// Blocks the default action of the signals. SIGHUP is among them even under `nohup` if it reloads.
    pub(crate) fn catch(reloads: bool) -> io::Result<Self> {
        let signals = signals()?.into_iter().chain([SIGUSR1, SIGUSR2]).chain(reloads.then_some(SIGHUP));
        let signals = Signals::new(signals)?;
        Ok(Self { signals, reloads })
    }

    /// SIGINT, SIGTERM and SIGHUP stop this server: the first starts a drain after this delay, a second one ends it at
    /// once. If SIGHUP reloads, it does that instead. SIGUSR1 logs the statistics, and SIGUSR2 hands the server over to a new
    /// process.
    pub(crate) fn control(
        self,
        running: &Arc<Running>,
        handover: &Arc<Handover>,
        drain_delay: Duration,
        acceptor: Option<Arc<Acceptor>>,
    ) -> io::Result<()> {
        let Self { signals, reloads } = self;
        let (running, handover) = (Arc::clone(running), Arc::clone(handover));
        let mut first = None;
        on_thread(signals, move |signal| match signal {
            SIGUSR1 if running.is_finished() => {} // the receipt has them
            SIGUSR1 => receipt::log(&running),
            SIGHUP if reloads => reload(acceptor.as_deref()),
            SIGUSR2 => handover.begin(&running),
            signal => {
                let meaning = meaning(&mut first, Instant::now());
                if meaning == Meaning::First {
                    if !handover.is_done() {
                        notify::stopping();
                    }
                    handover.stop(); // before the listener is closed, of which it has a duplicate
                }
                stop(&running, drain_delay, signal, meaning);
            }
        })
    }
}

/// Loads the certificates again. All other settings are those of the start.
fn reload(acceptor: Option<&Acceptor>) {
    notify::reloading();
    match acceptor {
        Some(acceptor) => tls::reload(acceptor),
        None => tracing::info!(
            "there are no certificates to reload; SIGUSR2 starts a new process with the settings that --config has now"
        ),
    }
    notify::ready();
}

/// Stops a server, as a signal's meaning requires.
fn stop(running: &Arc<Running>, drain_delay: Duration, signal: i32, meaning: Meaning) {
    let signal = low_level::signal_name(signal);
    match meaning {
        Meaning::First if !drain_delay.is_zero() => {
            running.announce_stop();
            tracing::info!(
                signal,
                drain_delay = %Time(drain_delay),
                "not ready any more, and still accepting until the drain; another signal at least a second later ends the \
                 server at once"
            );
            drain_after(drain_delay, running);
        }
        Meaning::First => {
            tracing::info!(
                signal,
                "draining; another signal at least a second later ends the server at once"
            );
            running.stop();
        }
        Meaning::Same => {
            tracing::info!(signal, "still draining: this signal came within a second of the first")
        }
        Meaning::Second => {
            tracing::warn!(signal, "ending at once");
            running.stop_now();
        }
    }
}

/// Starts the drain after this delay. Nothing waits for its thread, so that a second signal can end the server meanwhile.
fn drain_after(delay: Duration, running: &Arc<Running>) {
    let waiting = Arc::clone(running);
    let thread = thread::Builder::new().name("drain-delay".into()).spawn(move || {
        thread::sleep(delay);
        tracing::info!("draining");
        waiting.stop();
    });
    if let Err(error) = thread {
        tracing::warn!(%error, "draining at once, since --drain-delay needs a thread");
        running.stop();
    }
}

/// From now on SIGINT, SIGTERM and SIGHUP set `stop`; a second one ends the program.
pub(crate) fn interrupt(stop: &Arc<AtomicBool>) -> io::Result<()> {
    let signals = signals()?;
    for &signal in &signals {
        // Set in the signal handler, so that an interrupted system call finds the flag set.
        flag::register(signal, Arc::clone(stop))?;
    }
    let mut first = None;
    on_thread(Signals::new(signals)?, move |signal| {
        if meaning(&mut first, Instant::now()) == Meaning::Second {
            let _ = low_level::emulate_default_handler(signal); // ends the process
        }
    })
}

/// The signals that stop a program. SIGHUP is left out if it was ignored when the program started, as under `nohup`.
fn signals() -> io::Result<Vec<i32>> {
    let hangup = (!is_ignored(SIGHUP)?).then_some(SIGHUP);
    Ok([SIGINT, SIGTERM].into_iter().chain(hangup).collect())
}

/// The meaning of a signal that stops a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    /// Stop gracefully.
    First,
    /// A duplicate: a shell and `timeout` signal a process, and then its group.
    Same,
    /// Stop at once: the user doesn't want to wait.
    Second,
}

/// A signal within this time after the first is a duplicate.
const DUPLICATE_WITHIN: Duration = Duration::from_secs(1);

/// The meaning of a signal that arrives now. Sets `first` when the first one arrives.
fn meaning(first: &mut Option<Instant>, now: Instant) -> Meaning {
    match *first {
        None => {
            *first = Some(now);
            Meaning::First
        }
        Some(first) if now.duration_since(first) < DUPLICATE_WITHIN => Meaning::Same,
        Some(_) => Meaning::Second,
    }
}

/// Lets a write fail that would make a file larger than it may be (`ulimit -f`), rather than end this process.
pub(crate) fn survive_size_limit() {
    // Without a handler, the default action stays.
    let _ = flag::register(libc::SIGXFSZ, Arc::default());
}

/// Calls `on_signal` for each of these signals, on a separate thread.
fn on_thread(mut signals: Signals, mut on_signal: impl FnMut(i32) + Send + 'static) -> io::Result<()> {
    thread::Builder::new()
        .name("signals".into())
        .spawn(move || signals.forever().for_each(&mut on_signal))
        .map(drop)
}

/// Whether a signal is ignored.
#[expect(unsafe_code, reason = "neither std, nor rustix, nor signal-hook can query a signal's action")]
fn is_ignored(signal: i32) -> io::Result<bool> {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: without a new action nothing is changed, and the old one is written to valid memory.
    if unsafe { libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has succeeded and written it.
    let action = unsafe { action.assume_init() };
    Ok(action.sa_sigaction == libc::SIG_IGN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_a_second_after_the_first_is_a_second_one() {
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
