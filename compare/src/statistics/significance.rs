//! Significance tests.
//!
//! The exact distribution of Wilcoxon's signed rank statistic: of `n` differences with random signs, `T` is the sum of
//! the ranks of the positive ones. It equals the number of Walsh averages (the means of all pairs, and of each with
//! itself) above zero, which is how it is computed here. There are 2ⁿ equally likely choices of signs; the number of
//! choices for each sum is found by adding one rank after the other.
//!
//! Friedman's test that several subjects are all equal: in each round the subjects are ranked. If they are equal, each
//! order is equally likely, for any kind of noise and however the machine changes between rounds. The control is
//! included.
//!
//! Holm's method for multiple comparisons: of twenty pairs of equals, one is expected to be significant at 5 %. The
//! method limits the probability of *any* wrong verdict to 5 %, whatever the dependence between the pairs: the smallest
//! p is multiplied by the number of pairs, the next by one less, and so on.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use super::rounds::Round;
use crate::settings::MAX_ROUNDS;

/// The distributions computed so far, by the number of rounds: P(T ≤ 0), P(T ≤ 1) … up to the middle.
static DISTRIBUTIONS: [OnceLock<Box<[f64]>>; MAX_ROUNDS + 1] = [const { OnceLock::new() }; MAX_ROUNDS + 1];

/// The two-sided p: the probability that a sum as small as this one, or as large on the other side, arises by chance.
/// Never below 2 / 2ⁿ.
pub(super) fn p_value(rounds: usize, smaller_sum: usize) -> f64 {
    at_most(rounds).get(smaller_sum).map_or(1.0, |below| (2.0 * below).min(1.0))
}

/// How many Walsh averages lie outside the interval on each side, so that it misses the true value in at most `miss` of
/// all cases, and the share in which it does; `None` with too few rounds for such an interval.
pub(super) fn outside(rounds: usize, miss: f64) -> Option<(usize, f64)> {
    let below = at_most(rounds);
    let outside = below.partition_point(|below| 2.0 * below <= miss);
    // With k averages outside on a side, the interval misses where T ≤ k.
    (outside > 0).then(|| (outside - 1, 2.0 * below[outside - 1]))
}

/// P(T ≤ 0), P(T ≤ 1) … up to the middle of the distribution. Rounds beyond the maximum are ignored, which makes p
/// larger.
fn at_most(rounds: usize) -> &'static [f64] {
    let rounds = rounds.min(MAX_ROUNDS);
    DISTRIBUTIONS[rounds].get_or_init(|| {
        let all = rounds * (rounds + 1) / 2;
        // One half, because the other half is symmetric.
        let mut probability = vec![0.0; all / 2 + 1];
        probability[0] = 1.0;
        for rank in 1..=rounds {
            for sum in (0..probability.len()).rev() {
                let with = if sum >= rank { probability[sum - rank] } else { 0.0 };
                probability[sum] = f64::midpoint(probability[sum], with);
            }
        }
        let mut total = 0.0;
        probability
            .into_iter()
            .map(|of| {
                total += of;
                total
            })
            .collect()
    })
}

/// The p of Friedman's test: the probability that the ranks of equal subjects differ by as much; `None` for fewer than
/// three subjects, or without a round that all have. It uses the chi-squared distribution, which is conservative for
/// few rounds, in Wilson and Hilferty's approximation.
pub(super) fn friedman_p(subjects: &[Vec<Round>]) -> Option<f64> {
    let count = subjects.len();
    let mut rounds: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    for round in subjects.iter().flatten() {
        rounds.entry(round.round).or_default().push(round.logarithm);
    }
    // In a round that all subjects have, the values are in the order of the subjects.
    rounds.retain(|_, values| values.len() == count);
    if count < 3 || rounds.is_empty() {
        return None;
    }
    let middle = (count + 1) as f64 / 2.0;
    let mut sums = vec![0.0; count];
    let mut squares = 0.0;
    for values in rounds.values() {
        for (sum, value) in sums.iter_mut().zip(values) {
            let below = values.iter().filter(|other| *other < value).count() as f64;
            let equal = values.iter().filter(|other| *other == value).count() as f64;
            let off = below + (equal + 1.0) / 2.0 - middle;
            *sum += off;
            squares += off * off;
        }
    }
    let freedom = (count - 1) as f64;
    let statistic = freedom * sums.iter().map(|sum| sum * sum).sum::<f64>() / squares;
    let ninth = 2.0 / (9.0 * freedom);
    let p = normal_tail(((statistic / freedom).cbrt() - (1.0 - ninth)) / ninth.sqrt());
    // If all values of every round are equal, there is nothing to rank.
    Some(if squares > 0.0 { p } else { 1.0 })
}

/// The p values adjusted by Holm's method, in the same order.
pub(super) fn holm_adjusted(p: &[f64]) -> Vec<f64> {
    let mut ascending: Vec<usize> = (0..p.len()).collect();
    ascending.sort_by(|one, other| p[*one].total_cmp(&p[*other]));
    let mut adjusted = vec![1.0; p.len()];
    let mut least: f64 = 0.0;
    for (place, index) in ascending.into_iter().enumerate() {
        // Adjusted values don't decrease.
        least = least.max(p[index] * (p.len() - place) as f64).min(1.0);
        adjusted[index] = least;
    }
    adjusted
}

