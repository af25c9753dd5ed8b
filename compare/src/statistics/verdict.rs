//! What may be said about a difference.

use serde::Serialize;

use super::estimate::{Estimate, MISS};
use super::rounds::Series;
use super::significance::normal_quantile;

/// What may be said of a subject against another one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub enum Told {
    /// It is the reference itself.
    Reference,
    /// It is better.
    Better,
    /// There is no difference that counts; if there is one, it is at most this large (0.05 is 5 %).
    Same {
        /// The largest difference that the rounds don't exclude, and at least the band of the noise.
        up_to: f64,
    },
    /// It is worse.
    Worse,
    /// Nothing may be said, for this reason.
    NotTold(Why),
}

/// Why nothing may be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The rounds differ so much that a difference of a tenth could be there unseen.
    TooNoisy {
        /// About how many more rounds would tell.
        more_rounds: usize,
    },
    /// The difference lies within the band of the noise, and that is so wide that a difference of a tenth would lie
    /// within it as well. More rounds tell it only if they narrow the band.
    WithinNoise,
    /// More than a third of the rounds are flagged as doubtful: so many.
    Flagged {
        /// How many rounds are flagged.
        of: usize,
    },
    /// Without the flagged rounds another thing would be said.
    DependsOnFlagged {
        /// How many rounds are flagged.
        of: usize,
    },
    /// With so few rounds chance can make any difference among so many subjects.
    FewRounds {
        /// How many rounds it takes at least.
        needed: usize,
    },
    /// The generator was the limit: the figures say nothing about the server.
    GeneratorLimited,
    /// It could not keep up with the rate: its latency says only how long was measured.
    Overloaded,
    /// It was measured once, so that nobody knows how much chance is in it.
    OnePass,
    /// It failed.
    Failed,
    /// It was not measured, or the reference was not.
    NotMeasured,
}

/// With fewer rounds than this nothing is told: a difference in five of five rounds happens by chance in one of
/// sixteen comparisons.
pub const FEWEST: usize = 6;

/// A difference that a reader would act on. If one could be there unseen, nothing is said, least of all "the same".
pub const WORTHWHILE: f64 = 0.10;

/// What a ratio has to pass to be told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bar {
    /// The part of a difference that counts as noise.
    pub(super) band: f64,
    /// The standard deviation of the ratio of two runs of the same, if it is known.
    pub(super) spread: Option<f64>,
    /// Whether a larger value is the better one.
    pub(super) more_is_better: bool,
    /// How many contests there are in all.
    pub(super) contests: usize,
}

impl Bar {
    /// What may be said about a ratio, with its p among all contests.
    pub(super) fn tell(&self, ratio: &Estimate, p: f64) -> Told {
        let few = Told::NotTold(Why::FewRounds { needed: fewest(self.contests) });
        let Some(interval) = ratio.interval.filter(|_| ratio.rounds >= FEWEST) else { return few };
        let difference = ratio.median.max(1.0 / ratio.median) - 1.0;
        if p <= MISS && difference > self.band {
            let is_better = (ratio.median > 1.0) == self.more_is_better;
            return if is_better { Told::Better } else { Told::Worse };
        }
        // A difference within the band is not told, so that one of the band's width could be there unseen.
        let unseen = interval.reach().max(self.band);
        if unseen <= WORTHWHILE {
            return Told::Same { up_to: unseen };
        }
        if ratio.rounds < fewest(self.contests) {
            return few;
        }
        if p <= MISS || interval.reach() <= WORTHWHILE {
            return Told::NotTold(Why::WithinNoise);
        }
        let spread = self.spread.unwrap_or(0.0).max(ratio.spread);
        let needed = rounds_needed(spread, difference.max(WORTHWHILE), self.contests);
        Told::NotTold(Why::TooNoisy { more_rounds: needed.saturating_sub(ratio.rounds).max(1) })
    }
}

impl Told {
    /// Whether it tells the two apart.
    pub fn is_difference(&self) -> bool {
        matches!(self, Self::Better | Self::Worse)
    }

    /// What is told of the other of the two.
    pub(crate) fn reversed(self) -> Self {
        match self {
            Self::Better => Self::Worse,
            Self::Worse => Self::Better,
            told => told,
        }
    }

