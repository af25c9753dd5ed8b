//! A server as a process of its own.

mod lifetime;

use std::io::{self, BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::settings::Candidate;

/// A running server, which is ended when this is dropped, and waited for: that process, and no other. On Linux it
/// also ends with the thread that has started it, and so with this process, however that ends.
#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    address: SocketAddr,
    log: Log,
}

/// The end of what it has logged.
#[derive(Clone, Debug, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

/// By when a server must listen, however busy the machine is.
const START: Duration = Duration::from_secs(10);

/// How often it is looked whether to stop waiting.
const LOOK: Duration = Duration::from_millis(50);

/// How much of the log is kept, in bytes.
const LOG: usize = 2048;

/// What it prints before its address.
const ANNOUNCEMENT: &str = "listening on ";

impl Server {
    /// Starts a server, and waits until it says where it listens.
    ///
    /// Flags that the environment sets for the program are taken away: what is measured is what its arguments
    /// say, and so what the report says.
    ///
    /// # Errors
    /// If the program can't be started, ends, or doesn't listen in time; `Interrupted` if `stop` was set
    /// meanwhile.
    pub(super) fn start(candidate: &Candidate, stop: &AtomicBool) -> io::Result<Self> {
        let mut command = Command::new(&candidate.program);
        command.args(&candidate.arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("ANYLOOP_") {
                command.env_remove(name);
            }
        }
        lifetime::tie(&mut command);
        let mut child = command.spawn().map_err(|error| {
            io::Error::new(error.kind(), format!("its program can't be started: {error}"))
        })?;
        let log = Log::default();
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        // From here on the process is ended on every way out.
        let unspecified = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut server = Self { child, address: unspecified, log: log.clone() };
        if let Some(stderr) = stderr {
            thread::Builder::new().name("server-log".into()).spawn(move || log.keep(stderr))?;
        }
        let announced = match stdout {
            Some(stdout) => listen_to(stdout)?,
            None => return Err(io::Error::other("its output can't be read")),
        };
        server.address = server.wait(&announced, stop)?;
        Ok(server)
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process.
    pub(super) fn process(&self) -> u32 {
        self.child.id()
    }

    /// How it ended; `None` as long as it runs.
    pub(super) fn failure(&mut self) -> Option<String> {
        self.child.try_wait().ok()?.map(|status| self.ended(status))
    }

    fn wait(&mut self, announced: &Receiver<SocketAddr>, stop: &AtomicBool) -> io::Result<SocketAddr> {
        let begin = Instant::now();
        loop {
            match announced.recv_timeout(LOOK) {
                Ok(address) => return Ok(address),
                // It has closed its output, so it is about to end.
                Err(RecvTimeoutError::Disconnected) => thread::sleep(LOOK),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if let Some(failure) = self.failure() {
                return Err(io::Error::other(failure));
            }
            if stop.load(Ordering::Relaxed) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            if begin.elapsed() > START {
                let what = format!("it did not say where it listens within {} s", START.as_secs());
                return Err(io::Error::new(io::ErrorKind::TimedOut, what));
            }
        }
    }

    fn ended(&self, status: ExitStatus) -> String {
        // What it logged last may still be on its way.
        thread::sleep(LOOK);
        match self.log.last() {
            Some(line) => format!("the server ended ({status}): {line}"),
            None => format!("the server ended ({status})"),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It fails if the process has ended already; waiting is needed all the same.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads what a server prints to its end, so that it never waits for a reader, and tells its address.
fn listen_to(stdout: impl Read + Send + 'static) -> io::Result<Receiver<SocketAddr>> {
    let (address, announced) = mpsc::channel();
    thread::Builder::new().name("server-output".into()).spawn(move || {
        let mut stdout = BufReader::new(stdout);
        // A line without an end is taken in pieces, and is not the announcement.
        let mut line = Vec::new();
        while matches!(stdout.by_ref().take(LOG as u64).read_until(b'\n', &mut line), Ok(1..)) {
            if let Some(found) = announcement(&line) {
                // Nobody listens any more if the server took too long.
                let _ = address.send(found);
                break;
            }
            line.clear();
        }
        let _ = io::copy(&mut stdout, &mut io::sink());
    })?;
    Ok(announced)
}

fn announcement(line: &[u8]) -> Option<SocketAddr> {
    str::from_utf8(line).ok()?.trim().strip_prefix(ANNOUNCEMENT)?.parse().ok()
}

impl Log {
    /// Reads to the end, and keeps what came last.
    fn keep(&self, mut stderr: impl Read) {
        let mut piece = [0; LOG];
        while let Ok(read @ 1..) = stderr.read(&mut piece) {
            let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            log.extend_from_slice(&piece[..read]);
            let surplus = log.len().saturating_sub(LOG);
            log.drain(..surplus);
        }
    }

    /// The last line that says something, fit to be shown.
    fn last(&self) -> Option<String> {
        let log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&log);
        let line = text.lines().map(str::trim).rfind(|line| !line.is_empty())?;
        Some(
            line.chars()
                .map(|character| if character.is_control() { '\u{fffd}' } else { character })
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests;
