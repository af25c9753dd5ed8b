//! The signals that stop a server.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;

use common::Stop;
use signal_hook::consts::{SIGINT, SIGTERM};
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

/// From now on SIGINT and SIGTERM set `stop`; a second one ends the program.
pub(crate) fn interrupt(stop: &Arc<AtomicBool>) -> io::Result<()> {
    for signal in [SIGINT, SIGTERM] {
        // In this order, so that the first signal finds the flag still unset.
        flag::register_conditional_default(signal, Arc::clone(stop))?;
        flag::register(signal, Arc::clone(stop))?;
    }
    Ok(())
}
