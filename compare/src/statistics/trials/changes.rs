//! Changes since a stored comparison.

use super::{Chance, Trial, percent};
use crate::Comparison;
use crate::statistics::{Drift, against};

/// In how many of a hundred pairs of comparisons something is said of anybody, or of the last.
fn changes(before: &Trial, after: &Trial, is: impl Fn(&[Drift]) -> bool) -> f64 {
    percent(|seed| {
        let drawn = |trial: &Trial, seed| -> Comparison { trial.comparison(seed) };
        let changes = against(&drawn(before, seed), &drawn(after, seed + 1_000_000), false).unwrap();
        is(&changes.changes.iter().map(|change| change.drift).collect::<Vec<_>>())
    })
}

#[test]
fn what_has_not_changed_is_said_to_have_changed_in_at_most_five_of_a_hundred() {
    for chance in [Chance::Normal, Chance::Heavy, Chance::Skewed] {
        for (subjects, rounds) in [(1, 13), (6, 15)] {
            let same = Trial::equals(subjects, rounds, 0.10, chance);
            let is_change = |drift: &Drift| matches!(drift, Drift::Regressed | Drift::Improved);
            let wrong = changes(&same, &same, |drifts| drifts.iter().any(is_change));
            assert!(wrong <= 5.0, "{wrong} % of {subjects}, {chance:?}, {rounds} rounds");
        }
    }
}

#[test]
fn a_regression_of_a_tenth_is_found_or_not_told() {
    let before = Trial::equals(4, 13, 0.08, Chance::Normal);
    let after = Trial::but_for_one(4, 13, 0.08, 1.10);
    let unchanged = changes(&before, &after, |drifts| drifts[3] == Drift::Unchanged);
    assert!(unchanged <= 5.0, "{unchanged} % are called unchanged");
    let found = changes(&before, &after, |drifts| drifts[3] == Drift::Regressed);
    assert!(found >= 70.0, "{found} %");
}

#[test]
fn a_regression_of_a_fifth_is_found() {
    let before = Trial::equals(4, 13, 0.08, Chance::Normal);
    let after = Trial::but_for_one(4, 13, 0.08, 1.20);
    let found = changes(&before, &after, |drifts| drifts[3] == Drift::Regressed);
    assert!(found >= 95.0, "{found} %");
}
