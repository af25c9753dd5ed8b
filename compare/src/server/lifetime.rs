//! A server's life, tied to that of who starts it.

use std::process::Command;

/// Ties a server's life to that of the thread that starts it. The kernel sees to that, even where this process is
/// killed. The thread must live as long as the server: it is the one that carries the comparison out.
///
/// The server has a process group of its own. What a terminal sends to the group of this process, which ends its
/// server by itself, would otherwise look as if the server had failed.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "what is done between fork and exec must be allowed there")]
pub(super) fn tie(command: &mut Command) {
    use std::os::unix::process::CommandExt;

    use rustix::io::Errno;
    use rustix::process::{Signal, getpid, getppid, set_parent_process_death_signal};

    let parent = getpid();
    let end_with_parent = move || {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        // The parent may have ended before that.
        if getppid() == Some(parent) { Ok(()) } else { Err(Errno::SRCH.into()) }
    };
    // SAFETY: it makes two system calls and allocates nothing, as is allowed between fork and exec.
    unsafe { command.process_group(0).pre_exec(end_with_parent) };
}

/// Elsewhere a server outlives a process that is killed.
#[cfg(not(target_os = "linux"))]
pub(super) fn tie(_command: &mut Command) {}
