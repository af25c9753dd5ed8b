//! The processes of a server, where the system can't tell a process of its parent's end: if this process is killed, they
//! go on.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

/// A server's processes: those of its process group.
#[derive(Debug)]
pub(in crate::server) struct Processes {
    child: Child,
}

/// How the first process of a server ended.
#[derive(Clone, Copy, Debug)]
pub(in crate::server) struct Ended {
    pub(in crate::server) status: ExitStatus,
    /// Whether it left processes behind, which is not known here.
    pub(in crate::server) left_others: bool,
}

/// How long the processes have to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(1);

/// How often it is looked whether the first one has ended.
const LOOK: Duration = Duration::from_millis(5);

impl Processes {
    /// Runs a command. Processes are not pinned to cores here.
    ///
    /// # Errors
    /// If the program can't be started.
    pub(in crate::server) fn spawn(mut command: Command, _cpus: &[usize]) -> io::Result<Self> {
        Ok(Self { child: command.process_group(0).spawn()? })
    }

    /// What the processes write to: each can be taken once.
    pub(in crate::server) fn output(&mut self) -> (Option<ChildStdout>, Option<ChildStderr>) {
        (self.child.stdout.take(), self.child.stderr.take())
    }

    /// The first process.
    pub(in crate::server) fn first(&self) -> u32 {
        self.child.id()
    }

    /// The process from which all others descend: here, the first one.
    pub(in crate::server) fn guard(&self) -> u32 {
        self.first()
    }

    /// How the first process ended; `None` if it runs still after `patience`.
    pub(in crate::server) fn ended(&mut self, patience: Duration) -> Option<Ended> {
        let end = Instant::now() + patience;
        loop {
            if let Some(status) = self.child.try_wait().ok()? {
                return Some(Ended { status, left_others: false });
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            thread::sleep(LOOK.min(left));
        }
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
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
