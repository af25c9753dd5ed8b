//! Where a comparison is made: on this machine, or, in tests, nowhere.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::candidate::Candidate;
use super::conditions;
use super::idle::{self, Idle};
use super::program::Programs;
use super::server::Server;
use load::engine;
use load::framing::Framing;
use load::host;
use load::measurement::Measurement;
use load::plan::Plan;

/// What a comparison needs of the world.
pub(super) trait Laboratory {
    /// The cores that may be used.
    fn cores(&self) -> Vec<usize>;

    /// How many threads ran or wanted to run within the last minute, on average.
    fn load_average(&self) -> Option<f64>;

    /// Starts a server on these cores; none are all.
    fn start(&mut self, candidate: &Candidate, cpus: &[usize]) -> io::Result<Box<dyn Running>>;

    /// Makes the load of a plan, and measures.
    fn measure(&mut self, plan: &Plan) -> io::Result<Measurement>;

    /// Measures the memory of a server with these counts of idle connections, as far as it goes.
    fn memory(&mut self, server: &dyn Running, ladder: &Ladder<'_>) -> (Vec<(usize, u64)>, io::Result<()>);

    /// The time since the comparison began.
    fn now(&self) -> Duration;

    /// Whether it was interrupted.
    fn is_stopped(&self) -> bool;
}

/// A server, which runs until this is dropped.
pub(super) trait Running {
    fn address(&self) -> SocketAddr;
    fn process(&self) -> u32;
    /// How it ended; `None` if it runs still after `patience`.
    fn failure(&mut self, patience: Duration) -> Option<String>;
    /// The line in which it has told of a panic, if it has.
    fn said(&self) -> Option<String>;
}

/// Starts a server, and ends it as soon as it can be connected to.
///
/// # Errors
/// If it can't be started, ends, or can't be connected to in time (`TimedOut`); `Interrupted` if `stop` was set.
pub fn starts(candidate: &Candidate, stop: &AtomicBool) -> io::Result<()> {
    Server::start(&candidate.launch, &[], stop).map(drop)
}

/// The idle connections with which memory is measured.
pub(super) struct Ladder<'a> {
    pub(super) counts: &'a [usize],
    pub(super) framing: Framing,
    /// Whether the server says something first.
    pub(super) greets: bool,
    /// The message that each exchanges, as it is sent.
    pub(super) message: Vec<u8>,
}

/// This machine.
pub(super) struct Machine<'a> {
    stop: &'a AtomicBool,
    programs: Programs,
    begin: Instant,
}

impl<'a> Machine<'a> {
    /// This machine, with the programs of these candidates as they are now.
    pub(super) fn new(stop: &'a AtomicBool, candidates: &[Candidate]) -> Self {
        Self { stop, programs: Programs::of(candidates), begin: Instant::now() }
    }
}

impl Laboratory for Machine<'_> {
    fn cores(&self) -> Vec<usize> {
        conditions::cores()
    }

    fn load_average(&self) -> Option<f64> {
        host::load_average()
    }

    fn start(&mut self, candidate: &Candidate, cpus: &[usize]) -> io::Result<Box<dyn Running>> {
        self.programs.check(&candidate.launch)?;
        Ok(Box::new(Server::start(&candidate.launch, cpus, self.stop)?))
    }

    fn measure(&mut self, plan: &Plan) -> io::Result<Measurement> {
        engine::run(plan, self.stop, None)
    }

    fn memory(&mut self, server: &dyn Running, ladder: &Ladder<'_>) -> (Vec<(usize, u64)>, io::Result<()>) {
        let mut idle = Idle::new(server.address(), ladder);
        let mut measured = Vec::new();
        let is_stopped = || self.is_stopped();
        let result = idle::memory(&mut idle, server.process(), ladder.counts, &is_stopped, &mut measured);
        (measured, result)
    }

    fn now(&self) -> Duration {
        self.begin.elapsed()
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

impl Running for Server {
    fn address(&self) -> SocketAddr {
        Self::address(self)
    }

    fn process(&self) -> u32 {
        Self::process(self)
    }

    fn failure(&mut self, patience: Duration) -> Option<String> {
        Self::failure(self, patience)
    }

    fn said(&self) -> Option<String> {
        Self::said(self)
    }
}
