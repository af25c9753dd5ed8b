//! The core and the serving layer of anyloop on virtual time and a simulated kernel, from a seed.

#![forbid(unsafe_code)]

mod book;
mod causes;
mod checks;
mod client;
mod clock;
mod core;
mod format;
mod kernel;
mod mail;
mod operation;
mod options;
mod protocol;
mod records;
mod server;
mod session;
mod socket;
mod steps;
mod tape;
mod timing;
mod trace;
mod worker;
mod world;

use std::sync::Once;

pub use crate::checks::Summary;
pub use crate::format::Format;
pub use crate::options::{Driving, Options};
pub use crate::tape::Tape;
pub use crate::trace::Trace;
use crate::world::World;

/// The result of a run.
#[derive(Debug)]
pub struct Run {
    /// What took part.
    pub options: Options,
    /// The trace, if it was kept.
    pub trace: Trace,
    /// What it has shown, or what was violated.
    pub result: Result<Summary, String>,
}

/// Runs the simulation with these choices.
pub fn run(tape: Tape, trace: Trace) -> Run {
    hide_panics_on_purpose();
    let world = World::new(tape, trace);
    let options = world.shared.options.clone();
    let (trace, result) = world.run();
    Run { options, trace, result }
}

/// Panics that a session was told to cause are not printed.
fn hide_panics_on_purpose() {
    static HIDDEN: Once = Once::new();
    HIDDEN.call_once(|| {
        let others = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !session::is_on_purpose(panic) {
                others(panic);
            }
        }));
    });
}
