//! What may be said about a difference.

use super::estimate::{Estimate, Interval};

/// What may be said about a difference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verdict {
    /// The subject is better, by a difference beyond all doubt that was looked for.
    Better {
        /// Its value over the reference's.
        ratio: f64,
        /// Where that lies.
        interval: Interval,
    },
    /// The subject is worse.
    Worse {
        /// Its value over the reference's.
        ratio: f64,
        /// Where that lies.
        interval: Interval,
    },
    /// None is seen; if there is one, it is at most this large (0.05 is 5 %).
    NoDifferenceSeen {
        /// The largest difference that the rounds don't exclude.
        up_to: f64,
    },
    /// The rounds differ so much that even a large difference could be there unseen.
    TooNoisy {
        /// About how many more rounds would tell.
        more_rounds: usize,
    },
}

/// How much two runs of the same differ: below this no difference counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Floor {
    /// The reference's ratio to itself; `None` without a control, or with a single round.
    pub control: Option<Estimate>,
    /// The part of a difference that may be chance: half the width of the control's interval, and at least
    /// [`LEAST`].
    pub band: f64,
}

/// A difference below 3 % is never a verdict: the layout of the code in memory alone can make that much.
pub const LEAST: f64 = 0.03;

/// A difference that a reader would act on. It must be findable, or else the rounds are too few.
const WORTHWHILE: f64 = 0.10;

/// If a difference up to this large could be there unseen, "no difference seen" would mislead.
const TOO_WIDE: f64 = 0.20;

/// So many rounds are the fewest from which anything is concluded.
const FEWEST: usize = 3;

impl Floor {
    /// From the ratio of the control to its twin.
    pub fn of(control: Option<Estimate>) -> Self {
        let half_width = control.and_then(|control| control.interval).map_or(0.0, Interval::half_width);
        Self { control: control.filter(|control| control.interval.is_some()), band: half_width.max(LEAST) }
    }

    /// The floor for a ratio of means of runs: the control's is of one run to one run, and a mean of two varies
    /// less.
    pub fn for_runs(self, above: usize, below: usize) -> Self {
        let variance = (1.0 / above.max(1) as f64 + 1.0 / below.max(1) as f64) / 2.0;
        let half_width = self.control.and_then(|control| control.interval).map_or(0.0, Interval::half_width);
        Self { band: (half_width * variance.sqrt()).max(LEAST), ..self }
    }
}

impl Verdict {
    /// What may be said about a ratio, where so much may be chance.
    pub fn of(estimate: &Estimate, floor: Floor, more_is_better: bool) -> Self {
        let ratio = estimate.median;
        let difference = ratio.max(1.0 / ratio) - 1.0;
        let more_rounds = |for_difference| {
            let spread = floor.control.map_or(0.0, |control| control.spread).max(estimate.spread);
            rounds_needed(spread, for_difference).saturating_sub(estimate.rounds).max(1)
        };
        let Some(interval) = estimate.interval.filter(|_| estimate.rounds >= FEWEST) else {
            return Self::TooNoisy { more_rounds: USUAL - estimate.rounds.min(FEWEST) };
        };
        if !interval.contains(1.0) && difference > floor.band {
            return if (ratio > 1.0) == more_is_better {
                Self::Better { ratio, interval }
            } else {
                Self::Worse { ratio, interval }
            };
        }
        if interval.reach() <= TOO_WIDE {
            Self::NoDifferenceSeen { up_to: interval.reach() }
        } else {
            Self::TooNoisy { more_rounds: more_rounds(difference.max(WORTHWHILE)) }
        }
    }

    /// Whether two say the same, whatever the numbers.
    pub fn agrees(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }

    /// Whether it tells the two apart.
    pub fn is_difference(&self) -> bool {
        matches!(self, Self::Better { .. } | Self::Worse { .. })
    }
}

/// The rounds of a comparison with the usual settings.
const USUAL: usize = 7;

/// How many rounds find such a difference in 80 of 100 comparisons, where the rounds spread so much: the square
/// of 2.8 standard errors, 1.96 for the interval and 0.84 for the 80, and two more for what that leaves out:
/// the deviation is itself estimated, and the floor must be passed as well.
pub fn rounds_needed(spread: f64, difference: f64) -> usize {
    let rounds = (2.8 * spread / difference.ln_1p()).powi(2);
    if !rounds.is_finite() {
        return FEWEST;
    }
    // At ten rounds resampling begins, which is worth what is cut off here.
    let rounds = if rounds < 10.0 { (rounds + 2.0).min(10.0) } else { rounds + 2.0 };
    (rounds.ceil() as usize).max(FEWEST)
}

#[cfg(test)]
mod tests {
    use super::super::estimate::Method;
    use super::*;

    fn estimate(median: f64, low: f64, high: f64) -> Estimate {
        let interval = Some(Interval { low, high });
        Estimate { median, interval, method: Method::Bootstrap, rounds: 15, spread: 0.2 }
    }

    #[test]
    fn a_difference_needs_the_interval_and_the_floor() {
        let quiet = Floor::of(Some(estimate(1.0, 0.98, 1.02)));
        let noisy = Floor::of(Some(estimate(1.0, 0.8, 1.25)));
        let none = Floor::of(None);
        assert_eq!((quiet.band, none.band), (LEAST, LEAST));
        let cheaper = estimate(0.9, 0.85, 0.95);
        assert!(matches!(Verdict::of(&cheaper, quiet, false), Verdict::Better { ratio: 0.9, .. }));
        assert!(matches!(Verdict::of(&cheaper, quiet, true), Verdict::Worse { .. }));
        assert!(matches!(Verdict::of(&cheaper, noisy, false), Verdict::NoDifferenceSeen { .. }));
        let tiny = estimate(0.98, 0.97, 0.99);
        assert!(
            matches!(Verdict::of(&tiny, quiet, false), Verdict::NoDifferenceSeen { up_to } if up_to < 0.04)
        );
        let wide = estimate(0.9, 0.7, 1.1);
        assert!(
            matches!(Verdict::of(&wide, quiet, false), Verdict::TooNoisy { more_rounds } if more_rounds > 5)
        );
    }

    #[test]
    fn one_or_two_rounds_conclude_nothing() {
        let two = Estimate { rounds: 2, ..estimate(0.5, 0.49, 0.51) };
        assert_eq!(Verdict::of(&two, Floor::of(None), false), Verdict::TooNoisy { more_rounds: 5 });
        let one = Estimate { rounds: 1, interval: None, ..two };
        assert_eq!(Verdict::of(&one, Floor::of(None), false), Verdict::TooNoisy { more_rounds: 6 });
    }

    #[test]
    fn the_rounds_needed_are_those_of_the_power_formula() {
        assert_eq!(rounds_needed(0.14, 0.10), 19);
        assert_eq!(rounds_needed(0.31, 0.10), 85);
        assert_eq!([0.08, 0.09, 0.10].map(|spread| rounds_needed(spread, 0.10)), [8, 9, 10]);
        assert_eq!(rounds_needed(0.0, 0.10), 3);
        assert_eq!(rounds_needed(0.1, 0.0), 3, "no difference is never found");
    }

    #[test]
    fn a_mean_of_two_runs_has_a_lower_floor() {
        let floor = Floor::of(Some(estimate(1.0, 0.8, 1.25)));
        assert!((floor.for_runs(1, 1).band - 0.25).abs() < 1e-9);
        assert!((floor.for_runs(1, 2).band - 0.25 * 0.75_f64.sqrt()).abs() < 1e-9);
    }
}
