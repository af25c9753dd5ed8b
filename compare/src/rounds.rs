//! The rounds, from which verdicts are drawn.
//!
//! Their order is [balanced](schedule). In each round every subject has fresh processes, so that no process's luck
//! with its memory decides, and serves all its loads one after the other in the same order as all others: those of
//! a process before those of the next, where it has one on a core of its own and one on all cores.
//!
//! Where there are objectives, each subject also takes one step of its staircase: one rate at which it is seen
//! whether the objectives are kept.

use std::time::Duration;

use super::budget::{LONGEST, Slot};
use super::failure::quoted;
use super::laboratory::Running;
use super::progress::Stage;
use super::runner::{Places, Runner};
use super::sample::{Place, broken_connections, refusals};
use super::{Probe, Sample, Shape, report, schedule, staircase};
use load::checks;
use load::measurement::Measurement;
use load::slo::{Doubt, Rank, Slo, Verdict};

/// How many messages a probe has beyond the percentile that is judged. Ten are enough.
const BEYOND: f64 = 12.0;

impl Runner<'_> {
    pub(super) fn rounds(&mut self) {
        let active = self.design.active();
        let rounds = self.settings.rounds();
        if !self.settings.closed_loops.is_empty() {
            let left = self.clock.left(self.laboratory.now()).as_secs_f64() / 60.0;
            let loads = self.design.shapes.len();
            self.note(format!("{} servers, {loads} loads, {rounds} rounds: {left:.1} minutes", active.len()));
        }
        let order = schedule::balanced(active.len(), rounds, self.settings.seed);
        for (round, order) in order.into_iter().enumerate() {
            for (slot, subject) in order.iter().map(|&index| active[index]).enumerate() {
                let places = ((round + 1, rounds), (slot + 1, order.len()));
                for life in self.design.lives(subject, self.has_shown_overload(subject)) {
                    if self.laboratory.is_stopped() {
                        return;
                    }
                    let work = (places, life.work());
                    self.serve(Stage::Rounds, subject, &life.cpus, work, |runner, server| {
                        for &shape in &life.shapes {
                            runner.sample(Place { round, slot, subject, shape }, server, places);
                        }
                        if life.has_probe {
                            runner.probe(round, subject, server, places);
                        }
                    });
                }
            }
        }
    }

    /// Whether a subject was overloaded whenever a rate was offered to it, and more than once.
    fn has_shown_overload(&self, subject: usize) -> bool {
        let is_open = |shape: usize| self.comparison.shapes[shape].rate.is_some();
        let samples = self.comparison.samples.iter();
        let mut offered = samples.filter(|one| one.subject == subject && is_open(one.shape));
        offered.clone().nth(1).is_some() && offered.all(|one| one.overloaded)
    }

    /// One measurement of a round.
    fn sample(&mut self, place: Place, server: &mut dyn Running, places: Places) {
        let Place { subject, shape, .. } = place;
        if self.has_failed(subject) || self.laboratory.is_stopped() {
            return;
        }
        let shape = self.comparison.shapes[shape].clone();
        self.announce(Stage::Rounds, subject, &shape.name, places);
        let plan = self.under(&shape, server, self.slot, self.seed_of(place.round));
        let cores = match self.design.placement(&shape).server {
            [] => self.laboratory.cores().len(),
            pinned => pinned.len(),
        };
        match self.measure(subject, server, &plan) {
            Some(Ok(measurement)) => {
                self.comparison.samples.push(Sample::of(&measurement, place, cores));
                if let Some(what) = refusals(&measurement) {
                    self.tell_of_refusals(subject, &what);
                }
                // Hostile clients are ended, and some servers refuse good ones for it: that shows in their figures.
                let broken = broken_connections(&measurement).filter(|_| shape.hostile == 0);
                if let Some(why) = broken {
                    self.fail(subject, quoted(server, why));
                }
            }
            Some(Err(error)) => self.fail(subject, quoted(server, error.to_string())),
            None => {}
        }
    }

    /// One step of a subject's staircase.
    fn probe(&mut self, round: usize, subject: usize, server: &mut dyn Running, places: Places) {
        let Some(begin) = self.design.begin(subject) else { return };
        if self.has_failed(subject) || self.laboratory.is_stopped() {
            return;
        }
        let probes = self.comparison.probes.iter().filter(|probe| probe.subject == subject);
        let rate = staircase::next(&probes.cloned().collect::<Vec<_>>(), begin);
        let shape = self.probed(rate);
        self.announce(Stage::Rounds, subject, &shape.name, places);
        let slot = slot_for(&self.settings.slos, rate, self.slot);
        let plan = self.under_at(self.design.saturated(), &shape, server, slot, self.seed_of(round));
        match self.measure(subject, server, &plan) {
            Some(Ok(measurement)) => {
                let (pass, generator_limited) =
                    match judged(&self.settings.slos, &measurement, self.settings.allow_refusals) {
                        Judged::Kept => (true, false),
                        Judged::Missed => (false, false),
                        Judged::GeneratorLimited => (false, true),
                        Judged::Unknown(why) => return self.note_probe(subject, rate, &why),
                    };
                let flags = checks::flags(&measurement);
                self.comparison.probes.push(Probe { round, subject, rate, pass, generator_limited, flags });
            }
            Some(Err(error)) => self.fail(subject, quoted(server, error.to_string())),
            None => {}
        }
    }

    /// Tells once of a subject that a probe says nothing. The next ones have the same rate.
    fn note_probe(&mut self, subject: usize, rate: f64, why: &str) {
        if self.is_doubted.contains(&subject) {
            return;
        }
        self.is_doubted.push(subject);
        let name = &self.comparison.subjects[subject].name;
        let rate = report::rate(rate);
        self.note(format!("{name}: at {rate} it is not known whether the objective is kept: {why}"));
    }

    /// The load with which a rate is probed.
    pub(super) fn probed(&self, rate: f64) -> Shape {
        let (connections, depth) = (self.settings.clients, self.settings.depth);
        let name = format!("{connections} at {}", report::rate(rate));
        Shape { name, connections, depth, rate: Some(rate), hostile: 0 }
    }

    /// The same seed for all within a round: what is drawn by chance is the same for all.
    fn seed_of(&self, round: usize) -> u64 {
        self.settings.seed.wrapping_add(round as u64)
    }
}

