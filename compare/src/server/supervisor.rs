//! A process between this one and a server, which sees to it that nothing of the server is left.
//!
//! The supervisor is forked off and never executes a program. It is the parent of the server's first process, and
//! the *subreaper* of all that descend from it: a process whose parent has ended becomes the supervisor's child, even
//! if it has left the process group and the session. It ends what is left of the server
//!
//! - when it is asked to: first by SIGTERM to the process group and, after [`GRACE`], by SIGKILL;
//! - when the first process has ended, and
//! - at once when the control pipe is closed, as the kernel does when this process ends, be it by SIGKILL.
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

/// How long the supervisor waits for processes that were killed: there are some that the kernel can't end.
const KILLED: Duration = Duration::from_secs(5);

/// How often it looks for further processes to kill, those that became its children when others were killed.
const AGAIN: Duration = Duration::from_millis(5);

/// What is written into the control pipe to end the processes.
pub(super) const TERMINATE: u8 = b'T';

/// The length of what is read from the status pipe once the first process has ended: two numbers of 32 bits, its wait
/// status and whether it left others.
pub(super) const MESSAGE: usize = 8;

/// Splits a process in two: returns in the one that is to execute the server's program, and never in the other, the
/// supervisor. To be called in a forked process, before it executes a program.
///
/// # Errors
/// If the system can't start one more process, or knows none of these cores.
pub(super) fn fork(cpus: Option<&CpuSet>, control: &PipeReader, status: &PipeWriter) -> io::Result<()> {
    set_child_subreaper(Some(getpid()))?;
    let supervisor = getpid();
    // SAFETY: until it executes the program, the child makes nothing but system calls.
    #[expect(unsafe_code, reason = "std has no call for it")]
    let forked = unsafe { libc::fork() };
    match Pid::from_raw(forked) {
        _ if forked < 0 => Err(io::Error::last_os_error()),
        None => {
            setpgid(None, None)?;
            set_parent_process_death_signal(Some(Signal::KILL))?;
            // The supervisor may have ended before that.
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

/// The supervisor's view of the processes.
struct Supervisor {
    /// The server's first process, which leads the process group.
    server: Pid,
    /// When the processes are killed.
    kill: Option<Instant>,
    /// Whether the process group was killed. Later its number may be another's.
    has_killed_group: bool,
}

/// Waits for the server's end, or for an order to end it.
fn supervise(server: Pid, control: RawFd, status: RawFd) -> ! {
    let [control, status] = keep_only(control, status);
    let signals = take_signals();
    let _ = set_name(c"supervisor");
    let mut supervisor = Supervisor { server, kill: None, has_killed_group: false };
    let mut is_controlled = true;
    loop {
        supervisor.reap(status);
        let timeout = supervisor.kill_what_is_due().and_then(|timeout| Timespec::try_from(timeout).ok());
        let mut fds = [PollFd::new(&signals, PollFlags::IN), PollFd::new(&control, PollFlags::IN)];
        let watched = if is_controlled { 2 } else { 1 };
        // All signals are blocked, so nothing interrupts it.
        let _ = poll(&mut fds[..watched], timeout.as_ref());
        let [has_signal, has_order] = [!fds[0].revents().is_empty(), !fds[1].revents().is_empty()];
        if has_signal && is_told_to_end(signals) {
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
    /// Takes note of the processes that have ended. Ends if all have.
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
            // A pipe takes so little in one piece.
            let _ = write(status, &message);
            self.kill();
        }
        if !left_others {
            end();
        }
    }

    /// Asks the processes to end, and gives them some time for it.
    fn terminate(&mut self) {
        if self.kill.is_none() {
            let _ = kill_process_group(self.server, Signal::TERM);
            self.kill = Some(Instant::now() + GRACE);
        }
    }

    /// Has the processes killed now.
    fn kill(&mut self) {
        let now = Instant::now();
        self.kill = Some(self.kill.map_or(now, |kill| kill.min(now)));
    }

    /// Kills the processes if it is time. Tells when there is something to do again.
    fn kill_what_is_due(&mut self) -> Option<Duration> {
        let kill = self.kill?;
        let now = Instant::now();
        if kill > now {
            return Some(kill.saturating_duration_since(now));
        }
        if now.saturating_duration_since(kill) > KILLED {
            end();
        }
        if !self.has_killed_group {
            let _ = kill_process_group(self.server, Signal::KILL);
            self.has_killed_group = true;
        }
        kill_children();
        Some(AGAIN)
    }
}

/// Kills the children of this process: their own children become its children then.
fn kill_children() {
    let Ok(list) = open(c"/proc/thread-self/children", OFlags::RDONLY, Mode::empty()) else { return };
    let mut piece = [0; 1024];
    let mut number = 0_i32;
    while let Ok(length @ 1..) = read(&list, &mut piece) {
        for byte in piece.iter().take(length) {
            match byte {
                b'0'..=b'9' => number = number.wrapping_mul(10).wrapping_add(i32::from(byte - b'0')),
                _ => {
                    // Zero and less would be groups of processes.
                    if let Some(child) = Pid::from_raw(number).filter(|_| number > 0) {
                        let _ = kill_process(child, Signal::KILL);
                    }
                    number = 0;
                }
            }
        }
    }
}

/// Closes all descriptors but two, which get the numbers 0 and 1: nobody may wait for the end of a pipe because this
/// process holds it, too.
#[expect(unsafe_code, reason = "descriptors that belong to nobody here are closed by their numbers")]
fn keep_only(control: RawFd, status: RawFd) -> [BorrowedFd<'static>; 2] {
    // SAFETY: they take numbers. What they close belongs to values of the process that was forked, none of which is
    // used here any more.
    unsafe {
        libc::dup2(control, 0);
        libc::dup2(status, 1);
        if libc::syscall(libc::SYS_close_range, 2, libc::c_uint::MAX, 0) != 0 {
            (2..libc::sysconf(libc::_SC_OPEN_MAX) as RawFd).for_each(|number| {
                libc::close(number);
            });
        }
    }
    // SAFETY: they were opened just now, and nothing closes them.
    [0, 1].map(|number| unsafe { BorrowedFd::borrow_raw(number) })
}

/// Blocks all signals, whose handlers are those of the process that was forked, and has some of them read from a
/// descriptor.
#[expect(unsafe_code, reason = "rustix has no calls for it")]
fn take_signals() -> BorrowedFd<'static> {
    // SAFETY: the sets are valid for the calls, and all zeros are a set.
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
        // The kernel ends the server with this process.
        end();
    }
    // SAFETY: it was opened just now, and nothing closes it.
    unsafe { BorrowedFd::borrow_raw(signals) }
}

/// Takes the signals that have come. Tells whether one of them is to end this process.
fn is_told_to_end(signals: BorrowedFd<'_>) -> bool {
    let mut is_told = false;
    let mut signal = [0; size_of::<libc::signalfd_siginfo>()];
    while matches!(read(signals, &mut signal), Ok(1..)) {
        // Its number comes first.
        let number = u32::from_ne_bytes([signal[0], signal[1], signal[2], signal[3]]);
        is_told |= number != libc::SIGCHLD as u32;
    }
    is_told
}

/// Ends this process, and runs nothing that the process that was forked wants to have run at its end.
#[expect(unsafe_code, reason = "std has no call for it")]
fn end() -> ! {
    // SAFETY: it takes a number.
    unsafe { libc::_exit(0) }
}
