//! The centre of a few numbers, one from each round, how sure it is, and whether it may be zero.
//!
//! All from the Walsh averages: the means of all pairs of rounds, and of each round with itself. Their median is the
//! centre (Hodges and Lehmann's estimate), which a wild round moves as little as it moves a median and which needs two
//! thirds of a median's rounds. The interval reaches from one of them to another, such that Wilcoxon's signed rank
//! distribution, which is counted and not approximated, gives it the confidence. That supposes of the noise of a ratio
//! only that it is as likely to be up as down, which is so where two of the same kind are compared; it need not be
//! normal. There is no draw by chance in it, and one method for any number of rounds.
//!
//! Selection takes time linear in the number of averages, which is half the square of the number of rounds: 91 for 13
//! rounds, 125,250 (1 MB, about a millisecond) for the most that are allowed.

use serde::Serialize;

use super::significance::{outside, p_value};
use super::verdict::FEWEST;
use crate::settings::MOST_ROUNDS;

/// Between which values something lies, as ratios or in the unit of what was measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// The centre of values that were given as logarithms, as a plain number, and how sure it is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// The median of the Walsh averages, taken of logarithms.
    pub median: f64,
    /// Where it lies; `None` if there is only one round.
    pub interval: Option<Interval>,
    /// In which share of comparisons such an interval holds the truth: at least 0.95 from six rounds on. With fewer the
    /// interval spans all rounds, and this is what that is worth: 0.94 with five, 0.75 with three, 0.5 with two.
    pub confidence: f64,
    /// How many rounds there are.
    pub rounds: usize,
    /// The standard deviation of the logarithms between rounds: a value differs by e to this power, less 1.
    pub spread: f64,
}

/// In which share of cases an interval may miss the truth.
pub(super) const MISS: f64 = 0.05;

impl Interval {
    /// Whether a value lies in it.
    pub fn contains(self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }

    /// Half its width as a ratio: 0.06 if it reaches 6 % to each side.
    pub fn half_width(self) -> f64 {
        if self.low > 0.0 { (self.high / self.low).sqrt() - 1.0 } else { f64::INFINITY }
    }

    /// How far from 1 its farther end is, as a ratio.
    pub fn reach(self) -> f64 {
        (self.high - 1.0).max(if self.low > 0.0 { 1.0 / self.low - 1.0 } else { f64::INFINITY })
    }
}

impl Estimate {
    /// The same around a centre that is known otherwise, if there is one. The interval is made to hold it.
    pub(super) fn at(self, centre: Option<f64>) -> Self {
        let Some(median) = centre else { return self };
        let around = |of: Interval| Interval { low: of.low.min(median), high: of.high.max(median) };
        Self { median, interval: self.interval.map(around), ..self }
    }

    /// From one logarithm of each round; `None` without any, with more than [`MOST_ROUNDS`], or if one is not finite.
    pub fn of(logarithms: &[f64]) -> Option<Self> {
        Self::missing(logarithms, MISS)
    }

    /// The interval, if there are rounds enough for one that holds the truth in 95 of 100 comparisons.
    pub fn sure_interval(&self) -> Option<Interval> {
        self.interval.filter(|_| self.rounds >= FEWEST)
    }

    /// That of the inverse values.
    pub(crate) fn inverse(self) -> Self {
        let inverse = |of: Interval| Interval { low: 1.0 / of.high, high: 1.0 / of.low };
        Self { median: 1.0 / self.median, interval: self.interval.map(inverse), ..self }
    }

    /// The same, with an interval that misses in at most such a share of cases, if there are rounds enough for that.
    pub(super) fn missing(logarithms: &[f64], miss: f64) -> Option<Self> {
        let rounds = logarithms.len();
        if rounds == 0 || rounds > MOST_ROUNDS || !logarithms.iter().all(|value| value.is_finite()) {
            return None;
        }
        let mut averages: Vec<f64> = walsh_averages(logarithms).collect();
        let (outside, missed) = outside(rounds, miss).unwrap_or((0, p_value(rounds, 0)));
        let all = averages.len();
        let median = f64::midpoint(at(&mut averages, (all - 1) / 2), at(&mut averages, all / 2));
        let interval = (rounds > 1).then(|| Interval {
            low: at(&mut averages, outside).exp(),
            high: at(&mut averages, all - 1 - outside).exp(),
        });
        let mean = logarithms.iter().sum::<f64>() / rounds as f64;
        let squares: f64 = logarithms.iter().map(|value| (value - mean).powi(2)).sum();
        let spread = (squares / rounds.saturating_sub(1).max(1) as f64).sqrt();
        Some(Self { median: median.exp(), interval, confidence: 1.0 - missed, rounds, spread })
    }
}