/// The upper tail probability of the standard normal distribution (Abramowitz and Stegun, 26.2.17: off by at most 0.000
/// 000 1).
fn normal_tail(value: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * value.abs());
    let factors = [0.319_381_530, -0.356_563_782, 1.781_477_937, -1.821_255_978, 1.330_274_429];
    let sum = factors.iter().rev().fold(0.0, |sum, factor| (sum + factor) * t);
    let tail = sum * (-value * value / 2.0).exp() / std::f64::consts::TAU.sqrt();
    if value >= 0.0 { tail } else { 1.0 - tail }
}

/// The upper quantile of the standard normal distribution for a probability of at most a half (the same, 26.2.23: off
/// by at most 0.000 5).
pub(super) fn normal_quantile(part: f64) -> f64 {
    let t = (-2.0 * part.ln()).sqrt();
    let over = 2.515_517 + 0.802_853 * t + 0.010_328 * t * t;
    let under = 1.0 + 1.432_788 * t + 0.189_269 * t * t + 0.001_308 * t * t * t;
    t - over / under
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(value: f64, expected: f64) -> bool {
        (value - expected).abs() < 1e-12
    }

    #[test]
    fn the_distribution_matches_textbooks() {
        // Of the 8 choices of signs for ranks 1, 2, 3 one gives 0, one 1, one 2, two 3.
        assert!(
            near(p_value(3, 0), 2.0 / 8.0)
                && near(p_value(3, 1), 4.0 / 8.0)
                && near(p_value(3, 2), 6.0 / 8.0)
        );
        assert_eq!(p_value(3, 3), 1.0);
        // Tables give 8 as the critical value for 10 rounds at 5 %, and 17 for 13.
        assert!(p_value(10, 8) <= 0.05 && p_value(10, 9) > 0.05);
        assert!(p_value(13, 17) <= 0.05 && p_value(13, 18) > 0.05);
        assert!(near(p_value(6, 0), 2.0 / 64.0));
        assert_eq!(p_value(0, 0), 1.0);
    }

    #[test]
    fn many_rounds_are_near_the_normal_distribution() {
        // Mean n(n + 1)/4, variance n(n + 1)(2n + 1)/24; 1.96 deviations below the mean.
        let rounds = MAX_ROUNDS as f64;
        let (mean, variance) =
            (rounds * (rounds + 1.0) / 4.0, rounds * (rounds + 1.0) * (2.0 * rounds + 1.0) / 24.0);
        let p = p_value(MAX_ROUNDS, (mean - 1.96 * variance.sqrt()) as usize);
        assert!((p - 0.05).abs() < 1e-3, "{p}");
        assert_eq!(p_value(MAX_ROUNDS + 1, 0), p_value(MAX_ROUNDS, 0));
    }

    #[test]
    fn intervals_miss_at_most_as_often_as_requested() {
        assert_eq!(outside(5, 0.05), None, "2 of 32 is more than 5 of 100");
        assert_eq!(outside(6, 0.05), Some((0, 2.0 / 64.0)));
        let (outside, miss) = outside(13, 0.05).unwrap();
        assert_eq!(outside, 17, "as many as the critical value of the test");
        assert!(miss <= 0.05 && miss > 0.04, "{miss}");
    }

    fn subjects(values: &[&[f64]]) -> Vec<Vec<Round>> {
        let round = |(round, &logarithm): (usize, &f64)| Round { round, logarithm, flagged: false };
        values.iter().map(|values| values.iter().enumerate().map(round).collect()).collect()
    }

    #[test]
    fn the_statistic_matches_textbooks() {
        // Three subjects always in the same order, four rounds: 12 / (4·3·4) · (16 + 64 + 144) − 3·4·4 = 8, two
        // degrees of freedom: exp(−4) = 0.0183.
        let p = friedman_p(&subjects(&[&[1.0; 4], &[2.0; 4], &[3.0; 4]])).unwrap();
        assert!((p - 0.0183).abs() < 1e-3, "{p}");
        assert_eq!(friedman_p(&subjects(&[&[1.0; 4][..]; 3])), Some(1.0), "all equal");
        let p = friedman_p(&subjects(&[&[1.0, 2.0, 3.0], &[2.0, 3.0, 1.0], &[3.0, 1.0, 2.0]])).unwrap();
        assert!(p > 0.9, "{p}");
    }

    #[test]
    fn two_subjects_or_no_common_round_have_no_p() {
        assert_eq!(friedman_p(&subjects(&[&[1.0], &[2.0]])), None);
        assert_eq!(friedman_p(&subjects(&[&[1.0], &[2.0], &[]])), None);
        assert_eq!(friedman_p(&[]), None);
    }

    #[test]
    fn p_values_are_adjusted_by_holms_method() {
        let all = holm_adjusted(&[0.03, 0.01, 0.04, 0.005]);
        let expected = [0.06, 0.03, 0.06, 0.02];
        assert!(all.iter().zip(expected).all(|(one, other)| (one - other).abs() < 1e-12), "{all:?}");
        assert_eq!(holm_adjusted(&[]), [0.0; 0]);
        assert_eq!(holm_adjusted(&[0.7]), [0.7]);
        assert_eq!(holm_adjusted(&[0.7, 0.8]), [1.0, 1.0]);
    }

    #[test]
    fn the_normal_distribution_matches_tables() {
        for (value, part) in [(0.0, 0.5), (1.0, 0.158_655), (1.959_964, 0.025), (3.0, 0.001_350)] {
            assert!((normal_tail(value) - part).abs() < 1e-6, "{value}");
            assert!((normal_tail(-value) - (1.0 - part)).abs() < 1e-6, "{value}");
            assert!((normal_quantile(part) - value).abs() < 1e-3, "{part}");
        }
    }
}
