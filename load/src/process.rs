//! The resource use of a server: CPU time, context switches and memory of its process and all descendants.
//!
//! - **Processor time** is read from each process's own clock, which counts nanoseconds and goes on counting what
//!   threads used that have ended. A process that has ended by the second reading has left its time with the one that
//!   waited for it, in ticks of 10 ms; it is lost if no process waits (for example, if `SIGCHLD` is ignored), or if the
//!   waiting process has left the tree.
//! - **User mode and kernel** are also distinguished by ticks. These are too coarse for the total of a short run, so
//!   they only give the ratio by which the clocks' total is split.
//! - **Context switches** are the sum over the threads that live when it is read. Those of a thread that began and
//!   ended in between are lost.
//!
//! Reading costs some 10 µs for each process of the system, and 20 µs for each thread of the tree.

#[cfg(target_os = "linux")]
mod linux;

use std::collections::HashMap;
use std::io;

#[cfg(target_os = "linux")]
use self::linux as tree;
use crate::measurement::Usage;

/// Accounts for the resource use of a process and its descendants from now on.
#[derive(Debug)]
pub struct Account {
    root: u32,
    begin: Tree,
    switches: HashMap<i32, u64>,
}

/// The processes of a tree at one instant, by process id.
type Tree = HashMap<i32, Reading>;

/// A process at one instant.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Reading {
    parent: i32,
    /// Its start time, in ticks since boot: distinguishes it from another process with the same id.
    started: u64,
    /// Its CPU clock, in nanoseconds.
    clock: u64,
    /// Its CPU time, and that of the processes it has waited for.
    own: Ticks,
    ended: Ticks,
}

/// CPU time in nanoseconds, with the resolution of the system's ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Ticks {
    user: u64,
    system: u64,
}

impl Account {
    /// Starts to account for a process and its descendants.
    ///
    /// # Errors
    /// `NotFound` if there is no such process, and others if the system does not provide its resource use.
    pub fn open(root: u32) -> io::Result<Self> {
        let switches = tree::switches(tree::read(root)?.keys());
        // The clocks are read last here, and first when the usage is computed, so that the cost of reading is not
        // included.
        Ok(Self { root, switches, begin: tree::read(root)? })
    }

    /// The resource use since then; `None` if the root process has ended. `replies` is called directly after the clocks
    /// are read, and returns the number of answered messages.
    pub fn usage(&self, replies: impl FnOnce() -> u64) -> Option<Usage> {
        let end = tree::read(self.root).ok()?;
        let messages = replies();
        let root = i32::try_from(self.root).ok()?;
        if end.get(&root)?.started != self.begin.get(&root)?.started {
            return None;
        }
        let used = used(&self.begin, &end);
        let seconds = clock(&self.begin, &end) as f64 / 1e9;
        let user = seconds * used.user_share();
        let before = |thread: &i32| self.switches.get(thread).copied().unwrap_or(0);
        let switches = tree::switches(end.keys());
        let switched = switches.iter().map(|(thread, count)| count.saturating_sub(before(thread)));
        Some(Usage {
            user_seconds: user,
            system_seconds: seconds - user,
            context_switches: switched.fold(0, u64::saturating_add),
            messages,
            memory: tree::memory(end.keys()),
            ..Usage::default()
        })
    }
}

/// A process and all its descendants; empty if there is no such process, or the system does not provide them.
pub fn descendants(root: u32) -> Vec<u32> {
    let processes = tree::read(root).unwrap_or_default().into_keys();
    processes.filter_map(|process| u32::try_from(process).ok()).collect()
}

/// The anonymous memory of a process and its descendants that is in RAM, in bytes: what they have of their own,
/// without the programs and libraries that they share with others. Thread stacks count as far as they have been
/// touched. `None` if there is no such process, or the system doesn't tell.
pub fn anonymous_memory(root: u32) -> Option<u64> {
    tree::memory(tree::read(root).ok()?.keys())
}

/// The CPU time, in nanoseconds, that the processes of a tree used between two instants.
fn clock(begin: &Tree, end: &Tree) -> u64 {
    let since = |(number, now): (&i32, &Reading)| now.clock.saturating_sub(same(begin, *number, now).clock);
    end.iter().map(since).sum::<u64>().saturating_add(inherited(begin, end).sum())
}

/// The same time in ticks, which are less exact but distinguish user mode and kernel.
fn used(begin: &Tree, end: &Tree) -> Ticks {
    let since = |(number, now): (&i32, &Reading)| now.own.since(same(begin, *number, now).own);
    end.iter().map(since).fold(inherited(begin, end), Ticks::plus)
}

/// The CPU time between two instants of processes that had ended by the second: it is found at the processes that
/// waited for them.
fn inherited(begin: &Tree, end: &Tree) -> Ticks {
    let mut inherited: HashMap<i32, Ticks> = HashMap::new();
    for (number, now) in end {
        inherited.insert(*number, now.ended.since(same(begin, *number, now).ended));
    }
    // This includes their time before the first instant.
    let ended = begin.iter().filter(|(number, then)| !is_in(end, **number, then));
    for (_, then) in ended {
        let mut heir = then.parent;
        while let Some(parent) = begin.get(&heir).filter(|parent| !is_in(end, heir, parent)) {
            heir = parent.parent;
        }
        if let Some(time) = inherited.get_mut(&heir) {
            *time = time.since(then.own.scaled_to(then.clock).plus(then.ended));
        }
    }
    inherited.into_values().fold(Ticks::default(), Ticks::plus)
}

/// This process at another instant; a new one has used nothing.
fn same(tree: &Tree, number: i32, reading: &Reading) -> Reading {
    tree.get(&number).filter(|other| other.started == reading.started).copied().unwrap_or_default()
}

fn is_in(tree: &Tree, number: i32, reading: &Reading) -> bool {
    tree.get(&number).is_some_and(|other| other.started == reading.started)
}

impl Ticks {
    fn plus(self, other: Self) -> Self {
        Self { user: self.user.saturating_add(other.user), system: self.system.saturating_add(other.system) }
    }

    fn since(self, earlier: Self) -> Self {
        Self {
            user: self.user.saturating_sub(earlier.user),
            system: self.system.saturating_sub(earlier.system),
        }
    }

    fn sum(self) -> u64 {
        self.user.saturating_add(self.system)
    }

    /// The time of a clock, divided in the same ratio.
    fn scaled_to(self, clock: u64) -> Self {
        let user = (clock as f64 * self.user_share()) as u64;
        Self { user, system: clock.saturating_sub(user) }
    }

    /// The share of the time in user mode; half if there was no tick.
    fn user_share(self) -> f64 {
        match self.sum() {
            0 => 0.5,
            all => self.user as f64 / all as f64,
        }
    }
}

/// Systems other than Linux do not provide another process's CPU time in the same way.
#[cfg(not(target_os = "linux"))]
mod tree {
    use std::collections::HashMap;
    use std::io;

    use super::Tree;

    pub(super) fn read(_root: u32) -> io::Result<Tree> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn switches<'a>(_processes: impl Iterator<Item = &'a i32>) -> HashMap<i32, u64> {
        HashMap::new()
    }

    pub(super) fn memory<'a>(_processes: impl Iterator<Item = &'a i32>) -> Option<u64> {
        None
    }
}

#[cfg(test)]
mod tests;
