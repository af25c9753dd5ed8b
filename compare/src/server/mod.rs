//! A server as separate processes: how it is started, awaited and ended.

#[cfg(target_os = "linux")]
mod linux;
mod output;
mod port;
#[cfg(any(not(target_os = "linux"), test))]
mod portable;
#[cfg(target_os = "linux")]
mod supervisor;

use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use super::candidate::{Candidate, Launch};
#[cfg(target_os = "linux")]
use linux::Processes;
use output::{Announced, Output, wait_for_end};
#[cfg(not(target_os = "linux"))]
use portable::Processes;

pub(super) use output::{Lines, Written};

/// A running server. Dropping it ends its processes, by SIGTERM to their process group and then by SIGKILL, and reaps
/// them. On Linux this includes all descendants, and they also end when this process ends, however it ends.
#[derive(Debug)]
pub(super) struct Server {
    processes: Processes,
    address: SocketAddr,
    out: (Output, Announced),
    err: (Output, Announced),
}

/// How the first process of a server ended.
#[derive(Clone, Copy, Debug)]
struct Exit {
    status: ExitStatus,
    /// Whether it left processes behind, which were then ended. Always false without a supervisor.
    left_others: bool,
}

/// How long a server may take to be ready, however busy the machine is.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// How often a waiting loop checks whether to stop.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// The time between two attempts to connect.
const RETRY_INTERVAL: Duration = Duration::from_millis(2);

/// How long to wait for the end of the output after the processes have ended.
const OUTPUT_TIMEOUT: Duration = Duration::from_secs(1);

/// How often another port is tried if another program took the port in the meantime.
const PORT_ATTEMPTS: usize = 5;

