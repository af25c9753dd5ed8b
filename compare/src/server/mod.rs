//! A server as processes of its own: started, waited for, and ended.

mod output;
mod port;
mod processes;

use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use super::candidate::Launch;
use output::{Announced, Output, wait_for_end};
use processes::{Ended, Processes};

/// A running server. When this is dropped, its processes are ended, by SIGTERM to their process group and then by
/// SIGKILL, and waited for. On Linux that is true of all processes that descend from it, and they also end with this
/// process, however that ends.
#[derive(Debug)]
pub(super) struct Server {
    processes: Processes,
    address: SocketAddr,
    out: (Output, Announced),
    err: (Output, Announced),
}

/// By when a server must be ready, however busy the machine is.
const START: Duration = Duration::from_secs(20);

/// How often it is looked whether to stop waiting.
const LOOK: Duration = Duration::from_millis(20);

/// How long is waited from one attempt to connect to the next.
const RETRY: Duration = Duration::from_millis(2);

/// How long is waited for the end of what a server writes, whose processes have ended.
const OUTPUT: Duration = Duration::from_secs(1);

/// How often another port is tried where one was taken by somebody else meanwhile.
const PORTS: usize = 5;

/// What is said of a server whose processes are not all descendants of its first one, and how often that is seen.
const LEFT: &str = "the process that listens was left behind by its parent, so that what it uses can't be counted; start the \
                    server so that it listens in its first process or in a child of it";
const LOOKS: usize = 5;

impl Server {
    /// Starts a server on these cores (none are all cores), and waits until it can be connected to.
    ///
    /// Variables of this command are taken out of the environment: what is measured is what the arguments say, and so
    /// what the report says.
    ///
    /// # Errors
    /// If the program can't be started, ends, or can't be connected to in time; `Interrupted` if `stop` was set
    /// meanwhile.
    pub(super) fn start(launch: &Launch, cpus: &[usize], stop: &AtomicBool) -> io::Result<Self> {
        match launch {
            Launch::Announces { program, arguments, variables } => {
                let mut command = Command::new(program);
                command.args(arguments);
                take_out(&mut command, variables);
                let mut server = Self::spawn(command, cpus)?;
                server.wait_for_announcement(stop)?;
                Ok(server)
            }
            Launch::Command { words } => {
                let mut attempts = 0..PORTS;
                loop {
                    let port = port::free()?;
                    let started = Self::start_at(port, words, cpus, stop);
                    // It has ended, and somebody else listens there.
                    let is_ended = |error: &io::Error| error.kind() == ErrorKind::Other;
                    if !started.as_ref().is_err_and(|error| is_ended(error) && port::is_taken(port))
                        || attempts.next().is_none()
                    {
                        return started;
                    }
                }
            }
        }
    }

