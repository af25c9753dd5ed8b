//! The processes of a server, which are ended when this process is done with them, or ends.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Signal;
use rustix::thread::CpuSet;

use super::supervisor::{self, MESSAGE, TERMINATE};

/// A server's processes, from its first one on.
#[derive(Debug)]
pub(in crate::server) struct Processes {
    supervisor: Child,
    control: PipeWriter,
    status: PipeReader,
    first: u32,
    ended: Option<Ended>,
}

/// How the first process of a server ended.
#[derive(Clone, Copy, Debug)]
pub(in crate::server) struct Ended {
    pub(in crate::server) status: ExitStatus,
    /// Whether it left processes behind, which were ended.
    pub(in crate::server) left_others: bool,
}

impl Processes {
    /// Runs a command, and has it and all that it starts run on these cores; none are all cores.
    ///
    /// # Errors
    /// If the program can't be started.
    pub(in crate::server) fn spawn(mut command: Command, cpus: &[usize]) -> io::Result<Self> {
        let (control_end, control) = io::pipe()?;
        let (mut status, status_end) = io::pipe()?;
        let cpus = set_of(cpus);
        let before_exec = move || supervisor::fork(cpus.as_ref(), &control_end, &status_end);
        command.process_group(0);
        // SAFETY: between fork and exec, the closure and what it calls make system calls only.
        #[expect(unsafe_code, reason = "the supervisor is forked between fork and exec")]
        unsafe {
            command.pre_exec(before_exec);
        }
        let supervisor = command.spawn()?;
        // The ends of the pipes that the closure owned are closed with it.
        drop(command);
        let mut message = [0; MESSAGE];
        status.read_exact(&mut message)?;
        let first = u32::from_ne_bytes(word(&message, 0));
        Ok(Self { supervisor, control, status, first, ended: None })
    }

    /// What the processes write to: each can be taken once.
    pub(in crate::server) fn output(&mut self) -> (Option<ChildStdout>, Option<ChildStderr>) {
        (self.supervisor.stdout.take(), self.supervisor.stderr.take())
    }

    /// The first process.
    pub(in crate::server) fn first(&self) -> u32 {
        self.first
    }

    /// The process that ends the others, from which all of them descend.
    pub(in crate::server) fn guard(&self) -> u32 {
        self.supervisor.id()
    }

    /// How the first process ended; `None` if it runs still after `patience`.
    pub(in crate::server) fn ended(&mut self, patience: Duration) -> Option<Ended> {
        if self.ended.is_none() && is_readable(&self.status, patience) {
            let mut message = [0; MESSAGE];
            // Nothing is said by a supervisor that was killed.
            let said = self.status.read_exact(&mut message).is_ok();
            let (status, left) =
                if said { (word(&message, 0), word(&message, 4)) } else { Default::default() };
            let status = if said { i32::from_ne_bytes(status) } else { Signal::KILL.as_raw() };
            let status = ExitStatus::from_raw(status);
            self.ended = Some(Ended { status, left_others: left != [0; 4] });
        }
        self.ended
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        // It fails if all have ended already; waiting is needed all the same.
        let _ = self.control.write_all(&[TERMINATE]);
        let _ = self.supervisor.wait();
    }
}

fn word(message: &[u8; MESSAGE], at: usize) -> [u8; 4] {
    [message[at], message[at + 1], message[at + 2], message[at + 3]]
}

fn is_readable(pipe: &PipeReader, patience: Duration) -> bool {
    let timeout = Timespec::try_from(patience).ok();
    let mut fds = [PollFd::new(pipe, PollFlags::IN)];
    // An interruption by a signal is a timeout that came early.
    matches!(poll(&mut fds, timeout.as_ref()), Ok(1..))
}

fn set_of(cpus: &[usize]) -> Option<CpuSet> {
    let mut set = CpuSet::new();
    cpus.iter().filter(|&&cpu| cpu < CpuSet::MAX_CPU).for_each(|&cpu| set.set(cpu));
    (!cpus.is_empty()).then_some(set)
}
