//! The core and the serving layer of anyloop on virtual time and a simulated kernel, from a seed.
//!
//! A run has clients, a network, a server and a clock. A finite [`Tape`] of random bytes decides which of them does the next
//! step and what goes wrong, so a run is a function of its tape, and a tape is a function of a seed. Each seed first draws what
//! takes part at all: see [`Options`]. When the tape is over, no more faults occur and everything must end.
//!
//! The server is the real one, in one thread: acceptor, conversations, maintenance, lingering close, handles and answers. A
//! worker drives it like `epoll`, like the async backends or like `uring`, over sockets that fail as TCP's system calls do. With
//! [`Driving::Borrowed`] and [`Driving::Lent`] there are the connections of the core alone, in any order that is legal.
//! Blocking sockets, threads, and the backends' own code are out of scope: the kit tests them on real sockets. So is
//! `Interrupt`, which wakes a thread that is blocked in a system call: what can go wrong there lies between a signal and the
//! moment at which the call begins, and a kernel that runs in steps has no such moment. `serving/tests/interrupt.rs`, and a test
//! that loses a signal on purpose, have it.
//!
//! # Running
//!
//! ```text
//! cargo run --release -p anyloop-simulation -- --seconds 60         # as many seeds as possible
//! cargo run --release -p anyloop-simulation -- --seed 4711 --trace  # one of them, step by step
//! cargo run --release -p anyloop-simulation -- --tape seed-4711.tape --trace
//! cargo run --release -p anyloop-simulation -- --count 200000 --marks
//! ```
//!
//! # Reading a trace
//!
//! It begins with the seed, the commit and the drawn options: chances are of 256. Then each line is a step: the virtual time,
//! and who did what. Clients are numbered as they connect. *Arrive* and *deliver* are the network's steps: bytes reach the
//! server's socket, and the client's. The last line names the violation. Replies begin with `R`, pushes are `P1`, `P2` …, those
//! to the group of all clients `G3`, and answers that come later `L4`, so that no two of them are alike.
//!
//! # What is checked
//!
//! - The book (`book.rs`) is told of each call of the application, and from this follows all output that a client must receive,
//!   to the byte. `mail.rs` is a model of the mailbox: what each push returns, and what is delivered next.
//! - `causes.rs` checks at each end that there was a reason for it and that the client was told. `timing.rs` knows the earliest
//!   and the latest time of each timeout, from what was seen on the wire and not from the deadlines of the core.
//! - `worker/accept.rs` knows which clients are to be served, for which reason the others are refused, and when the next one may be
//!   accepted. `turn.rs` knows what ends a turn.
//! - After each step: both equations of the receipt against the model, the bound on memory with the mailbox, and what a lingering
//!   socket discards. When nothing can run: no wake-up was lost, and no deadline is late. At the end: `checks.rs`.
//!
//! # What checks the simulation itself
//!
//! - Canaries (`canary.rs`) are defects on purpose in the core and the serving layer, by `canary!` of `common`. A build with
//!   `--cfg anyloop_canaries` contains them, and a run chooses one. `tests/canaries.rs` runs the seeds that find each, and the
//!   flag `--canaries` prints how many seeds it takes to find them. Three more are in the simulation itself, where its checks do
//!   not see them: a panic and a hang must not lose their seed, which `tests/driver.rs` tests.
//! - Parity (`tests/parity`) runs situations of a connected socket over the simulated kernel, by a [`Pair`], and over the loopback
//!   interface, with the same assertions.
//!
//! # Adding a fault or a check
//!
//! A fault is a chance in `Faults` (`options.rs`), which its place draws by `tape.chance`. An operation that a message asks for
//! is a variant of `Operation` and an arm in `session.rs`. A check of what a client may see belongs in the book; one of what
//! holds at each step in `check` of `server.rs` and `core.rs`. If a new check fails although the server is right, the model is
//! wrong: make it exact, don't weaken the check. A fault of the server that is found gets a unit test where it is mended, and
//! a canary that brings it back. Its tape is not kept: with the next thing that is drawn, the same bytes are another run.

#![forbid(unsafe_code)]

mod book;
#[cfg(anyloop_canaries)]
pub mod canary;
mod causes;
mod checks;
mod client;
mod clock;
mod core;
mod format;
mod kernel;
mod mail;
mod marks;
mod operation;
mod options;
mod pair;
mod panics;
mod preamble;
mod protocol;
mod rate;
mod records;
mod server;
mod session;
mod shrink;
mod socket;
mod steps;
mod tape;
mod timing;
mod trace;
mod turn;
mod watch;
mod words;
mod worker;
mod world;

pub use crate::checks::Summary;
pub use crate::format::Format;
pub use crate::marks::{Mark, Marks};
pub use crate::options::{Driving, Options};
pub use crate::pair::Pair;
use crate::panics::caught;
pub use crate::shrink::{kind, shrink};
pub use crate::socket::SimSocket;
pub use crate::tape::Tape;
pub use crate::trace::Trace;
pub use crate::words::counted;
use crate::world::{Checked, World};

/// The result of a run.
#[derive(Debug)]
pub struct Run {
    /// What took part.
    pub options: Options,
    /// What it has shown, or what was violated.
    pub result: Result<Summary, String>,
}

/// Runs the simulation with these choices. A panic that the simulation did not cause on purpose is a violation.
pub fn run(mut tape: Tape, trace: Trace) -> Run {
    let options = Options::draw(&mut tape);
    let result = simulate(&options, tape, &trace);
    if let Err(violation) = &result {
        trace.line(|| format!("VIOLATION: {violation}"));
    }
    Run { options, result }
}

/// What takes part in the run of a tape.
pub fn options(mut tape: Tape) -> Options {
    Options::draw(&mut tape)
}

fn simulate(options: &Options, tape: Tape, trace: &Trace) -> Checked<Summary> {
    let mut world = caught(|| Ok(World::new(options.clone(), tape, trace.clone())))?;
    if let Err(violation) = caught(|| world.run()) {
        // Not while a panic unwinds: another one would abort the process.
        let _ = caught(|| {
            drop(world);
            Ok(())
        });
        return Err(violation);
    }
    caught(|| world.finish())
}
