//! With how many threads the generator works, and on which cores.

use std::thread::available_parallelism;

use crate::plan::Plan;

/// So many messages a thread sends in a second without being the limit, one for each write.
const RATE_OF_A_THREAD: f64 = 100_000.0;

/// With how many threads the load of a plan is made: as many as it says, or as many as the rate needs of the cores
/// that are left. The others are the server's.
pub(super) fn threads(plan: &Plan) -> usize {
    let cores = available_parallelism().map_or(1, usize::from);
    match plan.threads {
        0 => as_needed(plan, cores),
        threads => threads,
    }
}

fn as_needed(plan: &Plan, cores: usize) -> usize {
    let left = match plan.cpus.len() {
        0 if cores < 4 => 1,
        0 => cores / 2,
        pinned => pinned,
    };
    let needed = plan.rate().map_or(usize::MAX, |rate| (rate / RATE_OF_A_THREAD).ceil() as usize);
    needed.min(left).min(plan.connections).max(1)
}

#[cfg(target_os = "linux")]
pub(super) use linux::{Pinned, pin};

#[cfg(target_os = "linux")]
mod linux {
    use std::io;

    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

    /// The calling thread, pinned to some cores as long as this lives. Threads that it starts are pinned with it.
    pub(in crate::engine) struct Pinned(Option<CpuSet>);

    impl Pinned {
        /// Pins the calling thread to these cores; with none, it stays as it is.
        ///
        /// # Errors
        /// `InvalidInput` if it can't run on one of them: on which.
        pub(in crate::engine) fn to(cpus: &[usize]) -> io::Result<Self> {
            if cpus.is_empty() {
                return Ok(Self(None));
            }
            let pinned = Self(Some(sched_getaffinity(None)?));
            // One by one, since of several those that do not exist are ignored.
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
    pub(in crate::engine) fn pin(cpu: Option<usize>) -> io::Result<()> {
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
pub(super) use elsewhere::{Pinned, pin};

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use std::io;

    pub(in crate::engine) struct Pinned;

    impl Pinned {
        pub(in crate::engine) fn to(cpus: &[usize]) -> io::Result<Self> {
            match cpus {
                [] => Ok(Self),
                _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "threads can be pinned on Linux only")),
            }
        }
    }

    pub(in crate::engine) fn pin(_cpu: Option<usize>) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::plan::{Arrivals, Dispatch, Pace};

    fn plan(rate: Option<f64>, connections: usize, cpus: &[usize]) -> Plan {
        let open = |rate| Pace::Open { rate, arrivals: Arrivals::Constant, dispatch: Dispatch::Each };
        let pace = rate.map_or(Pace::Closed, open);
        Plan { pace, connections, cpus: cpus.into(), threads: 0, ..Plan::new(([127, 0, 0, 1], 1).into()) }
    }

    #[test]
    fn as_many_threads_as_the_rate_needs_of_the_cores_that_are_left() {
        for (rate, connections, cpus, cores, threads) in [
            (None, 64, &[][..], 1, 1),
            (None, 64, &[], 2, 1),
            (None, 64, &[], 3, 1),
            (None, 64, &[], 4, 2),
            (None, 64, &[], 16, 8),
            (None, 3, &[], 16, 3),
            (None, 64, &[1], 16, 1),
            (None, 64, &[2, 3], 2, 2),
            (Some(1000.0), 64, &[], 16, 1),
            (Some(250_000.0), 64, &[], 16, 3),
            (Some(250_000.0), 64, &[], 4, 2),
            (Some(250_000.0), 64, &[1], 4, 1),
        ] {
            let plan = plan(rate, connections, cpus);
            assert_eq!(as_needed(&plan, cores), threads, "{rate:?}, {connections}, {cpus:?}, {cores} cores");
        }
        assert_eq!(threads(&Plan { threads: 7, ..plan(None, 64, &[]) }), 7, "what is said holds");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_thread_is_pinned_with_those_that_it_starts_and_only_for_so_long() {
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
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            assert!(error.to_string().contains(&format!("core {}:", cpus.last().unwrap())), "{error}");
        }
    }
}
