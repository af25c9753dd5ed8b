//! The testbed of a comparison: this machine, or a simulated one in tests.

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
use super::idle::{self, Idle, IdlePlan};
use super::server::{Lines, Server, Written};
use load::engine;
use load::host;
use load::measurement::Measurement;
use load::plan::Plan;

/// The operations through which a comparison starts servers, generates load, and reads the time.
pub(super) trait Testbed {
    /// The cores that may be used.
    fn cores(&self) -> Vec<usize>;

    /// The average number of threads that ran or were runnable in the last minute.
    fn load_average(&self) -> Option<f64>;

    /// Starts a server on these cores; an empty slice means all.
    fn start(&mut self, candidate: &Candidate, cpus: &[usize]) -> io::Result<Box<dyn RunningServer>>;

    /// Generates the load of a plan, and measures.
    fn measure(&mut self, plan: &Plan) -> io::Result<Measurement>;

    /// Measures the memory of a server at these counts of idle connections, until it fails. The samples have no subject
    /// and no pass yet.
    fn memory(
        &mut self,
        server: &dyn RunningServer,
        plan: &IdlePlan<'_>,
    ) -> (Vec<MemorySample>, io::Result<()>);

    /// Takes the lines that servers have written to standard error since the last call.
    fn written(&mut self) -> Written;

    /// The time since the comparison began.
    fn now(&self) -> Duration;

    /// Whether it was interrupted.
    fn is_stopped(&self) -> bool;
}

/// A running server. Dropping it ends the server.
pub(super) trait RunningServer {
    fn address(&self) -> SocketAddr;
    /// The process that is the ancestor of all of its processes.
    fn root(&self) -> u32;
    /// The anonymous memory of its processes, in bytes.
    fn memory(&self) -> Option<u64>;
    /// How it ended; `None` if it still runs after `timeout`.
    fn failure(&mut self, timeout: Duration) -> Option<String>;
    /// The line of standard error that reports a panic, if there is one.
    fn panic_message(&self) -> Option<String>;
}

/// Starts a server, and ends it as soon as it accepts a connection.
///
/// # Errors
/// If it can't be started, exits, or doesn't accept a connection in time (`TimedOut`); `Interrupted` if `stop` was set.
pub fn try_start(candidate: &Candidate, stop: &AtomicBool) -> io::Result<()> {
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
    /// This machine. The programs of these candidates must stay as they are now.
    pub(super) fn new(stop: &'a AtomicBool, candidates: &[Candidate]) -> Self {
        Self { stop, programs: Programs::of(candidates), lines: Lines::default(), begin: Instant::now() }
    }
}

impl Testbed for Machine<'_> {
    fn cores(&self) -> Vec<usize> {
        conditions::cores()
    }

    fn load_average(&self) -> Option<f64> {
        host::load_average()
    }

    fn start(&mut self, candidate: &Candidate, cpus: &[usize]) -> io::Result<Box<dyn RunningServer>> {
        self.programs.check(&candidate.launch)?;
        Ok(Box::new(Server::start(candidate, cpus, self.stop, &self.lines)?))
    }

    fn measure(&mut self, plan: &Plan) -> io::Result<Measurement> {
        engine::run(plan, self.stop, None)
    }

    fn memory(
        &mut self,
        server: &dyn RunningServer,
        plan: &IdlePlan<'_>,
    ) -> (Vec<MemorySample>, io::Result<()>) {
        let mut idle = Idle::new(server.address(), plan);
        let mut measured = Vec::new();
        let is_stopped = || self.is_stopped();
        let result = idle::memory(&mut idle, &|| server.memory(), plan.counts, &is_stopped, &mut measured);
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

impl RunningServer for Server {
    fn address(&self) -> SocketAddr {
        Self::address(self)
    }

    fn root(&self) -> u32 {
        Self::root(self)
    }

    fn memory(&self) -> Option<u64> {
        Self::memory(self)
    }

    fn failure(&mut self, timeout: Duration) -> Option<String> {
        Self::failure(self, timeout)
    }

    fn panic_message(&self) -> Option<String> {
        Self::panic_message(self)
    }
}

/// The programs of the candidates by name, as they were at the start. Each round starts them again, so a build in
/// between would put two programs under one name.
#[derive(Debug)]
struct Programs(HashMap<OsString, Identity>);

/// What changes when a file is written or replaced, or another one is found by the same name: path, device, inode, and
/// the modification time in seconds and nanoseconds.
type Identity = (PathBuf, u64, u64, i64, i64);

impl Programs {
    /// Records the programs of these candidates.
    fn of(candidates: &[Candidate]) -> Self {
        let names = candidates.iter().filter_map(|candidate| program(&candidate.launch));
        Self(names.filter_map(|name| Some((name.to_owned(), identity(name)?))).collect())
    }

    /// Checks that a program is the same as at the start. A program that didn't exist then is reported when it is
    /// started.
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
            "its program {} was changed during the comparison, by a build perhaps; compare \
             again without changing it, or compare a copy of it",
            noted.0.display()
        )))
    }
}

/// The name of a program: a path, or a name that is looked up in `PATH`.
fn program(launch: &Launch) -> Option<&OsStr> {
    match launch {
        Launch::Announces { program, .. } => Some(program.as_os_str()),
        Launch::Command { words } => words.first().map(OsStr::new),
    }
}

/// The file that this name executes, as it is now.
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
    fn a_program_that_was_replaced_is_an_error() {
        let file = std::env::temp_dir().join(format!("anyloop-program-{}", std::process::id()));
        fs::write(&file, "one").unwrap();
        let command = format!("{} {{port}}", file.display());
        let candidate = Candidate::server("own", &command).unwrap();
        let launch =
            Launch::Announces { program: file.clone(), arguments: Vec::new(), variables: String::new() };
        let programs = Programs::of(std::slice::from_ref(&candidate));
        assert!(programs.check(&launch).is_ok() && programs.check(&candidate.launch).is_ok());
        // As linkers do: another file with the same name.
        let other = file.with_extension("new");
        fs::write(&other, "two").unwrap();
        fs::rename(&other, &file).unwrap();
        for launch in [&launch, &candidate.launch] {
            let error = programs.check(launch).unwrap_err().to_string();
            assert!(error.contains("was changed during the comparison"), "{error}");
        }
        fs::remove_file(&file).unwrap();
        assert!(programs.check(&launch).is_err(), "it was removed");
    }

    #[test]
    fn a_program_that_is_found_in_path_is_checked_too() {
        let candidate = Candidate::server("own", "sh -c 'serve {port}'").unwrap();
        let mut programs = Programs::of(std::slice::from_ref(&candidate));
        assert!(programs.check(&candidate.launch).is_ok());
        let noted = programs.0.get_mut(OsStr::new("sh")).unwrap();
        assert!(noted.0.is_absolute() && noted.0.ends_with("sh"), "{noted:?}");
        noted.3 -= 1;
        assert!(programs.check(&candidate.launch).is_err(), "its modification time differs");
        assert_eq!(identity(OsStr::new("no-program-of-this-name")), None);
    }
}
