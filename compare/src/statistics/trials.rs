//! How often the verdicts err, tried on synthetic comparisons whose truth is known.

use super::{Assessment, Column, Figure, Told, assess};
use crate::{Comparison, Sample, Shape, Subject};

/// How the values of equals differ by chance.
#[derive(Clone, Copy, Debug)]
enum Chance {
    Normal,
    /// Student's t with three degrees of freedom: one round in a hundred is off by four deviations.
    Heavy,
    /// Exponential: delays happen, accelerations don't.
    Skewed,
    /// Normal, while the machine becomes 40 % slower over the rounds and wanders by 10 % from round to round.
    Drifting,
}

/// Comparisons of a kind.
#[derive(Clone, Debug)]
struct Trial {
    /// Of each that is ranked the true value, the reference first.
    truths: Vec<f64>,
    rounds: usize,
    /// The standard deviation of the logarithm of the ratio of two runs of the same.
    spread: f64,
    chance: Chance,
}

impl Trial {
    fn equals(subjects: usize, rounds: usize, spread: f64, chance: Chance) -> Self {
        Self { truths: vec![1.0; subjects], rounds, spread, chance }
    }

    fn comparison(&self, seed: u64) -> Comparison {
        // Streams of neighbouring seeds begin alike.
        let mut random = fastrand::Rng::with_seed((seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let subjects = self.truths.len();
        let mut comparison = Comparison {
            shapes: vec![Shape { rate: Some(1e4), ..Shape::default() }],
            subjects: (0..=subjects).map(|n| Subject { name: n.to_string(), ..Subject::default() }).collect(),
            ..Comparison::default()
        };
        comparison.subjects[subjects].control_of = Some("0".to_owned());
        for round in 0..self.rounds {
            let wander = normal(&mut random) * 0.1;
            for slot in 0..=subjects {
                let subject = (slot + round) % (subjects + 1);
                let truth = self.truths.get(subject).unwrap_or(&self.truths[0]);
                let chance = self.spread / 2_f64.sqrt() * self.chance.draw(&mut random);
                let passed = (round * (subjects + 1) + slot) as f64 / (self.rounds * (subjects + 1)) as f64;
                let drift = if matches!(self.chance, Chance::Drifting) { 0.4 * passed + wander } else { 0.0 };
                let cpu_user = 10.0 * truth * (chance + drift).exp();
                comparison.samples.push(Sample { round, slot, subject, cpu_user, ..Sample::default() });
            }
        }
        comparison
    }

    fn column(&self, seed: u64) -> Column {
        assess(&self.comparison(seed)).column(Figure::CpuAtRate).unwrap().clone()
    }

    fn percent(&self, sets: u64, holds: impl Fn(&Column) -> bool) -> f64 {
        let count = (0..sets).filter(|&seed| holds(&self.column(seed))).count();
        count as f64 * 100.0 / sets as f64
    }
}

impl Chance {
    /// A number around 0 with a standard deviation of 1.
    fn draw(self, random: &mut fastrand::Rng) -> f64 {
        match self {
            Self::Normal | Self::Drifting => normal(random),
            Self::Heavy => {
                let squares: f64 = (0..3).map(|_| normal(random).powi(2)).sum();
                normal(random) / squares.sqrt()
            }
            Self::Skewed => -(1.0 - random.f64()).ln() - 1.0,
        }
    }
}

/// Box and Muller's.
fn normal(random: &mut fastrand::Rng) -> f64 {
    let radius = (-2.0 * (1.0 - random.f64()).ln()).sqrt();
    radius * (std::f64::consts::TAU * random.f64()).cos()
}

/// Whether anybody is named better or worse than the reference, or than the leader.
fn names_anybody(column: &Column) -> bool {
    column.cells.iter().any(|cell| cell.told.is_difference()) || column.equals.len() + 1 < column.cells.len()
}

/// A staircase of each, where the threshold varies so much from round to round.
fn staircases(truths: &[f64], rounds: usize, spread: f64, chance: Chance, seed: u64) -> Comparison {
    let mut random = fastrand::Rng::with_seed((seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let mut comparison = Trial { truths: truths.to_vec(), rounds: 0, spread, chance }.comparison(seed);
    for subject in 0..=truths.len() {
        let begin = 1e4 * truths.get(subject).unwrap_or(&truths[0]) * (0.05 * normal(&mut random)).exp();
        let mut probes: Vec<crate::Probe> = Vec::new();
        for round in 0..rounds {
            let rate = crate::staircase::next(&probes, begin);
            let threshold =
                1e4 * truths.get(subject).unwrap_or(&truths[0]) * (spread * chance.draw(&mut random)).exp();
            probes.push(crate::Probe {
                round,
                subject,
                rate,
                pass: rate <= threshold,
                generator_limited: false,
            });
        }
        comparison.probes.extend(probes);
    }
    comparison
}

#[test]
#[ignore]
fn explore_probes() {
    let sets = 1000;
    let percent = |truths: &[f64], rounds, spread, chance, holds: &dyn Fn(&Column) -> bool| {
        let count = (0..sets)
            .filter(|&seed| {
                let a = assess(&staircases(truths, rounds, spread, chance, seed));
                holds(a.column(Figure::HighestRate).unwrap())
            })
            .count();
        count as f64 * 100.0 / sets as f64
    };
    for chance in [Chance::Normal, Chance::Skewed] {
        for subjects in [2, 8] {
            for rounds in [13, 25] {
                for spread in [0.01, 0.06, 0.12, 0.25] {
                    let p = percent(&vec![1.0; subjects], rounds, spread, chance, &names_anybody);
                    print!("E{subjects} {rounds} {spread}: {p:.1};");
                }
            }
        }
        println!();
    }
    for spread in [0.01, 0.03, 0.06, 0.12] {
        for subjects in [2, 8] {
            for rounds in [13, 25] {
                for truth in [1.2] {
                    let mut truths = vec![1.0; subjects];
                    truths[subjects - 1] = truth;
                    let p = percent(&truths, rounds, spread, Chance::Normal, &|c: &Column| {
                        c.cells[subjects - 1].told.is_difference()
                    });
                    print!("P{subjects} {rounds} {spread} {truth}: {p:.1};");
                }
            }
        }
        println!();
    }
}

#[test]
#[ignore]
fn noplore_needed() {
    for spread in [0.05, 0.08, 0.14, 0.30] {
        for subjects in [2, 4, 8] {
            let rounds = super::rounds_needed(spread, 0.1, subjects - 1);
            let mut trial = Trial::equals(subjects, rounds, spread, Chance::Normal);
            trial.truths[subjects - 1] = 1.1;
            let p = trial.percent(500, |c: &Column| c.cells[subjects - 1].told.is_difference());
            print!("N{subjects} {rounds} {spread}: {p:.1};");
            let rounds = super::rounds_needed(spread, 0.1, subjects * (subjects - 1) / 2);
            let mut trial = Trial::equals(subjects, rounds, spread, Chance::Normal);
            trial.truths[subjects - 1] = 1.1;
            let p = trial.percent(500, |c: &Column| !c.equals.contains(&(subjects - 1)));
            println!("L{subjects} {rounds} {spread}: {p:.1};");
        }
    }
}

#[test]
#[ignore]
fn nopartial() {
    for subjects in [3, 5, 9] {
        for rounds in [13, 25, 50] {
            for chance in [Chance::Normal, Chance::Skewed] {
                for odd in [0, subjects - 1] {
                    let mut trial = Trial::equals(subjects, rounds, 0.30, chance);
                    trial.truths[odd] = 5.0;
                    let p = trial.percent(1000, |c: &Column| {
                        let equal = |s: usize| s != odd;
                        c.cells
                            .iter()
                            .any(|cell| odd != 0 && equal(cell.subject) && cell.told.is_difference())
                            || (0..subjects)
                                .any(|s| equal(s) && Some(s) != c.leader && !c.equals.contains(&s))
                    });
                    print!("{chance:?} {subjects} {rounds} {odd}: {p:.1};");
                }
            }
        }
        println!();
    }
}
