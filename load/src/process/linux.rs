//! The processes of a tree on Linux.

use std::collections::HashMap;
use std::io;

use procfs::process::{Process, Stat, all_processes};
use procfs::{ProcError, ticks_per_second};

use super::{Reading, Ticks, Tree};

/// A process and all its descendants.
pub(super) fn read(root: u32) -> io::Result<Tree> {
    let root = i32::try_from(root).map_err(|_| io::ErrorKind::NotFound)?;
    let all = all_processes().map_err(failed)?.flatten().filter_map(|process| process.stat().ok());
    let all: Vec<Stat> = all.collect();
    let mut children: HashMap<i32, Vec<&Stat>> = HashMap::new();
    all.iter().for_each(|stat| children.entry(stat.ppid).or_default().push(stat));
    let mut found = vec![all.iter().find(|stat| stat.pid == root).ok_or(io::ErrorKind::NotFound)?];
    let mut next = 0;
    while let Some(parent) = found.get(next) {
        found.extend(children.remove(&parent.pid).unwrap_or_default());
        next += 1;
    }
    clock(root)?;
    Ok(found.into_iter().map(|stat| (stat.pid, reading(stat))).collect())
}

/// The context switches of each thread of these processes. A thread that ends meanwhile is left out.
pub(super) fn switches<'a>(processes: impl Iterator<Item = &'a i32>) -> HashMap<i32, u64> {
    let tasks = processes.filter_map(|&number| Process::new(number).ok()?.tasks().ok()).flatten().flatten();
    let switched = tasks.filter_map(|task| {
        let status = task.status().ok()?;
        let voluntary = status.voluntary_ctxt_switches?;
        Some((task.tid, voluntary.saturating_add(status.nonvoluntary_ctxt_switches?)))
    });
    switched.collect()
}

/// The anonymous memory of these processes, in bytes; `None` if it is not available for any of them. Memory shared
/// since a fork counts once; before Linux 5.4 it counts for each process.
pub(super) fn memory<'a>(processes: impl Iterator<Item = &'a i32>) -> Option<u64> {
    let anonymous = processes.filter_map(|&number| {
        let rollup = Process::new(number).ok()?.smaps_rollup().ok()?;
        let of = |name| rollup.memory_map_rollup.iter().find_map(|map| map.extension.map.get(name).copied());
        of("Pss_Anon").or_else(|| of("Anonymous"))
    });
    anonymous.fold(None, |sum, bytes| Some(sum.unwrap_or(0_u64).saturating_add(bytes)))
}

fn reading(stat: &Stat) -> Reading {
    let tick = 1_000_000_000 / ticks_per_second().max(1);
    let ticks = |user: u64, system: u64| Ticks {
        user: user.saturating_mul(tick),
        system: system.saturating_mul(tick),
    };
    let own = ticks(stat.utime, stat.stime);
    let waited_for = |time: i64| u64::try_from(time).unwrap_or(0);
    Reading {
        parent: stat.ppid,
        started: stat.starttime,
        // If the process has ended since its ticks were read, only the ticks are known.
        clock: clock(stat.pid).unwrap_or(own.sum()),
        own,
        ended: ticks(waited_for(stat.cutime), waited_for(stat.cstime)),
    }
}

fn failed(error: ProcError) -> io::Error {
    match error {
        ProcError::Io(error, _) => error,
        ProcError::PermissionDenied(_) => io::ErrorKind::PermissionDenied.into(),
        other => io::Error::other(other.to_string()),
    }
}

/// The CPU time that a process has used, in nanoseconds.
#[expect(unsafe_code, reason = "rustix has no call for the clock of another process")]
fn clock(process: i32) -> io::Result<u64> {
    let mut clock = 0;
    // SAFETY: the clock's place is valid for the call.
    let errno = unsafe { libc::clock_getcpuclockid(process, &raw mut clock) };
    if errno != 0 {
        return Err(io::Error::from_raw_os_error(errno));
    }
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the time's place is valid for the call; a clock of a process that has ended is an error.
    if unsafe { libc::clock_gettime(clock, &raw mut time) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Ok(seconds.saturating_mul(1_000_000_000).saturating_add(u64::try_from(time.tv_nsec).unwrap_or(0)))
}
