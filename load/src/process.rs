//! What another process uses: processor time, context switches, memory, threads.
//!
//! - **Processor time** is read from the process's own clock, which counts nanoseconds and goes on counting
//!   what threads used that have ended. (`/proc/PID/schedstat` is as fine, but knows the main thread alone,
//!   and those of `task` lose the threads that end: of 0.85 s used by four threads before they ended, the
//!   clock showed 0.853 s and `schedstat` 0.051 s.)
//! - **Own code and kernel** are told apart by the ticks of `/proc/PID/stat`, of 10 ms on most systems: too
//!   coarse for the total of a short run, so they give only the ratio by which the clock's total is split.
//!   Where ticks are sampled, a second of one busy core is a hundred samples, so the shares are good to some
//!   five hundredths.
//! - **Context switches** are the sum over the threads that live when it is read. What a thread did that
//!   began and ended in between is lost.
//!
//! Reading costs about 20 µs for each thread of the process, because there is a file for each.

use std::collections::HashMap;
use std::{fs, io};

use crate::measurement::Usage;
use crate::procfs::{field, kibibytes};

/// What a process uses from now on.
#[derive(Debug)]
pub struct Account {
    process: u32,
    switches: HashMap<u32, u64>,
    ticks: Ticks,
    nanoseconds: u64,
}

impl Account {
    /// Begins to watch a process.
    ///
    /// # Errors
    /// If there is no such process, or the system doesn't tell what it uses.
    pub fn open(process: u32) -> io::Result<Self> {
        let switches = switches(process)?;
        let ticks = ticks(process)?;
        // The clock comes last, and first when the account is read: nothing of the reading is between.
        Ok(Self { process, switches, ticks, nanoseconds: clock(process)? })
    }

    /// What it has used since; `None` once it can't be told, because the process has ended.
    pub fn usage(&self) -> Option<Usage> {
        let nanoseconds = clock(self.process).ok()?.saturating_sub(self.nanoseconds);
        let ticks = ticks(self.process).ok()?;
        let switches = switches(self.process).ok()?;

        let before = |thread: &u32| self.switches.get(thread).copied().unwrap_or(0);
        let switched = switches.iter().map(|(thread, count)| count.saturating_sub(before(thread)));
        let seconds = nanoseconds as f64 / 1e9;
        let user = seconds * ticks.user_share_since(self.ticks);
        Some(Usage {
            user_seconds: user,
            system_seconds: seconds - user,
            context_switches: switched.fold(0, u64::saturating_add),
            messages: 0,
            memory: None,
        })
    }
}

/// The anonymous memory of a process that is in RAM, in bytes: what it has of its own, without the programs
/// and libraries that it shares with others. Thread stacks count as far as they have been touched.
pub fn anonymous_memory(process: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).ok()?;
    kibibytes(field(&text, "Anonymous")?)
}

/// How many threads a process has.
pub fn threads(process: u32) -> Option<usize> {
    let text = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    field(&text, "Threads")?.parse().ok()
}

/// Processor time in ticks, of all threads, ended ones too.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Ticks {
    user: u64,
    system: u64,
}

impl Ticks {
    /// The 14th and 15th field of a process's `stat`. The second is the program's name in parentheses, which
    /// may hold anything, so the fields are counted from the last parenthesis.
    fn parse(stat: &str) -> Option<Self> {
        let (_, fields) = stat.rsplit_once(')')?;
        let mut fields = fields.split_ascii_whitespace().skip(11);
        Some(Self { user: fields.next()?.parse().ok()?, system: fields.next()?.parse().ok()? })
    }

    /// Which part of the time since `earlier` was spent in the process's own code. If there was no tick
    /// since, it is that of its whole life.
    fn user_share_since(self, earlier: Self) -> f64 {
        let user = self.user.saturating_sub(earlier.user);
        let system = self.system.saturating_sub(earlier.system);
        match (user.saturating_add(system), self.user.saturating_add(self.system)) {
            (0, 0) => 0.5,
            (0, all) => self.user as f64 / all as f64,
            (since, _) => user as f64 / since as f64,
        }
    }
}

fn ticks(process: u32) -> io::Result<Ticks> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    Ticks::parse(&stat)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "`stat` can't be understood"))
}

/// How often each thread was switched. A thread that ends while this is read is left out.
fn switches(process: u32) -> io::Result<HashMap<u32, u64>> {
    let mut switches = HashMap::new();
    for entry in fs::read_dir(format!("/proc/{process}/task"))? {
        let name = entry?.file_name();
        let Some(thread) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
        let Ok(status) = fs::read_to_string(format!("/proc/{process}/task/{thread}/status")) else {
            continue;
        };
        switches.insert(thread, switches_in(&status));
    }
    Ok(switches)
}

fn switches_in(status: &str) -> u64 {
    let count = |name| field(status, name).and_then(|count| count.parse::<u64>().ok()).unwrap_or(0);
    count("voluntary_ctxt_switches").saturating_add(count("nonvoluntary_ctxt_switches"))
}

/// The processor time that a process has used, in nanoseconds.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "rustix has no call for the clock of another process")]
fn clock(process: u32) -> io::Result<u64> {
    let process = libc::pid_t::try_from(process).map_err(io::Error::other)?;
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

/// Other systems don't tell a process's time to others in the same way.
#[cfg(not(target_os = "linux"))]
fn clock(_process: u32) -> io::Result<u64> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests;