    /// Starts a command that is to listen on a port.
    fn start_at(port: u16, words: &[String], cpus: &[usize], stop: &AtomicBool) -> io::Result<Self> {
        let mut words = Launch::words(words, port);
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words);
        let mut server = Self::spawn(command, cpus)?;
        server.wait_for_port(port, stop)?;
        Ok(server)
    }

    fn spawn(mut command: Command, cpus: &[usize]) -> io::Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        take_out(&mut command, "ANYLOOP_");
        let program = command.get_program().to_string_lossy().into_owned();
        let mut processes = Processes::spawn(command, cpus).map_err(|error| {
            io::Error::new(error.kind(), format!("its program {program} can't be started: {error}"))
        })?;
        let (Some(out), Some(err)) = processes.output() else {
            return Err(io::Error::other("its output can't be read"));
        };
        let unspecified = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        Ok(Self { processes, address: unspecified, out: Output::read(out)?, err: Output::read(err)? })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its first process, from which all others descend.
    pub(super) fn process(&self) -> u32 {
        self.processes.first()
    }

    /// How it ended; `None` if it runs still after `patience`.
    pub(super) fn failure(&mut self, patience: Duration) -> Option<String> {
        let ended = self.processes.ended(patience)?;
        Some(self.described(ended))
    }

    /// The line in which it has told of a panic, if it has: a thread may panic and the process go on.
    pub(super) fn said(&self) -> Option<String> {
        self.err.0.panic().or_else(|| self.out.0.panic())
    }

    fn wait_for_announcement(&mut self, stop: &AtomicBool) -> io::Result<()> {
        self.wait("say where it listens", stop, |server| match server.out.1.recv_timeout(LOOK) {
            Ok(address) => Ok(Some(address)),
            // It has closed its output, so it is about to end.
            Err(RecvTimeoutError::Disconnected) => Ok(server.processes.ended(LOOK).and(None)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
        })
    }

    fn wait_for_port(&mut self, port: u16, stop: &AtomicBool) -> io::Result<()> {
        let addresses: [SocketAddr; 2] =
            [(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()];
        let mut looks = 0;
        self.wait(&format!("accept connections on {}", addresses[0]), stop, |server| {
            let first = server.process();
            let address = addresses.into_iter().find(|address| port::accepts(*address));
            let is_accepted = address.is_some();
            let address = address.filter(|_| !port::is_of_others(port, first));
            if address.is_none() {
                server.processes.ended(RETRY);
            }
            // Processes are not seen all at one instant, so one look is not enough.
            looks = if is_accepted && server.has_left_its_parent(port) { looks + 1 } else { 0 };
            if looks == LOOKS { Err(server.with_reason(LEFT.to_owned())) } else { Ok(address) }
        })
    }

    /// Whether who listens on a port is none of the first process's descendants any more, and is ended with them all the
    /// same.
    fn has_left_its_parent(&self, port: u16) -> bool {
        port::is_of_others(port, self.process()) && !port::is_of_others(port, self.processes.guard())
    }

    /// Waits until it is known where to connect to. Its end ends that at once.
    fn wait(
        &mut self,
        what: &str,
        stop: &AtomicBool,
        mut look: impl FnMut(&mut Self) -> Result<Option<SocketAddr>, String>,
    ) -> io::Result<()> {
        let begin = Instant::now();
        loop {
            let looked = look(self);
            if let Some(failure) = self.failure(Duration::ZERO) {
                return Err(io::Error::other(failure));
            }
            if let Some(address) = looked.map_err(io::Error::other)? {
                self.address = address;
                return Ok(());
            }
            if stop.load(Ordering::Relaxed) {
                return Err(ErrorKind::Interrupted.into());
            }
            if begin.elapsed() > START {
                let text = format!("it did not {what} within {} s", START.as_secs());
                return Err(io::Error::new(ErrorKind::TimedOut, self.with_reason(text)));
            }
        }
    }

    fn described(&self, ended: Ended) -> String {
        // All who could write have ended.
        wait_for_end(&self.err.1, OUTPUT);
        wait_for_end(&self.out.1, OUTPUT);
        let status = ended.status;
        self.with_reason(if status.success() && ended.left_others {
            format!(
                "the server went into the background: its first process ended ({status}) and left others, which were \
                 ended; start it so that it stays in the foreground"
            )
        } else {
            format!("the server ended ({status})")
        })
    }

    /// With what it has written, if it has.
    fn with_reason(&self, text: String) -> String {
        match self.err.0.reason().or_else(|| self.out.0.reason()) {
            Some(reason) => format!("{text}: {reason}"),
            None => text,
        }
    }
}

/// Takes the variables out of a command's environment whose names begin like this.
fn take_out(command: &mut Command, prefix: &str) {
    let is_out = |name: &OsString| !prefix.is_empty() && name.to_string_lossy().starts_with(prefix);
    std::env::vars_os().map(|(name, _)| name).filter(is_out).for_each(|name| {
        command.env_remove(name);
    });
}

#[cfg(test)]
mod tests;
