//! The core and the serving layer of anyloop on virtual time and a simulated kernel, from a seed.

#![forbid(unsafe_code)]

mod book;
mod checks;
mod client;
mod clock;
mod kernel;
mod options;
mod records;
mod session;
mod tape;
mod trace;
mod worker;
mod world;

use std::sync::Once;

pub use crate::checks::Summary;
pub use crate::options::{Driving, Options};
use crate::session::OnPurpose;
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
    let options = world.options.clone();
    let (trace, result) = world.run();
    Run { options, trace, result }
}

/// Panics that a session was told to cause are not printed.
fn hide_panics_on_purpose() {
    static HIDDEN: Once = Once::new();
    HIDDEN.call_once(|| {
        let others = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !panic.payload().is::<OnPurpose>() {
                others(panic);
            }
        }));
    });
}
