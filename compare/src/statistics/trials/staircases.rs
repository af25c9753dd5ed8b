//! The highest rate: staircases of servers whose true threshold is known.

use super::{Chance, Trial, names_anybody, normal, percent, random};
use crate::statistics::{Column, Figure, Verdict, assess};
use crate::{Comparison, Probe, staircase};

impl Trial {
    /// A staircase of each subject, whose threshold varies from round to round by the spread.
    fn staircases(&self, seed: u64) -> Comparison {
        let mut random = random(seed);
        let mut comparison = self.subjects();
        for subject in 0..comparison.subjects.len() {
            // The coarse search finds a rate nearby.
            let begin = 1e4 * self.truth(subject) * (0.05 * normal(&mut random)).exp();
            let mut probes: Vec<Probe> = Vec::new();
            for round in 0..self.rounds {
                let rate = staircase::next(&probes, begin);
                let threshold =
                    1e4 * self.truth(subject) * (self.spread * self.chance.draw(&mut random)).exp();
                probes.push(Probe { round, subject, rate, pass: rate <= threshold, ..Probe::default() });
            }
            comparison.probes.extend(probes);
        }
        comparison
    }

    fn percent_of_rates(&self, holds: impl Fn(&Column) -> bool) -> f64 {
        percent(|seed| holds(assess(&self.staircases(seed)).column(Figure::HighestRate).unwrap()))
    }
}

#[test]
fn equal_subjects_have_the_same_highest_rate() {
    for chance in [Chance::Normal, Chance::Skewed] {
        // The threshold varies by a sixth of a step, by a step, and by four steps.
        for spread in [0.01, 0.06, 0.25] {
            for (subjects, rounds) in [(2, 25), (6, 13)] {
                let wrong = Trial::equal(subjects, rounds, spread, chance).percent_of_rates(names_anybody);
                assert!(
                    wrong <= 5.0,
                    "{wrong} % of {subjects} equals, {chance:?}, {rounds} rounds at {spread}"
                );
            }
        }
    }
}

#[test]
fn a_difference_of_a_fifth_is_detected() {
    for (subjects, spread, promised) in [(2, 0.03, 95.0), (8, 0.03, 95.0), (2, 0.06, 80.0), (8, 0.06, 60.0)] {
        let trial = Trial::but_for_one(subjects, 13, spread, 1.20);
        let found = trial.percent_of_rates(|column| column.cells[subjects - 1].verdict == Verdict::Better);
        assert!(found >= promised, "{found} % found among {subjects} at {spread}");
    }
}

#[test]
fn half_of_the_probes_pass_at_the_highest_rate() {
    let trial = Trial::equal(2, 13, 0.06, Chance::Normal);
    let covered = trial.percent_of_rates(|column| {
        let level = column.cells[1].level.unwrap();
        level.interval.unwrap().contains(1e4) && (level.median / 1e4 - 1.0).abs() < 0.25
    });
    assert!(covered >= 93.0, "{covered} %");
}
