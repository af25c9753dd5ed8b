//! Processes that end with the test.

use std::fs::{self, DirEntry};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// A time limit that these tests never need, however busy the machine is.
pub(crate) const BOUND: Duration = Duration::from_secs(60);

/// The command, with no flag set by the environment, and in Chinese, whatever the locale is.
pub(crate) fn anyloop(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_anyloop"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ANYLOOP_")) {
        command.env_remove(name);
    }
    command.env("LC_ALL", "zh_TW.UTF-8").args(arguments);
    command
}

/// The same command, started by another one that stands in front of it.
pub(crate) fn through(wrapper: &[&str], command: &Command) -> Command {
    let mut wrapped = Command::new(wrapper[0]);
    wrapped.args(&wrapper[1..]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => wrapped.env(name, value),
            None => wrapped.env_remove(name),
        };
    }
    wrapped
}

/// A running process, which is killed when this is dropped.
pub(crate) struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Lines,
    stderr: Lines,
}

/// The output of a process, and its exit code.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Process {
    /// Starts it with pipes at all three ends.
    pub(crate) fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self::start_as_is(command)
    }

    /// Starts it with the ends that were set.
    pub(crate) fn start_as_is(command: &mut Command) -> Self {
        let mut child =
            command.spawn().unwrap_or_else(|error| panic!("{command:?} can't be started: {error}"));
        let stdin = child.stdin.take();
        let stdout = Lines::new(child.stdout.take());
        let stderr = Lines::new(child.stderr.take());
        Self { child, stdin, stdout, stderr }
    }

    /// Writes to its standard input.
    pub(crate) fn say(&mut self, text: &str) {
        self.stdin.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
    }

    /// Writes to its standard input and closes it.
    pub(crate) fn say_last(&mut self, bytes: Vec<u8>) {
        let mut stdin = self.stdin.take().unwrap();
        // It may end before it has taken all, and a reader may have to be there at the same time.
        thread::spawn(move || drop(stdin.write_all(&bytes)));
    }

    /// The next line that it prints.
    pub(crate) fn line(&mut self) -> String {
        self.stdout.next().unwrap_or_else(|| panic!("it printed no more; it logged: {}", self.stderr.rest()))
    }

    /// Waits until it logs a line that contains `text`, and returns it.
    pub(crate) fn wait_for_log(&mut self, text: &str) -> String {
        while let Some(line) = self.stderr.next() {
            if line.contains(text) {
                return line;
            }
        }
        panic!("it never logged `{text}`, and ended with {:?}: {}", self.child.wait(), self.stderr.earlier);
    }

    /// Stops reading what it prints.
    pub(crate) fn stop_listening(&mut self) {
        self.stdout = Lines::new(None::<&[u8]>);
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Stops all its threads, and waits until they stand still. [`Signal::CONT`] lets them go on.
    pub(crate) fn pause(&self) {
        self.signal(Signal::STOP);
        let until = Instant::now() + BOUND;
        // Behind the name, in brackets, stands the state of a thread. A thread that has ended has none.
        let runs = |thread: DirEntry| {
            fs::read_to_string(thread.path().join("stat")).is_ok_and(|state| !state.contains(") T "))
        };
        while fs::read_dir(format!("/proc/{}/task", self.id())).unwrap().any(|thread| runs(thread.unwrap())) {
            assert!(Instant::now() < until, "it doesn't stop");
            thread::yield_now();
        }
    }

    /// Closes its standard input and waits until it ends by itself.
    pub(crate) fn end(mut self) -> Ended {
        drop(self.stdin.take());
        self.end_with_open_input()
    }

    /// Waits until it ends by itself, with its standard input open.
    pub(crate) fn end_with_open_input(mut self) -> Ended {
        let stdout = self.stdout.rest();
        let stderr = self.stderr.rest();
        let until = Instant::now() + BOUND;
        let code = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status.code(),
                None if Instant::now() > until => panic!("it doesn't end; it logged: {stderr}"),
                None => thread::yield_now(), // its output has ended: it is ending
            }
        };
        Ended { code, stdout, stderr }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended
        let _ = self.child.wait();
    }
}

/// Runs a process to its end, with this for its input.
pub(crate) fn run(command: &mut Command, input: impl Into<Vec<u8>>) -> Ended {
    let mut process = Process::start(command);
    process.say_last(input.into());
    process.end()
}

/// The lines that a process writes, waited for within [`BOUND`].
struct Lines {
    lines: Receiver<String>,
    earlier: String,
}

impl Lines {
    fn new(output: Option<impl Read + Send + 'static>) -> Self {
        let (sender, lines) = channel();
        if let Some(output) = output {
            thread::spawn(move || forward(output, &sender));
        }
        Self { lines, earlier: String::new() }
    }

    fn next(&mut self) -> Option<String> {
        match self.lines.recv_timeout(BOUND) {
            Ok(line) => {
                self.earlier.push_str(&line);
                Some(line)
            }
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => None,
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => panic!("no line within {BOUND:?}"),
        }
    }

    /// All that was written, to the end.
    fn rest(&mut self) -> String {
        while self.next().is_some() {}
        std::mem::take(&mut self.earlier)
    }
}

/// Bytes that are no UTF-8 become U+FFFD.
fn forward(output: impl Read, lines: &Sender<String>) {
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    while output.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
        if lines.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
            return; // and the pipe is closed
        }
        line.clear();
    }
}
