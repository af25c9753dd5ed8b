//! This machine: the cores that a thread may use, and their other activity.

#[cfg(not(target_os = "linux"))]
pub(crate) use elsewhere::{Pinned, pin};
#[cfg(target_os = "linux")]
pub(crate) use linux::{Pinned, pin};

/// The CPU time of this machine's cores, and the CPU time stolen by other virtual machines, since boot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Host {
    all: u64,
    steal: u64,
}

impl Host {
    /// The current values; `None` if the system does not provide them.
    #[cfg(target_os = "linux")]
    pub fn now() -> Option<Self> {
        use procfs::CurrentSI;
        let time = procfs::KernelStats::current().ok()?.total;
        let steal = time.steal?;
        // The time of guests is included in the first two.
        let others = [time.iowait, time.irq, time.softirq].into_iter().flatten();
        let all = [time.user, time.nice, time.system, time.idle, steal].into_iter().chain(others);
        Some(Self { all: all.fold(0, u64::saturating_add), steal })
    }

    /// The current values; `None` if the system does not provide them.
    #[cfg(not(target_os = "linux"))]
    pub fn now() -> Option<Self> {
        None
    }

    /// The share of the time of all cores since `earlier` that the hypervisor gave to other machines although this one
    /// had work (steal).
    pub fn steal_since(&self, earlier: &Self) -> f64 {
        match self.all.saturating_sub(earlier.all) {
            0 => 0.0,
            all => (self.steal.saturating_sub(earlier.steal) as f64 / all as f64).min(1.0),
        }
    }
}

/// The load average of the last minute: the mean number of runnable threads; `None` if the system does not provide it.
#[cfg(target_os = "linux")]
pub fn load_average() -> Option<f64> {
    use procfs::Current;
    Some(procfs::LoadAverage::current().ok()?.one.into())
}

/// The load average of the last minute: the mean number of runnable threads; `None` if the system does not provide it.
#[cfg(not(target_os = "linux"))]
pub fn load_average() -> Option<f64> {
    None
}

/// A file of `/proc` or `/sys` that holds one value, without the line end. `None` if it can't be read, or is empty.
pub fn value_of(path: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    Some(text.trim().to_owned()).filter(|value| !value.is_empty())
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io;

    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

    /// Pins the calling thread to some cores until it is dropped. Threads that it starts inherit the pinning.
    pub(crate) struct Pinned(Option<CpuSet>);

    impl Pinned {
        /// Pins the calling thread to these cores; with an empty list, nothing changes.
        ///
        /// # Errors
        /// `InvalidInput` if it can't run on one of them, naming that core.
        pub(crate) fn to(cpus: &[usize]) -> io::Result<Self> {
            if cpus.is_empty() {
                return Ok(Self(None));
            }
            let pinned = Self(Some(sched_getaffinity(None)?));
            // One by one, since the kernel ignores missing cores in a set with others.
            cpus.iter().try_for_each(|&cpu| pin(Some(cpu)))?;
            let mut all = CpuSet::new();
            cpus.iter().for_each(|&cpu| all.set(cpu));
            sched_setaffinity(None, &all)?;
            Ok(pinned)
        }
    }

    impl Drop for Pinned {
        fn drop(&mut self) {
            if let Some(before) = &self.0 {
                let _ = sched_setaffinity(None, before);
            }
        }
    }

    /// Pins the calling thread to a core, if there is one.
    pub(crate) fn pin(cpu: Option<usize>) -> io::Result<()> {
        let Some(cpu) = cpu else { return Ok(()) };
        let fails = |why: &str| {
            let text = format!(
                "the generator can't run on core {cpu}: {why}; choose among those that this machine has"
            );
            Err(io::Error::new(io::ErrorKind::InvalidInput, text))
        };
        if cpu >= CpuSet::MAX_CPU {
            return fails(&format!("cores are numbered from 0 to {}", CpuSet::MAX_CPU - 1));
        }
        let mut one = CpuSet::new();
        one.set(cpu);
        sched_setaffinity(None, &one).or_else(|error| fails(&error.to_string()))
    }
}

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use std::io;

    pub(crate) struct Pinned;

    impl Pinned {
        pub(crate) fn to(cpus: &[usize]) -> io::Result<Self> {
            match cpus {
                [] => Ok(Self),
                _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "threads can be pinned on Linux only")),
            }
        }
    }

    pub(crate) fn pin(_cpu: Option<usize>) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steal_is_of_the_time_between_two_instants() {
        let then = Host { all: 1000, steal: 10 };
        let now = Host { all: 1400, steal: 18 };
        assert_eq!(now.steal_since(&then), 0.02);
        assert_eq!(then.steal_since(&then), 0.0, "no time has passed");
        assert_eq!(then.steal_since(&now), 0.0, "clocks that went back");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_machine_provides_the_values() {
        let then = Host::now().unwrap();
        let steal = Host::now().unwrap().steal_since(&then);
        assert!((0.0..=1.0).contains(&steal), "{steal}");
        assert!(load_average().is_some_and(|load| load >= 0.0));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn pinning_is_inherited_and_ends_with_the_guard() {
        use rustix::thread::sched_getaffinity;
        let cores = || sched_getaffinity(None).unwrap();
        let before = cores();
        let last = (0..1024).rev().find(|&cpu| before.is_set(cpu)).unwrap();
        let pinned = Pinned::to(&[last]).unwrap();
        assert_eq!((cores().count(), cores().is_set(last)), (1, true));
        assert_eq!(std::thread::spawn(move || cores().count()).join().unwrap(), 1);
        drop(pinned);
        assert_eq!(cores(), before);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_core_that_does_not_exist_is_named() {
        for cpus in [&[0, 1023][..], &[1_000_000]] {
            let error = Pinned::to(cpus).map(drop).unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
            assert!(error.to_string().contains(&format!("core {}:", cpus.last().unwrap())), "{error}");
        }
    }
}
