//! Verdicts on differences.

use serde::Serialize;

use super::estimate::{ALPHA, Estimate};
use super::rounds::Series;
use super::significance::normal_quantile;

/// The verdict on a subject, compared with another one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub enum Verdict {
    /// It is the reference itself.
    Reference,
    /// It is better.
    Better,
    /// There is no relevant difference.
    Same {
        /// The largest difference that the rounds don't exclude, and at least the band of the noise: 0.05 is 5 %.
        up_to: f64,
    },
    /// It is worse.
    Worse,
    /// There is no verdict, for this reason.
    Undecided(Why),
}

/// Why there is no verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The rounds differ so much that a difference of a tenth can't be excluded.
    TooNoisy {
        /// About how many more rounds would be needed.
        more_rounds: usize,
    },
    /// The difference lies within the band of the noise, which is wider than a tenth. More rounds help only if they
    /// narrow the band.
    WithinNoise,
    /// More than a third of the rounds are flagged as doubtful.
    Flagged {
        /// How many rounds are flagged.
        of: usize,
    },
    /// Without the flagged rounds the verdict would differ.
    DependsOnFlagged {
        /// How many rounds are flagged.
        of: usize,
    },
    /// With so few rounds chance can produce any difference among this number of subjects.
    FewRounds {
        /// How many rounds it takes at least.
        needed: usize,
    },
    /// The generator was the bottleneck: the figures say nothing about the server.
    GeneratorLimited,
    /// It was overloaded: its latency depends only on the length of the measurement.
    Overloaded,
    /// It was measured once, so the noise is unknown.
    OnePass,
    /// It failed.
    Failed,
    /// It was not measured, or the reference was not.
    NotMeasured,
}

/// The minimum number of rounds for any verdict: with five rounds, all differ in the same direction by chance in one of
/// sixteen comparisons.
pub const MIN_ROUNDS: usize = 6;

/// The smallest difference that is relevant in practice. If one of this size can't be excluded, the verdict is not
/// "same".
pub const RELEVANT_DIFFERENCE: f64 = 0.10;

/// The criteria for a verdict on a ratio.
#[derive(Clone, Copy, Debug)]
pub(super) struct Criteria {
    /// Only a larger relative difference counts.
    pub(super) band: f64,
    /// The standard deviation of the logarithm of the ratio of two runs of the same subject, if known.
    pub(super) spread: Option<f64>,
    /// Whether a larger value is the better one.
    pub(super) more_is_better: bool,
    /// The number of pairs that are tested together.
    pub(super) pairs: usize,
}

impl Criteria {
    /// The verdict on a ratio with an adjusted p.
    pub(super) fn decide(&self, ratio: &Estimate, p: f64) -> Verdict {
        let few = Verdict::Undecided(Why::FewRounds { needed: min_rounds(self.pairs) });
        let Some(interval) = ratio.interval.filter(|_| ratio.rounds >= MIN_ROUNDS) else { return few };
        let difference = ratio.median.max(1.0 / ratio.median) - 1.0;
        if p <= ALPHA && difference > self.band {
            let is_better = (ratio.median > 1.0) == self.more_is_better;
            return if is_better { Verdict::Better } else { Verdict::Worse };
        }
        // A difference within the band has no verdict, so one of the band's width can't be excluded.
        let unseen = interval.reach().max(self.band);
        if unseen <= RELEVANT_DIFFERENCE {
            return Verdict::Same { up_to: unseen };
        }
        if ratio.rounds < min_rounds(self.pairs) {
            return few;
        }
        if p <= ALPHA || interval.reach() <= RELEVANT_DIFFERENCE {
            return Verdict::Undecided(Why::WithinNoise);
        }
        let spread = self.spread.unwrap_or(0.0).max(ratio.spread);
        let needed = rounds_needed(spread, difference.max(RELEVANT_DIFFERENCE), self.pairs);
        Verdict::Undecided(Why::TooNoisy { more_rounds: needed.saturating_sub(ratio.rounds).max(1) })
    }
}

impl Verdict {
    /// Whether it is better or worse.
    pub fn is_difference(&self) -> bool {
        matches!(self, Self::Better | Self::Worse)
    }

    /// The verdict with the two subjects exchanged.
    pub(crate) fn reversed(self) -> Self {
        match self {
            Self::Better => Self::Worse,
            Self::Worse => Self::Better,
            verdict => verdict,
        }
    }