/// The probability that logarithms without any difference behind them lie so much on one side: Wilcoxon's two-sided p.
/// An average of exactly zero counts for the side that makes it larger, so that ties conclude nothing.
pub(super) fn probability(logarithms: &[f64]) -> f64 {
    let (mut above, mut below) = (0, 0);
    for average in walsh_averages(logarithms) {
        above += usize::from(average >= 0.0);
        below += usize::from(average <= 0.0);
    }
    p_value(logarithms.len(), above.min(below))
}

fn walsh_averages(values: &[f64]) -> impl Iterator<Item = f64> {
    let pairs = values.iter().enumerate();
    pairs.flat_map(move |(index, one)| values[index..].iter().map(move |other| f64::midpoint(*one, *other)))
}

/// The value at a place, from 0, among all in ascending order.
fn at(values: &mut [f64], place: usize) -> f64 {
    *values.select_nth_unstable_by(place, f64::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_centre_is_the_median_of_the_walsh_averages() {
        // 1, 2, 9: the averages are 1, 1.5, 2, 5, 5.5, 9.
        let estimate = Estimate::of(&[1.0, 2.0, 9.0]).unwrap();
        assert!((estimate.median.ln() - 3.5).abs() < 1e-12);
        let interval = estimate.interval.unwrap();
        assert!((interval.low.ln() - 1.0).abs() < 1e-12 && (interval.high.ln() - 9.0).abs() < 1e-12);
        assert_eq!(estimate.confidence, 0.75);
    }

    #[test]
    fn a_wild_round_moves_little() {
        let mut values: Vec<f64> = (0..15).map(|n| f64::from(n - 7) / 100.0).collect();
        values[14] = 5.0;
        let estimate = Estimate::of(&values).unwrap();
        assert!(estimate.median < 1.02, "{estimate:?}");
        assert!(estimate.interval.unwrap().high < 1.06, "{estimate:?}");
    }

    #[test]
    fn few_rounds_are_no_reason_to_fail() {
        assert_eq!(Estimate::of(&[]), None);
        assert_eq!(Estimate::of(&[f64::NAN, 1.0]), None);
        let one = Estimate::of(&[0.5]).unwrap();
        assert_eq!((one.interval, one.rounds, one.spread, one.confidence), (None, 1, 0.0, 0.0));
        let two = Estimate::of(&[0.0, 0.02]).unwrap();
        assert_eq!(two.confidence, 0.5, "two rounds say next to nothing");
        assert_eq!(Estimate::of(&[0.0; 5]).unwrap().confidence, 1.0 - 2.0 / 32.0);
        assert!(Estimate::of(&[0.0; 6]).unwrap().confidence > 0.95);
        let is_sure = |rounds| Estimate::of(&vec![0.0; rounds]).unwrap().sure_interval().is_some();
        assert_eq!([1, 5, 6].map(is_sure), [false, false, true]);
    }

    #[test]
    fn the_interval_excludes_zero_where_the_test_tells() {
        let mut random = fastrand::Rng::with_seed(3);
        for rounds in 6..30 {
            for _ in 0..40 {
                let values: Vec<f64> = (0..rounds).map(|_| random.f64() - 0.35).collect();
                let interval = Estimate::of(&values).unwrap().interval.unwrap();
                assert_eq!(probability(&values) <= MISS, !interval.contains(1.0), "{values:?}");
            }
        }
    }

    #[test]
    fn ties_conclude_nothing() {
        assert_eq!(probability(&[0.0; 20]), 1.0);
        assert!(probability(&[0.01; 20]) < 1e-5);
        assert_eq!(probability(&[]), 1.0);
    }

    #[test]
    fn intervals_measure_themselves_as_ratios() {
        let interval = Interval { low: 0.8, high: 1.25 };
        assert!((interval.half_width() - 0.25).abs() < 1e-12);
        assert!((interval.reach() - 0.25).abs() < 1e-12);
        assert!(Interval { low: 0.0, high: 1.0 }.half_width().is_infinite());
    }
}