/// Whether objectives were kept.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Judged {
    /// All of them.
    Kept,
    /// Not all of them.
    Missed,
    /// The generator was the limit.
    GeneratorLimited,
    /// It can't be told, for another reason.
    Unknown(String),
}

/// Whether a measurement has kept all objectives.
pub(super) fn judged(slos: &[Slo], measurement: &Measurement, allow_refusals: bool) -> Judged {
    let verdicts: Vec<Verdict> = slos.iter().map(|slo| slo.judge(measurement, allow_refusals)).collect();
    let unknown = verdicts.iter().find(|verdict| matches!(verdict, Verdict::Unknown(_)));
    match unknown {
        _ if verdicts.iter().any(Verdict::is_fail) => Judged::Missed,
        Some(Verdict::Unknown(Doubt::GeneratorLimited)) => Judged::GeneratorLimited,
        Some(verdict) => Judged::Unknown(verdict.to_string()),
        None => Judged::Kept,
    }
}

/// A slot that is long enough to judge objectives at a rate, and no longer than the longest.
pub(super) fn slot_for(slos: &[Slo], rate: f64, slot: Slot) -> Slot {
    let needed = Duration::from_secs_f64((messages_to_judge(slos) / rate).min(LONGEST.as_secs_f64()));
    Slot { duration: slot.duration.max(needed), ..slot }
}

/// The rate below which even the longest slot has too few messages to judge objectives.
pub(super) fn rate_to_judge(slos: &[Slo]) -> f64 {
    messages_to_judge(slos) / LONGEST.as_secs_f64()
}

fn messages_to_judge(slos: &[Slo]) -> f64 {
    let needed = slos.iter().map(|slo| match slo.rank {
        Rank::Percentile(percentile) if percentile < 100.0 => BEYOND / (1.0 - percentile / 100.0),
        _ => 0.0,
    });
    needed.fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use load::testing::{measurement, times};

    fn slos(texts: &[&str]) -> Vec<Slo> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn all_objectives_must_be_kept() {
        // All of 1,000 messages took 100 µs.
        assert_eq!(judged(&slos(&["p99=1ms", "p50=1ms"]), &measurement(), false), Judged::Kept);
        assert_eq!(judged(&slos(&["p99=1ms", "p50=50us"]), &measurement(), false), Judged::Missed);
        let limited = Measurement { generator_limited: true, ..measurement() };
        assert_eq!(judged(&slos(&["p99=1ms"]), &limited, false), Judged::GeneratorLimited);
        let few = Measurement { latency: times(&[(100.0, 20)]), ..measurement() };
        let Judged::Unknown(why) = judged(&slos(&["p99.9=1ms"]), &few, false) else { panic!("20 messages") };
        assert!(!why.is_empty());
    }

    #[test]
    fn a_probe_is_as_long_as_its_percentile_needs() {
        let slot = Slot { warmup: Duration::ZERO, duration: Duration::from_millis(250) };
        let length = |text: &str, rate| slot_for(&slos(&[text]), rate, slot).duration.as_millis();
        assert_eq!(length("p99=1ms", 100_000.0), 250);
        assert_eq!(length("p99=1ms", 1000.0), 1200);
        assert_eq!(length("p99.9=1ms", 10_000.0), 1200);
        assert_eq!(length("p99.99=1ms", 1.0), LONGEST.as_millis(), "it can't be told then");
        assert_eq!(length("max=1ms", 1.0), 250);
    }
}