    /// Whether two verdicts are of the same kind.
    pub(super) fn agrees(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

/// The minimum number of rounds for a verdict on one of this many pairs, however large the difference: the p of n
/// rounds that all differ in the same direction is 2 / 2ⁿ, and it has to be below 5 % after multiplication by the
/// number of pairs.
pub fn min_rounds(pairs: usize) -> usize {
    let needed = (2.0 * pairs.max(1) as f64 / ALPHA).log2().ceil() as usize;
    needed.max(MIN_ROUNDS)
}

/// How many rounds detect a difference in at least 80 of 100 comparisons. `spread` is the standard deviation of the
/// ratios' logarithms, `pairs` the number of pairs.
///
/// For the normal distribution the difference has to be z(0.05 / 2 / pairs) + z(0.2) standard errors; the signed rank
/// test needs π / 3 times as many rounds. The added rounds account for the discrete p of few rounds, and for the band
/// of the noise, which the difference must exceed as well.
pub fn rounds_needed(spread: f64, difference: f64, pairs: usize) -> usize {
    let errors = normal_quantile(ALPHA / 2.0 / pairs.max(1) as f64) + normal_quantile(0.2);
    let rounds = (errors * spread / difference.ln_1p()).powi(2) * std::f64::consts::PI / 3.0 + 3.0;
    let least = min_rounds(pairs);
    if rounds.is_finite() { (rounds.ceil() as usize).max(least) } else { least }
}

/// If more than one in this many rounds is doubtful, there is no verdict.
const DOUBTFUL: usize = 3;

/// Why a series has too few values for a verdict, if so.
pub(super) fn insufficient(series: &Series) -> Option<Why> {
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

/// Combines the verdicts with and without the flagged rounds: both must agree.
pub(super) fn combine(with: Verdict, without: Verdict, flagged: usize) -> Verdict {
    match (with, without) {
        (Verdict::Same { up_to: one }, Verdict::Same { up_to: other }) => {
            Verdict::Same { up_to: one.max(other) }
        }
        (with, without) if with.agrees(&without) => with,
        (with @ Verdict::Undecided(_), _) => with,
        _ => Verdict::Undecided(Why::DependsOnFlagged { of: flagged }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::estimate::Interval;
    use super::*;

    const CRITERIA: Criteria = Criteria { band: 0.03, spread: None, more_is_better: false, pairs: 1 };

    fn ratio(median: f64, low: f64, high: f64) -> Estimate {
        let interval = Some(Interval { low, high });
        Estimate { median, interval, confidence: 0.95, rounds: 13, spread: 0.2 }
    }

    #[test]
    fn a_difference_needs_a_small_p_and_must_exceed_the_noise() {
        let cheaper = ratio(0.9, 0.85, 0.95);
        assert_eq!(CRITERIA.decide(&cheaper, 0.05), Verdict::Better);
        assert_eq!(Criteria { more_is_better: true, ..CRITERIA }.decide(&cheaper, 0.05), Verdict::Worse);
        assert!(matches!(CRITERIA.decide(&cheaper, 0.06), Verdict::Undecided(Why::TooNoisy { .. })));
        let noisy = Criteria { band: 0.2, ..CRITERIA };
        assert_eq!(
            noisy.decide(&cheaper, 0.001),
            Verdict::Undecided(Why::WithinNoise),
            "more rounds would not help"
        );
        assert!(
            matches!(CRITERIA.decide(&ratio(0.98, 0.97, 0.99), 0.001), Verdict::Same { up_to } if up_to < 0.04)
        );
    }

    #[test]
    fn same_needs_an_interval_that_excludes_a_tenth() {
        assert!(
            matches!(CRITERIA.decide(&ratio(1.0, 0.95, 1.05), 0.9), Verdict::Same { up_to } if up_to < 0.06)
        );
        let verdict = CRITERIA.decide(&ratio(1.0, 0.95, 1.12), 0.9);
        assert!(
            matches!(verdict, Verdict::Undecided(Why::TooNoisy { more_rounds }) if more_rounds > 5),
            "{verdict:?}"
        );
    }

    #[test]
    fn same_needs_a_noise_band_below_a_tenth() {
        let narrow = ratio(1.0, 0.98, 1.02);
        let noisy = |band| Criteria { band, ..CRITERIA }.decide(&narrow, 0.9);
        assert_eq!(noisy(0.08), Verdict::Same { up_to: 0.08 });
        assert_eq!(noisy(0.12), Verdict::Undecided(Why::WithinNoise));
    }

    #[test]
    fn few_rounds_have_no_verdict() {
        let five = Estimate { rounds: 5, ..ratio(0.5, 0.49, 0.51) };
        assert_eq!(CRITERIA.decide(&five, 0.0625), Verdict::Undecided(Why::FewRounds { needed: 6 }));
        let many = Criteria { pairs: 28, ..CRITERIA };
        let ten = Estimate { rounds: 10, ..ratio(0.5, 0.49, 0.51) };
        assert_eq!(many.decide(&ten, 0.06), Verdict::Undecided(Why::FewRounds { needed: 11 }));
        let single = Estimate { rounds: 1, interval: None, ..five };
        assert_eq!(CRITERIA.decide(&single, 1.0), Verdict::Undecided(Why::FewRounds { needed: 6 }));
    }

    #[test]
    fn the_minimum_number_of_rounds_grows_with_the_pairs() {
        assert_eq!([1, 2, 7, 13, 28, 36].map(min_rounds), [6, 7, 9, 10, 11, 11]);
        assert_eq!(min_rounds(0), 6);
    }

    #[test]
    fn the_rounds_needed_are_those_of_the_power_formula() {
        assert_eq!([1, 7, 28].map(|pairs| rounds_needed(0.08, 0.10, pairs)), [9, 13, 15]);
        assert_eq!(rounds_needed(0.14, 0.10, 1), 21);
        assert_eq!(rounds_needed(0.0, 0.10, 1), 6);
        assert_eq!(rounds_needed(0.1, 0.0, 7), 9, "a difference of zero is never detected");
    }
}
