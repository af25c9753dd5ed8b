//! How thoroughly is compared, and how long the slots may be, so that it takes the time that was promised, whoever is
//! compared.

use std::time::Duration;

/// How thoroughly is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tier {
    /// Under a minute: few short rounds, no curves. To see where to look.
    Quick,
    /// About three minutes: rounds for the verdicts, and one pass for memory and for latency against the rate.
    #[default]
    Default,
    /// About a quarter of an hour: more and longer rounds, isolation, and several passes for all curves.
    Full,
}

impl Tier {
    /// Its name, as reports have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Default => "default",
            Self::Full => "full",
        }
    }

    /// How many rounds it has. At a spread of 8 % from round to round, as shared machines show it, and with seven rivals,
    /// a value that is a tenth lower is found with a probability of 52 % in 9 rounds, 85 % in 11, and 94 % in 13 (tried by
    /// [`statistics`](crate::statistics)). So many short rounds tell more than few long ones.
    pub fn rounds(self) -> usize {
        match self {
            Self::Quick => 5,
            Self::Default => 13,
            Self::Full => 15,
        }
    }

    /// How long all of it takes, with as many rounds. The slots are made as long as fits.
    pub fn time(self) -> Duration {
        Duration::from_secs(match self {
            Self::Quick => 50,
            Self::Default => 175,
            Self::Full => 900,
        })
    }

    /// How often the points of the curves are measured. Of several passes, the median is kept.
    pub fn passes(self) -> usize {
        match self {
            Self::Quick => 0,
            Self::Default => 1,
            Self::Full => 5,
        }
    }
}

/// What there is to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Work {
    /// Servers to start.
    pub(super) starts: usize,
    /// Measurements under load.
    pub(super) measurements: usize,
    /// Servers whose memory is measured.
    pub(super) memories: usize,
}

/// What it costs beside the time that is measured. At first this is a guess, then what was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Costs {
    /// To start a server, and to end it.
    pub(super) start: Duration,
    /// To make the connections of a measurement, to close them, and to sum up.
    pub(super) measurement: Duration,
    /// To measure a server's memory with idle connections.
    pub(super) memory: Duration,
}

/// How long load is made for one measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    /// Before it is measured.
    pub(super) warmup: Duration,
    /// While it is measured.
    pub(super) duration: Duration,
}

impl Default for Costs {
    fn default() -> Self {
        Self {
            start: Duration::from_millis(60),
            measurement: Duration::from_millis(80),
            memory: Duration::from_millis(1900),
        }
    }
}

/// A shorter measurement says too little: this many milliseconds hold a few ticks of the kernel's accounts.
const SHORTEST: Duration = Duration::from_millis(250);

/// More time is better spent on more rounds.
pub(super) const LONGEST: Duration = Duration::from_secs(5);

/// The bounds of the warm-up, in which caches and buffers fill; between them it is a quarter of what is
/// measured.
const WARMUP: (Duration, Duration) = (Duration::from_millis(100), Duration::from_millis(500));

impl Slot {
    /// The slot of the closed loops that were asked for: in many short rounds there is more to be learnt than in
    /// few long ones.
    pub(super) fn short(tier: Tier) -> Self {
        let (warmup, duration) = match tier {
            Tier::Quick => (WARMUP.0, SHORTEST),
            Tier::Default => (Duration::from_millis(150), Duration::from_millis(400)),
            Tier::Full => (Duration::from_millis(300), Duration::from_secs(1)),
        };
        Self { warmup, duration }
    }

    /// The longest slot with which the work fits into a time; the shortest sensible one if none does.
    pub(super) fn within(time: Duration, work: Work, costs: Costs) -> Self {
        let fixed = work.time(Self { warmup: Duration::ZERO, duration: Duration::ZERO }, costs);
        let measurements = u32::try_from(work.measurements).unwrap_or(u32::MAX).max(1);
        let whole = time.saturating_sub(fixed) / measurements;
        let warmup = (whole / 5).clamp(WARMUP.0, WARMUP.1);
        Self { warmup, duration: whole.saturating_sub(warmup).clamp(SHORTEST, LONGEST) }
    }
}

impl Work {
    /// How long it takes.
    pub(super) fn time(self, slot: Slot, costs: Costs) -> Duration {
        let times =
            |count: usize, each: Duration| each.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX));
        times(self.starts, costs.start)
            .saturating_add(times(self.measurements, slot.warmup + slot.duration + costs.measurement))
            .saturating_add(times(self.memories, costs.memory))
    }

    /// This and more.
    pub(super) fn and(self, more: Self) -> Self {
        Self {
            starts: self.starts + more.starts,
            measurements: self.measurements + more.measurements,
            memories: self.memories + more.memories,
        }
    }

    /// This so many times.
    pub(super) fn times(self, count: usize) -> Self {
        Self {
            starts: self.starts * count,
            measurements: self.measurements * count,
            memories: self.memories * count,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn work(measurements: usize) -> Work {
        Work { starts: measurements / 2, measurements, memories: 2 }
    }

    #[test]
    fn the_work_fits_into_the_time() {
        for measurements in [20, 30, 50, 90, 120] {
            let slot = Slot::within(MINUTE, work(measurements), Costs::default());
            let time = work(measurements).time(slot, Costs::default());
            assert!(time <= MINUTE && time > MINUTE - Duration::from_millis(1), "{measurements}: {time:?}");
            assert!(slot.warmup >= WARMUP.0 && slot.duration >= SHORTEST, "{slot:?}");
        }
    }

    #[test]
    fn too_much_work_has_the_shortest_slots() {
        let slot = Slot::within(MINUTE, work(1000), Costs::default());
        assert_eq!(slot, Slot { warmup: WARMUP.0, duration: SHORTEST });
        assert!(work(1000).time(slot, Costs::default()) > MINUTE);
    }

    #[test]
    fn little_work_has_the_longest() {
        let slot = Slot { warmup: WARMUP.1, duration: LONGEST };
        assert_eq!(Slot::within(MINUTE, work(2), Costs::default()), slot);
        assert_eq!(Slot::within(MINUTE, Work::default(), Costs::default()), slot);
    }

    #[test]
    fn work_adds_up() {
        let sum = Work { starts: 4, measurements: 9, memories: 6 };
        assert_eq!(work(3).and(work(3)).and(work(3)), Work { starts: 3, ..sum });
        assert_eq!(work(3).times(3), Work { starts: 3, ..sum });
    }
}
