//! The centre of a few numbers, one from each round, its confidence interval, and a test whether it is zero.
//!
//! All are computed from the Walsh averages: the means of all pairs of rounds, and of each round with itself. Their
//! median is the Hodges–Lehmann estimate of the centre. It is as robust against outliers as a median and needs two
//! thirds of its rounds. The ends of the interval are two of the averages, chosen by the exact distribution of
//! Wilcoxon's signed rank statistic. The method assumes only that the noise of a ratio is symmetric, which holds for
//! two servers of the same kind; it need not be normal. It uses no random numbers, and is the same for any number of
//! rounds.
//!
//! Selection takes time linear in the number of averages, which is half the square of the number of rounds: 91 for 13
//! rounds, 125,250 (1 MB, about a millisecond) for the most that are allowed.

use serde::Serialize;

use super::significance::{outside, p_value};
use super::verdict::MIN_ROUNDS;
use crate::settings::MAX_ROUNDS;

/// An interval of ratios, or in the unit of what was measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// The centre of values, and its confidence. The values are given as logarithms, the centre is a plain number.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// The median of the Walsh averages of the logarithms.
    pub median: f64,
    /// The confidence interval; `None` if there is only one round.
    pub interval: Option<Interval>,
    /// The coverage of the interval: at least 0.95 from six rounds on. With fewer the interval spans all rounds, which
    /// covers 0.94 with five, 0.75 with three, 0.5 with two.
    pub confidence: f64,
    /// How many rounds there are.
    pub rounds: usize,
    /// The standard deviation of the logarithms. `spread.exp_m1()` is the relative deviation of a value.
    pub spread: f64,
}

/// The significance level: the share of intervals that may miss the true value.
pub(super) const ALPHA: f64 = 0.05;

impl Interval {
    /// Whether a value is within the interval.
    pub fn contains(self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }

    /// Half its width as a ratio: 0.06 if it extends 6 % to each side.
    pub fn half_width(self) -> f64 {
        if self.low > 0.0 { (self.high / self.low).sqrt() - 1.0 } else { f64::INFINITY }
    }

    /// The distance of its farther end from 1, as a ratio.
    pub fn reach(self) -> f64 {
        (self.high - 1.0).max(if self.low > 0.0 { 1.0 / self.low - 1.0 } else { f64::INFINITY })
    }
}

impl Estimate {
    /// The same with another centre, if one is given. The interval is extended to contain it.
    pub(super) fn at(self, centre: Option<f64>) -> Self {
        let Some(median) = centre else { return self };
        let around = |of: Interval| Interval { low: of.low.min(median), high: of.high.max(median) };
        Self { median, interval: self.interval.map(around), ..self }
    }

    /// The estimate from one logarithm of each round; `None` without rounds, with more than [`MAX_ROUNDS`], or if one
    /// is not finite.
    pub fn of(logarithms: &[f64]) -> Option<Self> {
        Self::with_alpha(logarithms, ALPHA)
    }

    /// The interval, if there are enough rounds for a coverage of 95 %.
    pub fn interval_95(&self) -> Option<Interval> {
        self.interval.filter(|_| self.rounds >= MIN_ROUNDS)
    }

    /// The estimate of the inverse values.
    pub(crate) fn inverse(self) -> Self {
        let inverse = |of: Interval| Interval { low: 1.0 / of.high, high: 1.0 / of.low };
        Self { median: 1.0 / self.median, interval: self.interval.map(inverse), ..self }
    }

    /// The same, with an interval that misses the true value in at most this share of cases, if there are enough
    /// rounds.
    pub(super) fn with_alpha(logarithms: &[f64], alpha: f64) -> Option<Self> {
        let rounds = logarithms.len();
        if rounds == 0 || rounds > MAX_ROUNDS || !logarithms.iter().all(|value| value.is_finite()) {
            return None;
        }
        let mut averages: Vec<f64> = walsh_averages(logarithms).collect();
        let (outside, missed) = outside(rounds, alpha).unwrap_or((0, p_value(rounds, 0)));
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

/// Wilcoxon's two-sided p: the probability that logarithms around zero are as one-sided as these. An average of exactly
/// zero counts for the side that makes p larger.
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

/// The value at an index of the ascending order.
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
    fn an_outlier_has_little_effect() {
        let mut values: Vec<f64> = (0..15).map(|n| f64::from(n - 7) / 100.0).collect();
        values[14] = 5.0;
        let estimate = Estimate::of(&values).unwrap();
        assert!(estimate.median < 1.02, "{estimate:?}");
        assert!(estimate.interval.unwrap().high < 1.06, "{estimate:?}");
    }

    #[test]
    fn few_rounds_have_an_estimate() {
        assert_eq!(Estimate::of(&[]), None);
        assert_eq!(Estimate::of(&[f64::NAN, 1.0]), None);
        let one = Estimate::of(&[0.5]).unwrap();
        assert_eq!((one.interval, one.rounds, one.spread, one.confidence), (None, 1, 0.0, 0.0));
        let two = Estimate::of(&[0.0, 0.02]).unwrap();
        assert_eq!(two.confidence, 0.5, "two rounds have a low coverage");
        assert_eq!(Estimate::of(&[0.0; 5]).unwrap().confidence, 1.0 - 2.0 / 32.0);
        assert!(Estimate::of(&[0.0; 6]).unwrap().confidence > 0.95);
        let is_sure = |rounds| Estimate::of(&vec![0.0; rounds]).unwrap().interval_95().is_some();
        assert_eq!([1, 5, 6].map(is_sure), [false, false, true]);
    }

    #[test]
    fn the_interval_excludes_zero_where_the_test_is_significant() {
        let mut random = fastrand::Rng::with_seed(3);
        for rounds in 6..30 {
            for _ in 0..40 {
                let values: Vec<f64> = (0..rounds).map(|_| random.f64() - 0.35).collect();
                let interval = Estimate::of(&values).unwrap().interval.unwrap();
                assert_eq!(probability(&values) <= ALPHA, !interval.contains(1.0), "{values:?}");
            }
        }
    }

    #[test]
    fn ties_are_not_significant() {
        assert_eq!(probability(&[0.0; 20]), 1.0);
        assert!(probability(&[0.01; 20]) < 1e-5);
        assert_eq!(probability(&[]), 1.0);
    }

    #[test]
    fn the_width_of_an_interval_is_a_ratio() {
        let interval = Interval { low: 0.8, high: 1.25 };
        assert!((interval.half_width() - 0.25).abs() < 1e-12);
        assert!((interval.reach() - 0.25).abs() < 1e-12);
        assert!(Interval { low: 0.0, high: 1.0 }.half_width().is_infinite());
    }
}
