//! The processes of a server, which are ended when this process is done with them, or ends.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus};
use std::time::Duration;

use procfs::process::all_processes;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Signal;
use rustix::thread::CpuSet;

use super::Ended;
use super::supervisor::{self, MESSAGE, TERMINATE};
use load::process::anonymous_memory;

/// A server's processes, from its first one on.
#[derive(Debug)]
pub(super) struct Processes {
    supervisor: Child,
    control: PipeWriter,
    status: PipeReader,
    ended: Option<Ended>,
}

impl Processes {
    /// Runs a command, and has it and all that it starts run on these cores; none are all cores.
    ///
    /// # Errors
    /// If the program can't be started.
    pub(super) fn spawn(mut command: Command, cpus: &[usize]) -> io::Result<Self> {
        let (control_end, control) = io::pipe()?;
        let (status, status_end) = io::pipe()?;
        let cpus = set_of(cpus);
        let before_exec = move || supervisor::fork(cpus.as_ref(), &control_end, &status_end);
        command.process_group(0);
        // SAFETY: between fork and exec, the closure and what it calls make system calls only.
        #[expect(unsafe_code, reason = "the supervisor is forked between fork and exec")]
        unsafe {
            command.pre_exec(before_exec);
        }
        let supervisor = command.spawn()?;
        // The ends of the pipes that the closure owns are closed with the command.
        drop(command);
        Ok(Self { supervisor, control, status, ended: None })
    }

    /// What the processes write to: each can be taken once.
    pub(super) fn output(&mut self) -> (Option<ChildStdout>, Option<ChildStderr>) {
        (self.supervisor.stdout.take(), self.supervisor.stderr.take())
    }

    /// The process from which all of them descend: the supervisor, which itself uses next to no processor time. It
    /// adopts those that leave their parents, so that they are among its descendants as well.
    pub(super) fn root(&self) -> u32 {
        self.supervisor.id()
    }

    /// The anonymous memory of all of them, in bytes; `None` if the system doesn't tell. That of the supervisor, which
    /// is a copy of this process, does not count.
    pub(super) fn memory(&self) -> Option<u64> {
        let root = i32::try_from(self.root()).ok()?;
        let all = all_processes().ok()?.flatten().filter_map(|process| process.stat().ok());
        let children = all.filter(|stat| stat.ppid == root).filter_map(|stat| u32::try_from(stat.pid).ok());
        children.filter_map(anonymous_memory).reduce(u64::saturating_add)
    }

    /// How the first process ended; `None` if it runs still after `patience`.
    pub(super) fn ended(&mut self, patience: Duration) -> Option<Ended> {
        if self.ended.is_none() && is_readable(&self.status, patience) {
            let mut message = [0; MESSAGE];
            // Nothing is said by a supervisor that was killed.
            let said = self.status.read_exact(&mut message).is_ok();
            let [a, b, c, d, left @ ..] = message;
            let status = if said { i32::from_ne_bytes([a, b, c, d]) } else { Signal::KILL.as_raw() };
            self.ended = Some(Ended { status: ExitStatus::from_raw(status), left_others: left != [0; 4] });
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
