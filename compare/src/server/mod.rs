//! A server as processes of its own: started, waited for, and ended.

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

/// How the first process of a server ended.
#[derive(Clone, Copy, Debug)]
struct Ended {
    status: ExitStatus,
    /// Whether it left processes behind, which were ended. Where there is no supervisor, that is not known.
    left_others: bool,
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

impl Server {
    /// Starts a server on these cores (none are all cores), and waits until it can be connected to. What it writes to
    /// standard error is added to `lines`.
    ///
    /// Variables of this command are taken out of the environment: what is measured is what the arguments say, and so
    /// what the report says.
    ///
    /// # Errors
    /// If the program can't be started, ends, or can't be connected to in time; `Interrupted` if `stop` was set
    /// meanwhile.
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
                take_out(&mut command, variables);
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
                let mut attempts = 0..PORTS;
                loop {
                    let port = port::free()?;
                    let started = start_at(port);
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

    fn spawn(
        mut command: Command,
        cpus: &[usize],
        on_line: impl Fn(&str) + Send + 'static,
    ) -> io::Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        take_out(&mut command, "ANYLOOP_");
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

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The process from which all of its processes descend.
    pub(super) fn root(&self) -> u32 {
        self.processes.root()
    }

    /// The anonymous memory of its processes, in bytes; `None` if the system doesn't tell.
    pub(super) fn memory(&self) -> Option<u64> {
        self.processes.memory()
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
            Ok(address) => Some(address),
            // It has closed its output, so it is about to end.
            Err(RecvTimeoutError::Disconnected) => server.processes.ended(LOOK).and(None),
            Err(RecvTimeoutError::Timeout) => None,
        })
    }

    fn wait_for_port(&mut self, port: u16, stop: &AtomicBool) -> io::Result<()> {
        let addresses: [SocketAddr; 2] =
            [(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()];
        self.wait(&format!("accept connections on {}", addresses[0]), stop, |server| {
            let address = addresses.into_iter().find(|address| port::accepts(*address));
            let address = address.filter(|_| !port::is_of_others(port, server.root()));
            if address.is_none() {
                server.processes.ended(RETRY);
            }
            address
        })
    }

    /// Waits until it is known where to connect to. Its end ends that at once.
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
            if begin.elapsed() > START {
                let text = format!("it did not {what} within {} s{}", START.as_secs(), self.elsewhere());
                return Err(io::Error::new(ErrorKind::TimedOut, self.with_reason(text)));
            }
        }
    }

    /// Where it listens instead, and what to do about it; empty if it does not listen, or that can't be told.
    fn elsewhere(&self) -> String {
        match port::listening(self.root()).first() {
            Some(address) => format!(
                "; it listens on {address} instead: have its command pass on the port that stands for {{port}}"
            ),
            None => String::new(),
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
