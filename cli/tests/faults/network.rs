//! Network namespaces, which end with the thread or the process that made them.

use std::panic::resume_unwind;
use std::process::{Command, Stdio};
use std::thread;

use rustix::thread::{UnshareFlags, unshare_unsafe};

use crate::group::skip;
use crate::process::run;

/// Runs a test on a thread in a network namespace of its own, as are the processes that it starts. Skips it, with a
/// message, if this machine does not allow it.
///
/// # Panics
/// If this machine does not allow it, and the tests run in CI.
#[expect(unsafe_code, reason = "rustix has no safe call that makes a namespace")]
pub(crate) fn alone(test: impl FnOnce() + Send) {
    if Command::new("ip").arg("-V").stdout(Stdio::null()).status().is_err() {
        return skip("ip is not installed: apt-get install iproute2");
    }
    let on_its_thread = || {
        // SAFETY: sockets that are open stay in their namespace, and memory and descriptors belong to none.
        if let Err(error) = unsafe { unshare_unsafe(UnshareFlags::NEWNET) } {
            return skip(&format!("no network namespace can be made: {error}"));
        }
        ip("link set lo up");
        test();
    };
    thread::scope(|scope| scope.spawn(on_its_thread).join()).unwrap_or_else(|panic| resume_unwind(panic));
}

/// Has `ip` change the network of this thread.
pub(crate) fn ip(arguments: &str) {
    succeed(Command::new("ip").args(arguments.split(' ')));
}

/// Connects the network of this thread, as 192.0.2.1, with that of a process, as 192.0.2.2, by a pair of virtual Ethernet
/// devices. Both are called `veth`.
pub(crate) fn connect_with(process: u32) {
    ip(&format!("link add veth type veth peer name veth netns {process}"));
    ip("address add 192.0.2.1/30 dev veth");
    ip("link set veth up");
    for change in ["address add 192.0.2.2/30 dev veth", "link set veth up"] {
        let mut there = Command::new("nsenter");
        succeed(there.args(["--net", "--target", &process.to_string(), "ip"]).args(change.split(' ')));
    }
}

fn succeed(command: &mut Command) {
    let ended = run(command, "");
    assert_eq!(ended.code, Some(0), "{command:?}: {ended:?}");
}
