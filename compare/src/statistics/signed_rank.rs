//! Wilcoxon's signed rank distribution, exactly.
//!
//! Of `n` differences whose sign is chance, the ranks of the positive ones sum up to `T`. That sum is also the number of
//! Walsh averages (the means of all pairs, and of each with itself) above zero, which is how it is counted here. There
//! are 2ⁿ equally likely choices of signs; how many of them give each sum is counted by adding one rank after the other.

use std::sync::OnceLock;

use crate::settings::MOST_ROUNDS;

/// The distributions that were asked for, by the number of rounds: P(T ≤ 0), P(T ≤ 1) … up to the middle.
static DISTRIBUTIONS: [OnceLock<Box<[f64]>>; MOST_ROUNDS + 1] = [const { OnceLock::new() }; MOST_ROUNDS + 1];

/// The probability, with so many rounds, that chance makes a sum as small as this one, or one as far on the other side:
/// the two-sided p. Never below 2 / 2ⁿ.
pub(super) fn p_value(rounds: usize, smaller_sum: usize) -> f64 {
    at_most(rounds).get(smaller_sum).map_or(1.0, |below| (2.0 * below).min(1.0))
}

/// How many Walsh averages lie outside the interval on each side, so that it misses the truth in at most `miss` of all
/// cases, and in how many it does; `None` if so few rounds make no such interval.
pub(super) fn outside(rounds: usize, miss: f64) -> Option<(usize, f64)> {
    let below = at_most(rounds);
    let outside = below.partition_point(|below| 2.0 * below <= miss);
    // With k averages outside on a side, the interval misses where T ≤ k.
    (outside > 0).then(|| (outside - 1, 2.0 * below[outside - 1]))
}

/// P(T ≤ 0), P(T ≤ 1) … up to the middle of the distribution. More rounds than there can be are as many as can be,
/// which makes nothing surer than it is.
fn at_most(rounds: usize) -> &'static [f64] {
    let rounds = rounds.min(MOST_ROUNDS);
    DISTRIBUTIONS[rounds].get_or_init(|| {
        let all = rounds * (rounds + 1) / 2;
        // As many as a half, because the other half mirrors it.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn near(value: f64, expected: f64) -> bool {
        (value - expected).abs() < 1e-12
    }

    #[test]
    fn the_distribution_is_the_textbooks() {
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
        let rounds = MOST_ROUNDS as f64;
        let (mean, variance) =
            (rounds * (rounds + 1.0) / 4.0, rounds * (rounds + 1.0) * (2.0 * rounds + 1.0) / 24.0);
        let p = p_value(MOST_ROUNDS, (mean - 1.96 * variance.sqrt()) as usize);
        assert!((p - 0.05).abs() < 1e-3, "{p}");
        assert_eq!(p_value(MOST_ROUNDS + 1, 0), p_value(MOST_ROUNDS, 0));
    }

    #[test]
    fn intervals_miss_as_seldom_as_was_asked() {
        assert_eq!(outside(5, 0.05), None, "2 of 32 is more than 5 of 100");
        assert_eq!(outside(6, 0.05), Some((0, 2.0 / 64.0)));
        let (outside, miss) = outside(13, 0.05).unwrap();
        assert_eq!(outside, 17, "as many as the critical value of the test");
        assert!(miss <= 0.05 && miss > 0.04, "{miss}");
    }
}
