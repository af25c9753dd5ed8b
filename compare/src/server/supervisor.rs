//! A process between this one and a server, which makes sure that no process of the server is left.
//!
//! The supervisor is forked and never executes a program. It is the parent of the server's first process, and the
//! *subreaper* of its descendants: an orphaned process becomes the supervisor's child, even if it has left the process
//! group and the session. It ends the remaining processes
//!
//! - on request: first by SIGTERM to the process group and, after [`GRACE`], by SIGKILL;
//! - when the first process has ended, and
//! - at once when the control pipe is closed. The kernel closes it when this process ends, even by SIGKILL.
//!
//! If the supervisor itself is killed, the kernel kills the server's first process.
//!
//! Between the fork and its end the supervisor makes system calls only: it allocates nothing and takes no lock,
//! because another thread of this process may have held one at the fork.

use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::time::{Duration, Instant};
use std::{mem, ptr};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::{Errno, read, write};
use rustix::process::{
    Pid, Signal, WaitOptions, getpid, getppid, kill_process, kill_process_group, set_child_subreaper,
    set_parent_process_death_signal, setpgid, wait,
};
use rustix::thread::{CpuSet, sched_setaffinity, set_name};

/// How long the processes have to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(1);

/// How long the supervisor waits for processes that were killed: the kernel can't end all of them (uninterruptible
/// sleep).
const KILL_TIMEOUT: Duration = Duration::from_secs(5);

/// How often it looks for further processes to kill: those that became its children when their parents were killed.
const KILL_INTERVAL: Duration = Duration::from_millis(5);

/// The byte that requests the end, written to the control pipe.
pub(super) const TERMINATE: u8 = b'T';

/// The length of the message in the status pipe when the first process has ended: its wait status and whether it left
/// others, 32 bits each.
pub(super) const MESSAGE: usize = 8;

/// Forks. Returns in the child, which is to execute the server's program, and never in the parent, which becomes the
/// supervisor. To be called between fork and exec.
///
/// # Errors
/// If the system can't start one more process, or none of these cores exists.
pub(super) fn fork(cpus: Option<&CpuSet>, control: &PipeReader, status: &PipeWriter) -> io::Result<()> {
    set_child_subreaper(Some(getpid()))?;
    let supervisor = getpid();
    // SAFETY: until it executes the program, the child makes system calls only.
    #[expect(unsafe_code, reason = "std has no such call")]
    let forked = unsafe { libc::fork() };
    match Pid::from_raw(forked) {
        _ if forked < 0 => Err(io::Error::last_os_error()),
        None => {
            setpgid(None, None)?;
            set_parent_process_death_signal(Some(Signal::KILL))?;
            // The supervisor may have ended before the signal was set.
            if getppid() != Some(supervisor) {
                return Err(Errno::SRCH.into());
            }
            if let Some(cpus) = cpus {
                sched_setaffinity(None, cpus)?;
            }
            Ok(())
        }
        Some(server) => supervise(server, control.as_raw_fd(), status.as_raw_fd()),
    }
}

/// The state of the supervisor.
struct Supervisor {
    /// The server's first process, which leads the process group.
    server: Pid,
    /// When to kill the processes.
    kill: Option<Instant>,
    /// Whether the process group was killed. Afterwards its number may be reused.
    has_killed_group: bool,
}

/// Waits for the server's end, or for a request to end it.
fn supervise(server: Pid, control: RawFd, status: RawFd) -> ! {
    let [control, status] = keep_only(control, status);
    let signals = open_signals();
    let _ = set_name(c"supervisor");
    let mut supervisor = Supervisor { server, kill: None, has_killed_group: false };
    let mut is_controlled = true;
    loop {
        supervisor.reap(status);
        let timeout = supervisor.kill_what_is_due().and_then(|timeout| Timespec::try_from(timeout).ok());
        let mut fds = [PollFd::new(&signals, PollFlags::IN), PollFd::new(&control, PollFlags::IN)];
        let watched = if is_controlled { 2 } else { 1 };
        // All signals are blocked, so nothing interrupts the call.
        let _ = poll(&mut fds[..watched], timeout.as_ref());
        let [has_signal, has_order] = [!fds[0].revents().is_empty(), !fds[1].revents().is_empty()];
        if has_signal && has_termination_signal(signals) {
            supervisor.kill();
        }
        if has_order && matches!(read(control, &mut [0; 1]), Ok(1)) {
            supervisor.terminate();
        } else if has_order {
            is_controlled = false;
            supervisor.kill();
        }
    }
}

