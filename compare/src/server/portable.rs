//! The processes of a server, on systems without subreapers: if this process is killed, they continue to run.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, ChildStdout, Command};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use super::Exit;
use load::process::anonymous_memory;

/// A server's processes: those of its process group.
#[derive(Debug)]
pub(super) struct Processes {
    child: Child,
}

/// How long the processes have to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(1);

/// How often to check whether the first process has ended.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

impl Processes {
    /// Starts a command. Processes are not pinned to cores here.
    ///
    /// # Errors
    /// If the program can't be started.
    pub(super) fn spawn(mut command: Command, _cpus: &[usize]) -> io::Result<Self> {
        Ok(Self { child: command.process_group(0).spawn()? })
    }

    /// The pipes of standard output and standard error. Each can be taken once.
    pub(super) fn output(&mut self) -> (Option<ChildStdout>, Option<ChildStderr>) {
        (self.child.stdout.take(), self.child.stderr.take())
    }

    /// The first process. Orphaned processes are not its descendants.
    pub(super) fn root(&self) -> u32 {
        self.child.id()
    }

    /// The anonymous memory of the first process and its descendants, in bytes; `None` if the system doesn't report it.
    pub(super) fn memory(&self) -> Option<u64> {
        anonymous_memory(self.root())
    }

    /// How the first process ended; `None` if it still runs after `timeout`.
    pub(super) fn ended(&mut self, timeout: Duration) -> Option<Exit> {
        let end = Instant::now() + timeout;
        loop {
            if let Some(status) = self.child.try_wait().ok()? {
                return Some(Exit { status, left_others: false });
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            thread::sleep(POLL_INTERVAL.min(left));
        }
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = i32::try_from(self.root()).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(group, signal);
        }
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        self.signal(Signal::TERM);
        self.ended(GRACE);
        self.signal(Signal::KILL);
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read};
    use std::process::Stdio;

    use super::*;

    /// A shell whose output can be read.
    fn shell(script: &str) -> (Processes, BufReader<ChildStdout>) {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut processes = Processes::spawn(command, &[]).unwrap();
        let (Some(out), Some(_)) = processes.output() else { panic!("both are pipes") };
        (processes, BufReader::new(out))
    }

    fn line(out: &mut impl BufRead) -> String {
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        line
    }

    #[test]
    fn the_end_of_the_first_process_is_reported() {
        let (mut processes, mut out) = shell("echo $$; sleep 1000 & wait; exit 3");
        assert_eq!(line(&mut out).trim(), processes.root().to_string());
        assert!(processes.ended(Duration::ZERO).is_none());
        assert_eq!(processes.memory().is_some(), cfg!(target_os = "linux"));
        drop(shell("exit 3").0);
        let (mut processes, _) = shell("exit 3");
        let ended = processes.ended(Duration::from_secs(20)).unwrap();
        assert_eq!((ended.status.code(), ended.left_others), (Some(3), false));
    }

    #[test]
    fn the_whole_group_gets_sigterm() {
        let (processes, mut out) = shell("trap 'echo bye; exit' TERM; sleep 1000 & echo ready; wait");
        assert_eq!(line(&mut out), "ready\n");
        drop(processes);
        let mut rest = String::new();
        // The end of the output: no process holds the pipe open, not even the child of the shell.
        out.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "bye\n");
    }

    #[test]
    fn a_group_that_ignores_sigterm_is_killed() {
        let (processes, mut out) = shell("trap '' TERM; sleep 1000 & echo ready; wait; wait");
        assert_eq!(line(&mut out), "ready\n");
        drop(processes);
        assert_eq!(out.read_to_string(&mut String::new()).unwrap(), 0);
    }
}
