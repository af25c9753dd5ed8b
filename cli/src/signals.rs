//! The signals that stop a server.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::{fs, io};

use common::Stop;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::iterator::Signals;

/// From now on SIGINT and SIGTERM press `stop`: the first lets the clients drain, a later one ends at once.
pub(crate) fn obey(stop: Stop) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    thread::Builder::new().name("signals".into()).spawn(move || {
        for (count, signal) in signals.forever().enumerate() {
            let signal = if signal == SIGINT { "SIGINT" } else { "SIGTERM" };
            if count == 0 {
                tracing::info!(signal, "draining; a second signal ends at once");
                stop.drain();
            } else {
                tracing::warn!(signal, "ending at once");
                stop.now();
            }
        }
    })?;
    Ok(())
}

/// From now on SIGINT, SIGTERM and SIGHUP set `stop`; a second one ends the program. A SIGHUP that was ignored
/// before stays so: that is what `nohup` asks for.
pub(crate) fn interrupt(stop: &Arc<AtomicBool>) -> io::Result<()> {
    let signals = [SIGINT, SIGTERM, SIGHUP];
    for signal in signals.into_iter().filter(|&signal| signal != SIGHUP || !is_ignored(signal)) {
        // In this order, so that the first signal finds the flag still unset.
        flag::register_conditional_default(signal, Arc::clone(stop))?;
        flag::register(signal, Arc::clone(stop))?;
    }
    Ok(())
}

/// Whether the process ignores a signal, where the system tells.
fn is_ignored(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    ignored >> (signal - 1) & 1 == 1
}
