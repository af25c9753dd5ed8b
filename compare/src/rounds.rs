//! The rounds, on which the verdicts are based.
//!
//! In each round every subject is started again, so that the memory layout of one process doesn't bias the result, and
//! is measured under all its loads, in the same order as all others. If it has one process on a pinned core and one on
//! all cores, the loads of the first come before those of the second. The order of the subjects is [balanced]. If there
//! are objectives, each subject also takes one step of its [staircase](super::staircase).

use super::failure::{broken_connections, quoted, refusals};
use super::progress::{Positions, Stage};
use super::runner::Runner;
use super::sample::Position;
use super::testbed::RunningServer;
use super::{Sample, Shape, report};

impl Runner<'_> {
    pub(super) fn rounds(&mut self) {
        let active = self.design.active();
        let rounds = self.settings.rounds();
        if self.settings.has_own_loads() {
            let left = self.clock.left(self.testbed.now()).as_secs_f64() / 60.0;
            let loads = self.design.shapes.len();
            self.note(format!("{} servers, {loads} loads, {rounds} rounds: {left:.1} minutes", active.len()));
        }
        let order = balanced(active.len(), rounds, self.settings.seed);
        for (round, order) in order.into_iter().enumerate() {
            for (slot, subject) in order.iter().map(|&index| active[index]).enumerate() {
                let positions = ((round + 1, rounds), (slot + 1, order.len()));
                for instance in self.design.instances(subject, self.has_shown_overload(subject)) {
                    if self.testbed.is_stopped() {
                        return;
                    }
                    let work = (positions, instance.work());
                    self.with_server(Stage::Rounds, subject, &instance.cpus, work, |runner, server| {
                        for &shape in &instance.shapes {
                            runner.sample(Position { round, slot, subject, shape }, server, positions);
                        }
                        if instance.has_probe {
                            runner.probe(round, subject, server, positions);
                        }
                    });
                }
            }
        }
    }

    /// Whether a subject was overloaded in all open loops so far, which were at least two.
    fn has_shown_overload(&self, subject: usize) -> bool {
        let is_open = |shape: usize| self.comparison.shapes[shape].rate.is_some();
        let samples = self.comparison.samples.iter();
        let mut offered = samples.filter(|one| one.subject == subject && is_open(one.shape));
        offered.clone().nth(1).is_some() && offered.all(|one| one.overloaded)
    }

    /// One measurement of a round.
    fn sample(&mut self, place: Position, server: &mut dyn RunningServer, positions: Positions) {
        let Position { subject, shape, .. } = place;
        if self.has_failed(subject) || self.can_not_hold(subject, shape) || self.testbed.is_stopped() {
            return;
        }
        let shape = self.comparison.shapes[shape].clone();
        self.announce(Stage::Rounds, subject, &shape.name, positions);
        let plan = self.plan_for(&shape, server, self.window_of(&shape), self.seed_of(place.round));
        let cores = match self.design.placement(&shape).server {
            [] => self.testbed.cores().len(),
            pinned => pinned.len(),
        };
        match self.measure(subject, server, &plan) {
            Some(Ok(measurement)) => {
                // Servers end hostile clients, and some refuse normal ones because of them: the figures show that.
                let broken = broken_connections(&measurement).filter(|_| shape.hostile == 0);
                if let Some(why) =
                    broken.clone().filter(|_| shape.subscribers > 0 && !self.has_failed(subject))
                {
                    return self.leave_out(subject, place.shape, quoted(server, why), positions);
                }
                self.comparison.samples.push(Sample::of(&measurement, place, cores));
                if let Some(what) = refusals(&measurement) {
                    self.note_refusals(subject, &what);
                }
                if let Some(why) = broken {
                    self.fail(subject, quoted(server, why));
                }
            }
            Some(Err(error)) => self.fail(subject, quoted(server, error.to_string())),
            None => {}
        }
    }

    /// The open loop at a rate.
    pub(super) fn open_loop(&self, rate: f64) -> Shape {
        let (connections, depth) = (self.settings.clients, self.settings.depth);
        let name = format!("{connections} at {}", report::rate(rate));
        Shape { name, connections, depth, rate: Some(rate), ..Shape::default() }
    }

    /// The seed of a round: random choices are the same for all subjects.
    pub(super) fn seed_of(&self, round: usize) -> u64 {
        self.settings.seed.wrapping_add(round as u64)
    }
}

/// The order of the subjects in each round.
///
/// A machine changes during a round, and a subject runs with the caches and the clock rate that the previous one left.
/// So each subject takes each position equally often, as far as the count of rounds allows, and with an even count of
/// subjects each also follows each other one equally often. That is a *Williams design*, a Latin square balanced for
/// carry-over effects. The assignment of subjects and the order of the rows are random for each square.
pub(super) fn balanced(subjects: usize, rounds: usize, seed: u64) -> Vec<Vec<usize>> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut order = Vec::with_capacity(rounds);
    while order.len() < rounds && subjects > 0 {
        let mut parts: Vec<usize> = (0..subjects).collect();
        let mut rows: Vec<usize> = (0..subjects).collect();
        random.shuffle(&mut parts);
        random.shuffle(&mut rows);
        let rows = rows.into_iter().take(rounds - order.len());
        order.extend(rows.map(|row| (0..subjects).map(|place| parts[cell(subjects, row, place)]).collect()));
    }
    order
}

/// A cell of the square. Its first row is 0, 1, n − 1, 2, n − 2 …, and each further row adds one modulo n.
fn cell(subjects: usize, row: usize, place: usize) -> usize {
    let first = if place % 2 == 1 { place.div_ceil(2) } else { (subjects - place / 2) % subjects };
    (first + row) % subjects
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_subject_is_in_every_round_once() {
        for subjects in 1..9 {
            for round in balanced(subjects, 20, 7) {
                let mut sorted = round.clone();
                sorted.sort_unstable();
                assert_eq!(sorted, (0..subjects).collect::<Vec<_>>(), "{round:?}");
            }
        }
    }

    #[test]
    fn every_subject_takes_every_position_equally_often() {
        for subjects in 1..9 {
            for rounds in [1, 5, 7, 15, 40] {
                let order = balanced(subjects, rounds, 3);
                assert_eq!(order.len(), rounds);
                for place in 0..subjects {
                    for subject in 0..subjects {
                        let times = order.iter().filter(|round| round[place] == subject).count();
                        let fair = rounds / subjects;
                        assert!((fair..=fair + 1).contains(&times), "{subjects} subjects, {rounds} rounds");
                    }
                }
            }
        }
    }

    #[test]
    fn an_even_count_of_subjects_follow_each_other_equally_often() {
        for subjects in [2, 4, 6, 8] {
            let order = balanced(subjects, subjects, 5);
            for before in 0..subjects {
                for after in (0..subjects).filter(|&after| after != before) {
                    let follows = |round: &&Vec<usize>| round.windows(2).any(|pair| pair == [before, after]);
                    assert_eq!(order.iter().filter(follows).count(), 1, "{order:?}");
                }
            }
        }
    }

    #[test]
    fn the_order_depends_on_the_seed() {
        assert_eq!(balanced(6, 7, 1), balanced(6, 7, 1));
        assert_ne!(balanced(6, 7, 1), balanced(6, 7, 2));
    }

    #[test]
    fn without_subjects_or_rounds_the_order_is_empty() {
        assert_eq!(balanced(0, 5, 1), Vec::<Vec<usize>>::new());
        assert_eq!(balanced(3, 0, 1), Vec::<Vec<usize>>::new());
    }
}
