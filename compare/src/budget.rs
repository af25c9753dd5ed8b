//! The thoroughness of a comparison, and the length of its measurements: they are fitted into the time that the tier
//! promises, however many servers are compared.

use std::time::Duration;

/// The thoroughness of a comparison.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tier {
    /// Under a minute: few short rounds, no curves. For screening.
    Quick,
    /// About three minutes: rounds for the verdicts, and one pass for memory and for latency against the rate.
    #[default]
    Default,
    /// About a quarter of an hour: more and longer rounds, isolation, and several passes for all curves.
    Full,
}

impl Tier {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Default => "default",
            Self::Full => "full",
        }
    }

    /// How many rounds it has. With a spread of 8 % from round to round, which is usual on shared machines, and seven
    /// other servers, a value that is lower by a tenth is detected with a probability of 52 % in 9 rounds, 85 % in 11,
    /// and 94 % in 13 (simulated by the tests of [`statistics`](crate::statistics)). So many short rounds detect more
    /// than few long ones.
    pub fn rounds(self) -> usize {
        match self {
            Self::Quick => 5,
            Self::Default => 13,
            Self::Full => 15,
        }
    }

    /// How long the whole comparison takes with [`rounds`](Self::rounds) rounds. The measurements are made as long as
    /// fits.
    pub fn time(self) -> Duration {
        Duration::from_secs(match self {
            Self::Quick => 50,
            Self::Default => 175,
            Self::Full => 900,
        })
    }

    /// How often each point of the curves is measured. The median of the passes is kept.
    pub fn passes(self) -> usize {
        match self {
            Self::Quick => 0,
            Self::Default => 1,
            Self::Full => 5,
        }
    }
}

/// An amount of work, as counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Work {
    /// Servers to start.
    pub(super) starts: usize,
    /// Measurements under load.
    pub(super) measurements: usize,
    /// Servers whose memory is measured.
    pub(super) memories: usize,
}

/// The time that each piece of work takes beyond what is measured: estimates at first, then averages of what was
/// observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overheads {
    /// Starting a server, and ending it.
    pub(super) start: Duration,
    /// Opening the connections of a measurement, closing them, and evaluating it.
    pub(super) measurement: Duration,
    /// Measuring a server's memory with idle connections.
    pub(super) memory: Duration,
}

/// The time during which load is generated for one measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    /// Warm-up, which isn't measured.
    pub(super) warmup: Duration,
    /// What is measured.
    pub(super) duration: Duration,
}

impl Default for Overheads {
    fn default() -> Self {
        Self {
            start: Duration::from_millis(60),
            measurement: Duration::from_millis(80),
            memory: Duration::from_millis(1900),
        }
    }
}

/// The shortest measurement: it has to cover several ticks of the kernel's CPU accounting.
const SHORTEST: Duration = Duration::from_millis(250);

/// The longest measurement. More time is better spent on more rounds.
pub(super) const LONGEST: Duration = Duration::from_secs(5);

/// The bounds of the warm-up, in which caches and buffers fill. Between them it is a quarter of what is measured.
const WARMUP: (Duration, Duration) = (Duration::from_millis(100), Duration::from_millis(500));

/// The fewest messages of a measurement with subscribers.
const FEWEST: f64 = 4.0;

impl Window {
    /// The window of the loads that replace the usual ones. Short, because many short rounds detect more than few long
    /// ones.
    pub(super) fn short(tier: Tier) -> Self {
        let (warmup, duration) = match tier {
            Tier::Quick => (WARMUP.0, SHORTEST),
            Tier::Default => (Duration::from_millis(150), Duration::from_millis(400)),
            Tier::Full => (Duration::from_millis(300), Duration::from_secs(1)),
        };
        Self { warmup, duration }
    }

    /// At least as long, with several messages at this rate. Both ends are in the middle between two messages, so that
    /// neither cuts the deliveries of one.
    pub(super) fn between_messages(self, rate: f64) -> Self {
        let intervals = |time: Duration| (time.as_secs_f64() * rate).ceil();
        let long = |intervals: f64| Duration::from_secs_f64(intervals / rate);
        Self {
            warmup: long(intervals(self.warmup).max(1.0) + 0.5),
            duration: long(intervals(self.duration).max(FEWEST)),
        }
    }

    /// The longest window with which the work fits into a time; the shortest sensible one if none does.
    pub(super) fn within(time: Duration, work: Work, overheads: Overheads) -> Self {
        let fixed = work.time(Self { warmup: Duration::ZERO, duration: Duration::ZERO }, overheads);
        let measurements = u32::try_from(work.measurements).unwrap_or(u32::MAX).max(1);
        let whole = time.saturating_sub(fixed) / measurements;
        let warmup = (whole / 5).clamp(WARMUP.0, WARMUP.1);
        Self { warmup, duration: whole.saturating_sub(warmup).clamp(SHORTEST, LONGEST) }
    }
}

impl Work {
    /// How long it takes with such a window.
    pub(super) fn time(self, window: Window, overheads: Overheads) -> Duration {
        let times =
            |count: usize, each: Duration| each.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX));
        times(self.starts, overheads.start)
            .saturating_add(times(self.measurements, window.warmup + window.duration + overheads.measurement))
            .saturating_add(times(self.memories, overheads.memory))
    }

    /// The sum of both.
    pub(super) fn and(self, more: Self) -> Self {
        Self {
            starts: self.starts + more.starts,
            measurements: self.measurements + more.measurements,
            memories: self.memories + more.memories,
        }
    }

    /// This amount of work `count` times.
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
            let window = Window::within(MINUTE, work(measurements), Overheads::default());
            let time = work(measurements).time(window, Overheads::default());
            assert!(time <= MINUTE && time > MINUTE - Duration::from_millis(1), "{measurements}: {time:?}");
            assert!(window.warmup >= WARMUP.0 && window.duration >= SHORTEST, "{window:?}");
        }
    }

    #[test]
    fn too_much_work_gets_the_shortest_window() {
        let window = Window::within(MINUTE, work(1000), Overheads::default());
        assert_eq!(window, Window { warmup: WARMUP.0, duration: SHORTEST });
        assert!(work(1000).time(window, Overheads::default()) > MINUTE);
    }

    #[test]
    fn little_work_gets_the_longest_window() {
        let window = Window { warmup: WARMUP.1, duration: LONGEST };
        assert_eq!(Window::within(MINUTE, work(2), Overheads::default()), window);
        assert_eq!(Window::within(MINUTE, Work::default(), Overheads::default()), window);
    }

    #[test]
    fn a_window_ends_between_two_messages() {
        let window = Window { warmup: Duration::from_millis(150), duration: Duration::from_millis(400) };
        let between_messages = |rate| {
            let Window { warmup, duration } = window.between_messages(rate);
            (warmup.as_micros(), duration.as_micros())
        };
        assert_eq!(between_messages(2.0), (750_000, 2_000_000), "four messages at least");
        assert_eq!(between_messages(16.0), (218_750, 437_500));
        assert_eq!(between_messages(40.0), (162_500, 400_000));
        assert_eq!(between_messages(10_000.0), (150_050, 400_000));
    }

    #[test]
    fn work_adds_up() {
        let sum = Work { starts: 4, measurements: 9, memories: 6 };
        assert_eq!(work(3).and(work(3)).and(work(3)), Work { starts: 3, ..sum });
        assert_eq!(work(3).times(3), Work { starts: 3, ..sum });
    }
}
