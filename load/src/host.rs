//! What else the machine was doing.

/// How long this machine's cores have run, and how long others had them instead, since it was started.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Host {
    all: u64,
    steal: u64,
}

impl Host {
    /// Now; `None` where the system doesn't tell.
    #[cfg(target_os = "linux")]
    pub fn now() -> Option<Self> {
        use procfs::CurrentSI;
        let time = procfs::KernelStats::current().ok()?.total;
        let steal = time.steal?;
        // What guests of this machine used is part of the first two.
        let others = [time.iowait, time.irq, time.softirq].into_iter().flatten();
        let all = [time.user, time.nice, time.system, time.idle, steal].into_iter().chain(others);
        Some(Self { all: all.fold(0, u64::saturating_add), steal })
    }

    /// Now; `None` where the system doesn't tell.
    #[cfg(not(target_os = "linux"))]
    pub fn now() -> Option<Self> {
        None
    }

    /// The share of the time of all cores since `earlier` in which the host gave them to other machines, though
    /// this one had work.
    pub fn steal_since(&self, earlier: &Self) -> f64 {
        match self.all.saturating_sub(earlier.all) {
            0 => 0.0,
            all => (self.steal.saturating_sub(earlier.steal) as f64 / all as f64).min(1.0),
        }
    }
}

/// How many threads ran or wanted to run, as the mean over the last minute; `None` where the system doesn't tell.
#[cfg(target_os = "linux")]
pub fn load_average() -> Option<f64> {
    use procfs::Current;
    Some(procfs::LoadAverage::current().ok()?.one.into())
}

/// How many threads ran or wanted to run, as the mean over the last minute; `None` where the system doesn't tell.
#[cfg(not(target_os = "linux"))]
pub fn load_average() -> Option<f64> {
    None
}

/// A file of `/proc` or `/sys` that holds one value, without the line end. `None` if it can't be read, or is empty.
pub fn value_of(path: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    Some(text.trim().to_owned()).filter(|value| !value.is_empty())
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
    fn this_machine_tells() {
        let then = Host::now().unwrap();
        let steal = Host::now().unwrap().steal_since(&then);
        assert!((0.0..=1.0).contains(&steal), "{steal}");
        assert!(load_average().is_some_and(|load| load >= 0.0));
    }
}