impl Server {
    /// Starts a server on these cores (empty means all), and waits until it accepts connections. Lines that it writes
    /// to standard error are added to `lines`.
    ///
    /// Environment variables of this command are removed, so that the arguments alone, which the report shows,
    /// determine what is measured.
    ///
    /// # Errors
    /// If the program can't be started, exits, or doesn't accept connections in time; `Interrupted` if `stop` was set.
    pub(super) fn start(
        candidate: &Candidate,
        cpus: &[usize],
        stop: &AtomicBool,
        lines: &Lines,
    ) -> io::Result<Self> {
        let spawn = |command| Self::spawn(command, cpus, lines.of(&candidate.name));
        match &candidate.launch {
            Launch::Announces { program, arguments, variables } => {
                let mut command = Command::new(program);
                command.args(arguments);
                remove_variables(&mut command, variables);
                let mut server = spawn(command)?;
                server.wait_for_announcement(stop)?;
                Ok(server)
            }
            Launch::Command { words } => {
                let start_at = |port| {
                    let mut words = Launch::words(words, port);
                    let mut command = Command::new(words.next().unwrap_or_default());
                    command.args(words);
                    let mut server = spawn(command)?;
                    server.wait_for_port(port, stop)?;
                    Ok(server)
                };
                let mut attempts = 0..PORT_ATTEMPTS;
                loop {
                    let port = port::free()?;
                    let started = start_at(port);
                    // The server has ended, and another program listens on the port.
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

    fn spawn(
        mut command: Command,
        cpus: &[usize],
        on_line: impl Fn(&str) + Send + 'static,
    ) -> io::Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        remove_variables(&mut command, "ANYLOOP_");
        let program = command.get_program().to_string_lossy().into_owned();
        let mut processes = Processes::spawn(command, cpus).map_err(|error| {
            io::Error::new(error.kind(), format!("its program {program} can't be started: {error}"))
        })?;
        let (Some(out), Some(err)) = processes.output() else {
            return Err(io::Error::other("its output can't be read"));
        };
        let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let (out, err) = (Output::read(out, |_| ())?, Output::read(err, on_line)?);
        Ok(Self { processes, address, out, err })
    }

    /// The address on which it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The process that is the ancestor of all of its processes.
    pub(super) fn root(&self) -> u32 {
        self.processes.root()
    }

    /// The anonymous memory of its processes, in bytes; `None` if the system doesn't report it.
    pub(super) fn memory(&self) -> Option<u64> {
        self.processes.memory()
    }

    /// How it ended; `None` if it still runs after `timeout`.
    pub(super) fn failure(&mut self, timeout: Duration) -> Option<String> {
        let ended = self.processes.ended(timeout)?;
        Some(self.exit_reason(ended))
    }

    /// The line of its output that reports a panic, if there is one: a thread may panic while the process continues.
    pub(super) fn panic_message(&self) -> Option<String> {
        self.err.0.panic().or_else(|| self.out.0.panic())
    }

    fn wait_for_announcement(&mut self, stop: &AtomicBool) -> io::Result<()> {
        self.wait("print `listening on ADDRESS`", stop, |server| {
            match server.out.1.recv_timeout(POLL_INTERVAL) {
                Ok(address) => Some(address),
                // It has closed its output, so it is about to exit.
                Err(RecvTimeoutError::Disconnected) => server.processes.ended(POLL_INTERVAL).and(None),
                Err(RecvTimeoutError::Timeout) => None,
            }
        })
    }

    fn wait_for_port(&mut self, port: u16, stop: &AtomicBool) -> io::Result<()> {
        let addresses: [SocketAddr; 2] =
            [(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()];
        self.wait(&format!("accept connections on {}", addresses[0]), stop, |server| {
            let address = addresses.into_iter().find(|address| port::accepts(*address));
            let address = address.filter(|_| !port::belongs_to_others(port, server.root()));
            if address.is_none() {
                server.processes.ended(RETRY_INTERVAL);
            }
            address
        })
    }

    /// Calls `look` until it returns the address to connect to. An exit of the server ends the wait at once.
    fn wait(
        &mut self,
        what: &str,
        stop: &AtomicBool,
        mut look: impl FnMut(&mut Self) -> Option<SocketAddr>,
    ) -> io::Result<()> {
        let begin = Instant::now();
        loop {
            let looked = look(self);
            if let Some(failure) = self.failure(Duration::ZERO) {
                return Err(io::Error::other(failure));
            }
            if let Some(address) = looked {
                self.address = address;
                return Ok(());
            }
            if stop.load(Ordering::Relaxed) {
                return Err(ErrorKind::Interrupted.into());
            }
            if begin.elapsed() > START_TIMEOUT {
                let text =
                    format!("it did not {what} within {} s{}", START_TIMEOUT.as_secs(), self.other_address());
                return Err(io::Error::new(ErrorKind::TimedOut, self.with_reason(text)));
            }
        }
    }

    /// The other address on which it listens, and what to do about it; empty if it doesn't listen, or if that is
    /// unknown.
    fn other_address(&self) -> String {
        match port::listening(self.root()).first() {
            Some(address) => format!(
                "; it listens on {address} instead: make sure that its command uses the port that replaces {{port}}"
            ),
            None => String::new(),
        }
    }

    fn exit_reason(&self, ended: Exit) -> String {
        // All processes that could write have ended.
        wait_for_end(&self.err.1, OUTPUT_TIMEOUT);
        wait_for_end(&self.out.1, OUTPUT_TIMEOUT);
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

    /// Appends the reason that it has written, if any.
    fn with_reason(&self, text: String) -> String {
        match self.err.0.reason().or_else(|| self.out.0.reason()) {
            Some(reason) => format!("{text}: {reason}"),
            None => text,
        }
    }
}

/// Removes the variables with this prefix from a command's environment.
fn remove_variables(command: &mut Command, prefix: &str) {
    let is_out = |name: &OsString| !prefix.is_empty() && name.to_string_lossy().starts_with(prefix);
    std::env::vars_os().map(|(name, _)| name).filter(is_out).for_each(|name| {
        command.env_remove(name);
    });
}

#[cfg(test)]
mod tests;
