//! The metrics of this process, with the names that Prometheus' client libraries have for them.

use std::fmt;

use procfs::process::Process;
use rustix::param::page_size;
use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

use crate::metrics::Families;

/// Writes them, except for those that the system doesn't tell.
pub(crate) fn encode(families: &mut Families<'_>) -> fmt::Result {
    let cpu = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = cpu.tv_sec as f64 + cpu.tv_nsec as f64 / 1e9;
    families.counter(
        "process_cpu",
        "seconds",
        "The CPU time of the process, in user mode and kernel.",
        seconds,
    )?;
    let Ok(process) = Process::myself() else { return Ok(()) };
    if let Ok(stat) = process.stat() {
        let bytes = stat.rss.saturating_mul(page_size() as u64);
        families.gauge(
            "process_resident_memory",
            "bytes",
            "The memory of the process that is in RAM.",
            bytes,
        )?;
        let threads = stat.num_threads;
        families.gauge("process", "threads", "How many threads the process has.", threads)?;
    }
    if let Ok(count) = process.fd_count() {
        families.gauge("process_open", "fds", "How many descriptors the process has open.", count)?;
    }
    if let Some(limit) = getrlimit(Resource::Nofile).current {
        families.gauge("process_max", "fds", "How many descriptors the process may have open.", limit)?;
    }
    Ok(())
}
