//! Where a comparison is made: on this machine, or, in tests, nowhere.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, Metadata};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::MemorySample;
use super::candidate::{Candidate, Launch};
use super::conditions;
use super::idle::{self, Idle, Ladder};
use super::server::{Lines, Server, Written};
use load::engine;
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

    /// Measures the memory of a server with these counts of idle connections, as far as it goes: of no subject and no
    /// pass yet.
    fn memory(&mut self, server: &dyn Running, ladder: &Ladder<'_>) -> (Vec<MemorySample>, io::Result<()>);

    /// What servers have written to standard error and nobody was told of yet.
    fn written(&mut self) -> Written;

    /// The time since the comparison began.
    fn now(&self) -> Duration;

    /// Whether it was interrupted.
    fn is_stopped(&self) -> bool;
}

/// A server, which runs until this is dropped.
pub(super) trait Running {
    fn address(&self) -> SocketAddr;
    /// The process from which all of its processes descend.
    fn root(&self) -> u32;
    /// The anonymous memory of its processes, in bytes.
    fn memory(&self) -> Option<u64>;
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
    Server::start(candidate, &[], stop, &Lines::default()).map(drop)
}

/// This machine.
pub(super) struct Machine<'a> {
    stop: &'a AtomicBool,
    programs: Programs,
    lines: Lines,
    begin: Instant,
}

impl<'a> Machine<'a> {
    /// This machine, with the programs of these candidates as they are now.
    pub(super) fn new(stop: &'a AtomicBool, candidates: &[Candidate]) -> Self {
        Self { stop, programs: Programs::of(candidates), lines: Lines::default(), begin: Instant::now() }
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
        Ok(Box::new(Server::start(candidate, cpus, self.stop, &self.lines)?))
    }

    fn measure(&mut self, plan: &Plan) -> io::Result<Measurement> {
        engine::run(plan, self.stop, None)
    }

    fn memory(&mut self, server: &dyn Running, ladder: &Ladder<'_>) -> (Vec<MemorySample>, io::Result<()>) {
        let mut idle = Idle::new(server.address(), ladder);
        let mut measured = Vec::new();
        let is_stopped = || self.is_stopped();
        let result = idle::memory(&mut idle, &|| server.memory(), ladder.counts, &is_stopped, &mut measured);
        (measured, result)
    }

    fn written(&mut self) -> Written {
        self.lines.take()
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

    fn root(&self) -> u32 {
        Self::root(self)
    }

    fn memory(&self) -> Option<u64> {
        Self::memory(self)
    }

    fn failure(&mut self, patience: Duration) -> Option<String> {
        Self::failure(self, patience)
    }

    fn said(&self) -> Option<String> {
        Self::said(self)
    }
}

/// The programs of the candidates by their names, as they were at the start. Every round starts them anew: after a build
/// in between, two programs would be measured under one name.
#[derive(Debug)]
struct Programs(HashMap<OsString, Identity>);

/// What differs when a file was written or replaced, or another one is found by the same name: the file, its device,
/// inode, and the time of its last change in seconds and nanoseconds.
type Identity = (PathBuf, u64, u64, i64, i64);

impl Programs {
    /// Takes note of the programs of these candidates.
    fn of(candidates: &[Candidate]) -> Self {
        let names = candidates.iter().filter_map(|candidate| program(&candidate.launch));
        Self(names.filter_map(|name| Some((name.to_owned(), identity(name)?))).collect())
    }

    /// Whether a program is the one that it was at the start. One that wasn't there then is told of when it is started.
    ///
    /// # Errors
    /// If it was changed, replaced or removed.
    fn check(&self, launch: &Launch) -> io::Result<()> {
        let Some((name, noted)) = program(launch).and_then(|name| self.0.get_key_value(name)) else {
            return Ok(());
        };
        if identity(name).as_ref() == Some(noted) {
            return Ok(());
        }
        Err(io::Error::other(format!(
            "its program {} was changed while it was measured, by a build perhaps; compare again, and leave it as it is \
             meanwhile, or compare a copy of it",
            noted.0.display()
        )))
    }
}

/// The name of a program: a path, or what is looked for in `PATH`.
fn program(launch: &Launch) -> Option<&OsStr> {
    match launch {
        Launch::Announces { program, .. } => Some(program.as_os_str()),
        Launch::Command { words } => words.first().map(OsStr::new),
    }
}

/// The file that is executed by this name, as it is now.
fn identity(name: &OsStr) -> Option<Identity> {
    let found = |file: PathBuf| Some((fs::metadata(&file).ok()?, file));
    let (of, file) = if name.as_encoded_bytes().contains(&b'/') {
        found(PathBuf::from(name))?
    } else {
        let path = std::env::var_os("PATH")?;
        let can_be_executed = |of: &Metadata| of.is_file() && of.mode() & 0o111 != 0;
        let mut files = std::env::split_paths(&path).filter_map(|folder| found(folder.join(name)));
        files.find(|(of, _)| can_be_executed(of))?
    };
    Some((file, of.dev(), of.ino(), of.mtime(), of.mtime_nsec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_was_replaced_is_told() {
        let file = std::env::temp_dir().join(format!("anyloop-program-{}", std::process::id()));
        fs::write(&file, "one").unwrap();
        let command = format!("{} {{port}}", file.display());
        let candidate = Candidate::server("own", &command).unwrap();
        let launch =
            Launch::Announces { program: file.clone(), arguments: Vec::new(), variables: String::new() };
        let programs = Programs::of(std::slice::from_ref(&candidate));
        assert!(programs.check(&launch).is_ok() && programs.check(&candidate.launch).is_ok());
        // As a linker does it: another file of the same name.
        let other = file.with_extension("new");
        fs::write(&other, "two").unwrap();
        fs::rename(&other, &file).unwrap();
        for launch in [&launch, &candidate.launch] {
            let error = programs.check(launch).unwrap_err().to_string();
            assert!(error.contains("was changed while it was measured"), "{error}");
        }
        fs::remove_file(&file).unwrap();
        assert!(programs.check(&launch).is_err(), "it is gone");
    }

    #[test]
    fn what_is_looked_for_in_the_path_is_watched() {
        let candidate = Candidate::server("own", "sh -c 'serve {port}'").unwrap();
        let mut programs = Programs::of(std::slice::from_ref(&candidate));
        assert!(programs.check(&candidate.launch).is_ok());
        let noted = programs.0.get_mut(OsStr::new("sh")).unwrap();
        assert!(noted.0.is_absolute() && noted.0.ends_with("sh"), "{noted:?}");
        noted.3 -= 1;
        assert!(programs.check(&candidate.launch).is_err(), "it was written before");
        assert_eq!(identity(OsStr::new("no-program-of-this-name")), None);
    }
}