impl Supervisor {
    /// Reaps the processes that have ended. Ends the supervisor if none is left.
    fn reap(&mut self, status: BorrowedFd<'_>) {
        let mut ended = None;
        let left_others = loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((process, how))) if process == self.server => ended = Some(how.as_raw()),
                Ok(Some(_)) => {}
                Ok(None) => break true,
                Err(_) => break false,
            }
        };
        if let Some(how) = ended {
            let mut message = [0; MESSAGE];
            message[..4].copy_from_slice(&how.to_ne_bytes());
            message[4..].copy_from_slice(&i32::from(left_others).to_ne_bytes());
            // A write of this size to a pipe is atomic.
            let _ = write(status, &message);
            self.kill();
        }
        if !left_others {
            end();
        }
    }

    /// Sends SIGTERM, and sets the time for SIGKILL.
    fn terminate(&mut self) {
        if self.kill.is_none() {
            let _ = kill_process_group(self.server, Signal::TERM);
            self.kill = Some(Instant::now() + GRACE);
        }
    }

    /// Sets the time for SIGKILL to now.
    fn kill(&mut self) {
        let now = Instant::now();
        self.kill = Some(self.kill.map_or(now, |kill| kill.min(now)));
    }

    /// Kills the processes if it is time. Returns the time until it must be called again.
    fn kill_what_is_due(&mut self) -> Option<Duration> {
        let kill = self.kill?;
        let now = Instant::now();
        if kill > now {
            return Some(kill.saturating_duration_since(now));
        }
        if now.saturating_duration_since(kill) > KILL_TIMEOUT {
            end();
        }
        if !self.has_killed_group {
            let _ = kill_process_group(self.server, Signal::KILL);
            self.has_killed_group = true;
        }
        kill_children();
        Some(KILL_INTERVAL)
    }
}

/// Kills the children of this process. Their children then become its children.
fn kill_children() {
    let Ok(list) = open(c"/proc/thread-self/children", OFlags::RDONLY, Mode::empty()) else { return };
    let mut piece = [0; 1024];
    let mut number = 0_i32;
    while let Ok(length @ 1..) = read(&list, &mut piece) {
        for byte in piece.iter().take(length) {
            match byte {
                b'0'..=b'9' => number = number.wrapping_mul(10).wrapping_add(i32::from(byte - b'0')),
                _ => {
                    // Zero and negative numbers would mean process groups.
                    if let Some(child) = Pid::from_raw(number).filter(|_| number > 0) {
                        let _ = kill_process(child, Signal::KILL);
                    }
                    number = 0;
                }
            }
        }
    }
}

/// Closes all descriptors but two, which get the numbers 0 and 1. Otherwise this process would keep pipes open whose
/// end others wait for.
#[expect(unsafe_code, reason = "inherited descriptors are closed by number")]
fn keep_only(control: RawFd, status: RawFd) -> [BorrowedFd<'static>; 2] {
    // SAFETY: the calls take numbers. The descriptors that they close belong to values of the forked process, none of
    // which is used here any more.
    unsafe {
        libc::dup2(control, 0);
        libc::dup2(status, 1);
        if libc::syscall(libc::SYS_close_range, 2, libc::c_uint::MAX, 0) != 0 {
            (2..libc::sysconf(libc::_SC_OPEN_MAX) as RawFd).for_each(|number| {
                libc::close(number);
            });
        }
    }
    // SAFETY: both were just opened, and nothing closes them.
    [0, 1].map(|number| unsafe { BorrowedFd::borrow_raw(number) })
}

/// Blocks all signals, whose handlers belong to the forked process, and returns a descriptor from which some of them
/// are read.
#[expect(unsafe_code, reason = "rustix has no such calls")]
fn open_signals() -> BorrowedFd<'static> {
    // SAFETY: the pointers are valid, and all zeros are a valid signal set.
    let signals = unsafe {
        let mut set: libc::sigset_t = mem::zeroed();
        libc::sigfillset(&raw mut set);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const set, ptr::null_mut());
        libc::sigemptyset(&raw mut set);
        for signal in [libc::SIGCHLD, libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
            libc::sigaddset(&raw mut set, signal);
        }
        libc::signalfd(-1, &raw const set, libc::SFD_NONBLOCK)
    };
    if signals < 0 {
        // When this process ends, the kernel kills the server.
        end();
    }
    // SAFETY: it was just opened, and nothing closes it.
    unsafe { BorrowedFd::borrow_raw(signals) }
}

/// Reads the pending signals. Returns whether one of them is to end this process.
fn has_termination_signal(signals: BorrowedFd<'_>) -> bool {
    let mut has_one = false;
    let mut signal = [0; size_of::<libc::signalfd_siginfo>()];
    while matches!(read(signals, &mut signal), Ok(1..)) {
        // The first field is the signal's number.
        let number = u32::from_ne_bytes([signal[0], signal[1], signal[2], signal[3]]);
        has_one |= number != libc::SIGCHLD as u32;
    }
    has_one
}

/// Ends this process, without running the exit handlers of the forked process.
#[expect(unsafe_code, reason = "std has no such call")]
fn end() -> ! {
    // SAFETY: the call takes a number.
    unsafe { libc::_exit(0) }
}
