//! The processes of a server. They are ended when this value is dropped, and when this process ends.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus};
use std::time::Duration;

use procfs::process::all_processes;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Signal;
use rustix::thread::CpuSet;

use super::Exit;
use super::supervisor::{self, MESSAGE, TERMINATE};
use load::process::anonymous_memory;

/// A server's processes: the first one and all its descendants.
#[derive(Debug)]
pub(super) struct Processes {
    supervisor: Child,
    control: PipeWriter,
    status: PipeReader,
    ended: Option<Exit>,
}

impl Processes {
    /// Starts a command, and pins it and its descendants to these cores; an empty slice means all.
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
        // This closes the ends of the pipes that the closure owns.
        drop(command);
        Ok(Self { supervisor, control, status, ended: None })
    }

    /// The pipes of standard output and standard error. Each can be taken once.
    pub(super) fn output(&mut self) -> (Option<ChildStdout>, Option<ChildStderr>) {
        (self.supervisor.stdout.take(), self.supervisor.stderr.take())
    }

    /// The common ancestor of the processes: the supervisor, which itself uses almost no CPU time. As subreaper it
    /// adopts orphaned processes, so they stay its descendants.
    pub(super) fn root(&self) -> u32 {
        self.supervisor.id()
    }

    /// The anonymous memory of the processes, in bytes; `None` if the system doesn't report it. The supervisor, a fork
    /// of this process, is not included.
    pub(super) fn memory(&self) -> Option<u64> {
        let root = i32::try_from(self.root()).ok()?;
        let all = all_processes().ok()?.flatten().filter_map(|process| process.stat().ok());
        let children = all.filter(|stat| stat.ppid == root).filter_map(|stat| u32::try_from(stat.pid).ok());
        children.filter_map(anonymous_memory).reduce(u64::saturating_add)
    }

    /// How the first process ended; `None` if it still runs after `timeout`.
    pub(super) fn ended(&mut self, timeout: Duration) -> Option<Exit> {
        if self.ended.is_none() && is_readable(&self.status, timeout) {
            let mut message = [0; MESSAGE];
            // A supervisor that was killed writes nothing.
            let was_written = self.status.read_exact(&mut message).is_ok();
            let [a, b, c, d, left @ ..] = message;
            let status = if was_written { i32::from_ne_bytes([a, b, c, d]) } else { Signal::KILL.as_raw() };
            self.ended = Some(Exit { status: ExitStatus::from_raw(status), left_others: left != [0; 4] });
        }
        self.ended
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        // This fails if all have ended already. The supervisor must be reaped in either case.
        let _ = self.control.write_all(&[TERMINATE]);
        let _ = self.supervisor.wait();
    }
}

fn is_readable(pipe: &PipeReader, timeout: Duration) -> bool {
    let timeout = Timespec::try_from(timeout).ok();
    let mut fds = [PollFd::new(pipe, PollFlags::IN)];
    // An interruption by a signal counts as a timeout.
    matches!(poll(&mut fds, timeout.as_ref()), Ok(1..))
}

fn set_of(cpus: &[usize]) -> Option<CpuSet> {
    let mut set = CpuSet::new();
    cpus.iter().filter(|&&cpu| cpu < CpuSet::MAX_CPU).for_each(|&cpu| set.set(cpu));
    (!cpus.is_empty()).then_some(set)
}