    /// Whether two say the same, whatever the numbers.
    pub(super) fn agrees(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

/// The fewest rounds with which anything can be told of so many contests, however large the difference: the p of so many
/// rounds all on one side is 2 / 2ⁿ, and it has to stay below 5 % when it is multiplied by the number of contests.
pub fn fewest(contests: usize) -> usize {
    let needed = (2.0 * contests.max(1) as f64 / MISS).log2().ceil() as usize;
    needed.max(FEWEST)
}

/// How many rounds find such a difference in at least 80 of 100 comparisons with so many contests, where the ratios spread
/// so much from round to round.
///
/// Of the normal distribution it takes the square of z(0.05 / 2 / contests) + z(0.2) standard errors; the signed rank test
/// needs π / 3 times as many rounds. Two rounds more are for what that leaves out: few rounds have few levels of p, and
/// the band of the noise must be passed as well.
pub fn rounds_needed(spread: f64, difference: f64, contests: usize) -> usize {
    let errors = normal_quantile(MISS / 2.0 / contests.max(1) as f64) + normal_quantile(0.2);
    let rounds = (errors * spread / difference.ln_1p()).powi(2) * std::f64::consts::PI / 3.0 + 3.0;
    let least = fewest(contests);
    if rounds.is_finite() { (rounds.ceil() as usize).max(least) } else { least }
}

/// Where more than one of so many rounds is doubtful, nothing is told.
const DOUBTFUL: usize = 3;

/// Why a series has too few values to be judged, if that is so.
pub(super) fn lacking(series: &Series) -> Option<Why> {
    let rounds = series.len();
    let too_many = |count: usize| count * DOUBTFUL > rounds;
    match series {
        _ if rounds == 0 => Some(Why::NotMeasured),
        _ if too_many(series.generator_limited) => Some(Why::GeneratorLimited),
        _ if too_many(series.overloaded) => Some(Why::Overloaded),
        _ if too_many(series.flagged() + series.generator_limited + series.overloaded) => {
            Some(Why::Flagged { of: series.flagged() })
        }
        _ => None,
    }
}

/// What may be said if the flagged rounds must not matter.
pub(super) fn settle(with: Told, without: Told, flagged: usize) -> Told {
    match (with, without) {
        (Told::Same { up_to: one }, Told::Same { up_to: other }) => Told::Same { up_to: one.max(other) },
        (with, without) if with.agrees(&without) => with,
        (with @ Told::NotTold(_), _) => with,
        _ => Told::NotTold(Why::DependsOnFlagged { of: flagged }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::estimate::Interval;
    use super::*;

    const BAR: Bar = Bar { band: 0.03, spread: None, more_is_better: false, contests: 1 };

    fn ratio(median: f64, low: f64, high: f64) -> Estimate {
        let interval = Some(Interval { low, high });
        Estimate { median, interval, confidence: 0.95, rounds: 13, spread: 0.2 }
    }

    #[test]
    fn a_difference_needs_a_small_p_and_passes_the_noise() {
        let cheaper = ratio(0.9, 0.85, 0.95);
        assert_eq!(BAR.tell(&cheaper, 0.05), Told::Better);
        assert_eq!(Bar { more_is_better: true, ..BAR }.tell(&cheaper, 0.05), Told::Worse);
        assert!(matches!(BAR.tell(&cheaper, 0.06), Told::NotTold(Why::TooNoisy { .. })));
        let noisy = Bar { band: 0.2, ..BAR };
        assert_eq!(
            noisy.tell(&cheaper, 0.001),
            Told::NotTold(Why::WithinNoise),
            "more rounds would not tell it"
        );
        assert!(matches!(BAR.tell(&ratio(0.98, 0.97, 0.99), 0.001), Told::Same { up_to } if up_to < 0.04));
    }

    #[test]
    fn the_same_is_said_only_where_a_tenth_would_have_been_seen() {
        assert!(matches!(BAR.tell(&ratio(1.0, 0.95, 1.05), 0.9), Told::Same { up_to } if up_to < 0.06));
        let told = BAR.tell(&ratio(1.0, 0.95, 1.12), 0.9);
        assert!(matches!(told, Told::NotTold(Why::TooNoisy { more_rounds }) if more_rounds > 5), "{told:?}");
    }

    #[test]
    fn the_same_is_not_said_where_a_tenth_is_taken_for_noise() {
        let narrow = ratio(1.0, 0.98, 1.02);
        let noisy = |band| Bar { band, ..BAR }.tell(&narrow, 0.9);
        assert_eq!(noisy(0.08), Told::Same { up_to: 0.08 });
        assert_eq!(noisy(0.12), Told::NotTold(Why::WithinNoise));
    }

    #[test]
    fn few_rounds_tell_nothing() {
        let five = Estimate { rounds: 5, ..ratio(0.5, 0.49, 0.51) };
        assert_eq!(BAR.tell(&five, 0.0625), Told::NotTold(Why::FewRounds { needed: 6 }));
        let many = Bar { contests: 28, ..BAR };
        let ten = Estimate { rounds: 10, ..ratio(0.5, 0.49, 0.51) };
        assert_eq!(many.tell(&ten, 0.06), Told::NotTold(Why::FewRounds { needed: 11 }));
        let single = Estimate { rounds: 1, interval: None, ..five };
        assert_eq!(BAR.tell(&single, 1.0), Told::NotTold(Why::FewRounds { needed: 6 }));
    }

    #[test]
    fn the_fewest_rounds_are_those_with_which_a_difference_can_be_told() {
        assert_eq!([1, 2, 7, 13, 28, 36].map(fewest), [6, 7, 9, 10, 11, 11]);
        assert_eq!(fewest(0), 6);
    }

    #[test]
    fn the_rounds_needed_are_those_of_the_power_formula() {
        assert_eq!([1, 7, 28].map(|contests| rounds_needed(0.08, 0.10, contests)), [9, 13, 15]);
        assert_eq!(rounds_needed(0.14, 0.10, 1), 21);
        assert_eq!(rounds_needed(0.0, 0.10, 1), 6);
        assert_eq!(rounds_needed(0.1, 0.0, 7), 9, "no difference is never found");
    }
}
