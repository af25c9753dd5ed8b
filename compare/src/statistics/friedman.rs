//! Whether several subjects may all be equal.
//!
//! Friedman's test: in each round the subjects are ranked, and if they are equal, each order is as likely as any other,
//! whatever the noise is like and however the machine changes from round to round. The control is one of them.

use std::collections::BTreeMap;

use super::normal;
use super::rounds::Round;

/// With which probability equals would have ranks that differ so much; `None` for fewer than three, or without a round
/// that all of them have. By the chi-squared distribution, which for few rounds makes the test err on the safe side, in
/// Wilson and Hilferty's approximation.
pub(super) fn probability(subjects: &[Vec<Round>]) -> Option<f64> {
    let count = subjects.len();
    let mut rounds: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    for round in subjects.iter().flatten() {
        rounds.entry(round.round).or_default().push(round.logarithm);
    }
    // The values of a round stand in the order of the subjects where all of them have one.
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
    let p = normal::above(((statistic / freedom).cbrt() - (1.0 - ninth)) / ninth.sqrt());
    // Where all values of every round are equal there is nothing to rank.
    Some(if squares > 0.0 { p } else { 1.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subjects(values: &[&[f64]]) -> Vec<Vec<Round>> {
        let round = |(round, &logarithm): (usize, &f64)| Round { round, logarithm, flagged: false };
        values.iter().map(|values| values.iter().enumerate().map(round).collect()).collect()
    }

    #[test]
    fn the_statistic_is_the_textbooks() {
        // Three subjects always in the same order, four rounds: 12 / (4·3·4) · (16 + 64 + 144) − 3·4·4 = 8, two
        // degrees of freedom: exp(−4) = 0.0183.
        let p = probability(&subjects(&[&[1.0; 4], &[2.0; 4], &[3.0; 4]])).unwrap();
        assert!((p - 0.0183).abs() < 1e-3, "{p}");
        assert_eq!(probability(&subjects(&[&[1.0; 4][..]; 3])), Some(1.0), "all equal");
        let p = probability(&subjects(&[&[1.0, 2.0, 3.0], &[2.0, 3.0, 1.0], &[3.0, 1.0, 2.0]])).unwrap();
        assert!(p > 0.9, "{p}");
    }

    #[test]
    fn two_subjects_or_no_common_round_tell_nothing() {
        assert_eq!(probability(&subjects(&[&[1.0], &[2.0]])), None);
        assert_eq!(probability(&subjects(&[&[1.0], &[2.0], &[]])), None);
        assert_eq!(probability(&[]), None);
    }
}
