//! What else the machine was doing: its cores given to other machines, idle, or fought over.

use std::fs;
use std::time::Instant;

use crate::procfs::value_of;

/// The machine at one instant: how long its cores have done what, since it was started.
#[derive(Clone, Copy, Debug)]
pub struct Host {
    at: Instant,
    cores: Cores,
    waiting: Option<u64>,
}

/// What the machine did between two instants, as shares of the time of all its cores.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Shares {
    /// The host gave the cores to other machines, though this one had work.
    pub steal: f64,
    /// There was nothing to do.
    pub idle: f64,
    /// The share of the time, not of the cores, in which some thread waited for a core; `None` where the
    /// kernel doesn't keep account of pressure.
    pub waiting: Option<f64>,
}

/// Time of all cores, in ticks.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Cores {
    all: u64,
    idle: u64,
    steal: u64,
}

impl Host {
    /// Now; `None` where the system doesn't tell.
    pub fn now() -> Option<Self> {
        let cores = Cores::parse(&fs::read_to_string("/proc/stat").ok()?)?;
        let waiting = fs::read_to_string("/proc/pressure/cpu").ok().and_then(|text| waiting(&text));
        Some(Self { at: Instant::now(), cores, waiting })
    }

    /// What the machine did since `earlier`.
    pub fn since(&self, earlier: &Self) -> Shares {
        let all = self.cores.all.saturating_sub(earlier.cores.all);
        let share = |now: u64, then: u64| {
            if all == 0 { 0.0 } else { (now.saturating_sub(then) as f64 / all as f64).min(1.0) }
        };
        let seconds = self.at.saturating_duration_since(earlier.at).as_secs_f64();
        let waiting = self.waiting.zip(earlier.waiting).filter(|_| seconds > 0.0);
        Shares {
            steal: share(self.cores.steal, earlier.cores.steal),
            idle: share(self.cores.idle, earlier.cores.idle),
            waiting: waiting.map(|(now, then)| (now.saturating_sub(then) as f64 / 1e6 / seconds).min(1.0)),
        }
    }
}

/// How many threads ran or wanted to run, as the mean over the last minute.
pub fn load_average() -> Option<f64> {
    value_of("/proc/loadavg")?.split_ascii_whitespace().next()?.parse().ok()
}

impl Cores {
    /// The first line of `/proc/stat`. What guests of this machine used is in the first two of its times
    /// already.
    fn parse(stat: &str) -> Option<Self> {
        let times = stat.lines().next()?.strip_prefix("cpu ")?.split_ascii_whitespace().take(8);
        let times: Vec<u64> = times.map(|time| time.parse().ok()).collect::<Option<_>>()?;
        let &[user, nice, system, idle, waiting_for_disks, interrupts, soft_interrupts, steal] = &times[..]
        else {
            return None;
        };
        let all = [user, nice, system, idle, waiting_for_disks, interrupts, soft_interrupts, steal];
        Some(Self {
            all: all.into_iter().fold(0, u64::saturating_add),
            idle: idle.saturating_add(waiting_for_disks),
            steal,
        })
    }
}

/// For how many microseconds some thread has waited for a core.
fn waiting(pressure: &str) -> Option<u64> {
    let some = pressure.lines().find(|line| line.starts_with("some "))?;
    some.split_ascii_whitespace().find_map(|field| field.strip_prefix("total="))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const STAT: &str = "cpu  100 10 40 500 50 5 5 30 7 0\ncpu0 50 0 20 250 25 2 2 15 0 0\n";

    #[test]
    fn times_of_guests_are_not_counted_twice() {
        assert_eq!(Cores::parse(STAT), Some(Cores { all: 740, idle: 550, steal: 30 }));
    }

    #[test]
    fn what_can_not_be_understood_is_nothing() {
        for nonsense in ["", "cpu", "cpu  1 2 3", "cpu  1 2 3 4 5 6 7 x", "intr 1 2 3 4 5 6 7 8"] {
            assert_eq!(Cores::parse(nonsense), None, "{nonsense}");
        }
        for nonsense in ["", "some avg10=0.00", "some total=x", "full total=3"] {
            assert_eq!(waiting(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn shares_are_of_the_time_between_two_instants() {
        let at = Instant::now();
        let then = Host { at, cores: Cores { all: 1000, idle: 100, steal: 10 }, waiting: Some(0) };
        let later = at + Duration::from_secs(2);
        let now =
            Host { at: later, cores: Cores { all: 1400, idle: 200, steal: 18 }, waiting: Some(500_000) };
        assert_eq!(now.since(&then), Shares { steal: 0.02, idle: 0.25, waiting: Some(0.25) });
        assert_eq!(then.since(&then), Shares::default(), "no time has passed");
        assert_eq!(then.since(&now), Shares { waiting: None, ..Shares::default() }, "clocks that went back");
    }

    #[test]
    fn pressure_is_the_total_of_those_that_waited() {
        let text = "some avg10=2.91 avg60=6.02 avg300=9.09 total=201525800\nfull avg10=0.00 total=7\n";
        assert_eq!(waiting(text), Some(201_525_800));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_machine_tells() {
        let then = Host::now().unwrap();
        let shares = Host::now().unwrap().since(&then);
        assert!((0.0..=1.0).contains(&shares.steal) && (0.0..=1.0).contains(&shares.idle), "{shares:?}");
        assert!(load_average().is_some_and(|load| load >= 0.0));
    }
}
