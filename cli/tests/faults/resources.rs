//! Threads that can't be started, and the CPU time and the memory of a server.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::group::Group;
use crate::server::Server;

/// The CPU time that a process has used.
pub(crate) fn cpu_time(process: u32) -> Duration {
    threads(process).map(|thread| scheduled(&thread, 0)).sum()
}

/// How long each thread of a process could have run, and waited for a core, by its ID.
pub(crate) fn waited_for_a_core(process: u32) -> HashMap<OsString, Duration> {
    threads(process).map(|thread| (thread.file_name().unwrap().into(), scheduled(&thread, 1))).collect()
}

/// How long this thread has.
pub(crate) fn this_waited_for_a_core() -> Duration {
    scheduled(Path::new("/proc/thread-self"), 1)
}

fn threads(process: u32) -> impl Iterator<Item = PathBuf> {
    let threads = fs::read_dir(format!("/proc/{process}/task")).unwrap();
    threads.filter_map(|thread| Some(thread.ok()?.path()))
}

/// This field of what the scheduler says of a thread. Zero if it has ended.
fn scheduled(thread: &Path, field: usize) -> Duration {
    let text = fs::read_to_string(thread.join("schedstat")).unwrap_or_default();
    Duration::from_nanos(text.split_whitespace().nth(field).map_or(0, |time| time.parse().unwrap()))
}

/// The memory of a process that is in use, in bytes.
pub(crate) fn memory(process: u32) -> u64 {
    status(process, "VmRSS:")
}

/// The most memory of a process that has been in use, in bytes.
pub(crate) fn peak_memory(process: u32) -> u64 {
    status(process, "VmHWM:")
}

fn status(process: u32, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// Lets a server start no more threads, by a control group, and then as many as it wants.
pub(crate) fn no_threads(backend: &str) {
    let count = if backend == "sequential" { 1 } else { 3 };
    for handler in ["--handler echo", "--handler work --work block:100ms"] {
        let Some(group) = Group::new("pids", &format!("{backend}-{}", handler.len())) else { return };
        let server = Server::start(&format!("--backend {backend} {handler}"));
        serve(&server, 1); // it has all the threads that it needs
        group.write("cgroup.procs", server.process.id());
        for _ in 0..3 {
            group.write("pids.max", 1); // it has more
            if backend == "threads" {
                let mut clients: Vec<_> = (0..count).map(|_| server.connect()).collect();
                clients
                    .iter_mut()
                    .for_each(|client| assert_eq!(client.hear_all(), "ERR busy\n", "{handler}"));
            } else {
                serve(&server, count);
            }
            group.write("pids.max", "max");
            serve(&server, count);
        }
        let ended = server.stop();
        assert_eq!(
            (ended.code, &ended.receipt["accept_errors"]),
            (Some(0), &0.into()),
            "{backend}: {}",
            ended.log
        );
    }
}

/// Has this number of clients served at once.
fn serve(server: &Server, count: usize) {
    let mut clients: Vec<_> = (0..count).map(|_| server.connect()).collect();
    clients.iter_mut().for_each(|client| client.say("hello\n"));
    for client in &mut clients {
        let reply = client.hear();
        assert!(!reply.is_empty() && !reply.starts_with("ERR"), "{reply}");
    }
}
