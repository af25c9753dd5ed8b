//! The highest rate at which a server keeps the objectives.
//!
//! It is looked for by a staircase: after a rate at which the objective was kept the next one is 6 % higher, after one at which it was
//! missed 6 % lower. So each subject needs one probe in each round, and the probes gather around the rate at which
//! half of them pass, which is what [`statistics`](crate::statistics) estimates. It begins at the rate that a coarse
//! search in the calibration has found: a step in the wrong direction costs a round, and no more.

use std::time::Duration;

use super::budget::{LONGEST, Slot};
use super::failure::quoted;
use super::laboratory::Running;
use super::progress::{Places, Stage};
use super::rate::{SLOT, two_digits};
use super::runner::Runner;
use super::{Probe, report};
use load::checks;
use load::measurement::Measurement;
use load::slo::{Doubt, Rank, Slo, Verdict};

/// By which factor the rate rises after a pass and falls after a fail.
pub const STEP: f64 = 1.06;

/// The rate of a subject's next probe, from its probes so far in the order of the rounds; `begin` before the first. A
/// probe at which the generator was the limit tells nothing about the server, so its rate is lowered: what the
/// generator can't make can't be measured.
pub fn next(probes: &[Probe], begin: f64) -> f64 {
    match probes.last() {
        None => begin,
        Some(probe) if probe.pass && !probe.generator_limited => probe.rate * STEP,
        Some(probe) => probe.rate / STEP,
    }
}

/// How many messages a probe has beyond the percentile that is judged. Ten are enough.
const BEYOND: f64 = 12.0;

/// The step of the search, and how many measurements it takes at the most.
const SEARCH_STEP: f64 = 1.6;
pub(super) const SEARCHES: usize = 12;

/// A rate that is as high as another, but for rounding.
const NEAR: f64 = 1.001;

impl Runner<'_> {
    /// Searches the highest rate at which a candidate keeps the objectives, in large steps from a first one. `None` if
    /// it is not known; a candidate that fails here is found out in the rounds.
    pub(super) fn search(&mut self, candidate: usize, first: f64) -> Option<f64> {
        if self.laboratory.is_stopped() {
            return None;
        }
        let placement = self.design.saturated();
        let (server_cpus, load_cpus) = (placement.server.to_vec(), placement.load.to_vec());
        let mut server = self.laboratory.start(&self.settings.candidates[candidate], &server_cpus).ok()?;
        let slos = &self.settings.slos;
        let (mut rate, mut kept, mut missed) = (two_digits(first), None, None);
        // Up to this rate there were too few messages to tell.
        let mut unknown: f64 = 0.0;
        let mut is_second = false;
        for _ in 0..SEARCHES {
            let shape = self.probed(rate);
            self.announce_calibration(candidate, &shape.name);
            let slot = slot_for(slos, rate, SLOT);
            let measurement = self.load_once(load_cpus.clone(), &shape, &mut *server, slot).ok()?;
            match judged(slos, &measurement, self.settings.allow_refusals) {
                Judged::Kept => kept = Some(rate),
                // Another program may have had the cores for a moment: what is missed is tried again.
                Judged::Missed | Judged::GeneratorLimited if !is_second => {
                    is_second = true;
                    continue;
                }
                Judged::Missed | Judged::GeneratorLimited => missed = Some(rate),
                Judged::Unknown(_) => unknown = unknown.max(rate),
            }
            is_second = false;
            rate = match (kept, missed) {
                (_, None) => rate * SEARCH_STEP,
                (None, Some(_)) if rate > 1.0 && rate / SEARCH_STEP > unknown * NEAR => {
                    (rate / SEARCH_STEP).max(1.0)
                }
                _ => break,
            };
        }
        match (kept, missed) {
            (Some(kept), Some(missed)) => Some((kept * missed).sqrt()),
            (None, _) if unknown > 0.0 => {
                self.note_unknown(candidate);
                None
            }
            (kept, missed) => kept.or(missed),
        }
    }

    /// Says that the highest rate of a candidate is not measured, since nothing that it bears is enough to judge.
    fn note_unknown(&mut self, candidate: usize) {
        let (name, slos) = (&self.settings.candidates[candidate].name, &self.settings.slos);
        let needed = rate_to_judge(slos);
        let slos: Vec<_> = slos.iter().map(ToString::to_string).collect();
        self.note(format!(
            "{name}: the highest rate is not measured: whether {} is kept takes {needed:.0} messages per second to tell, \
             and at such a rate it is not kept, or was not tried",
            slos.join(" and ")
        ));
    }

    /// One step of a subject's staircase.
    pub(super) fn probe(&mut self, round: usize, subject: usize, server: &mut dyn Running, places: Places) {
        let Some(begin) = self.design.begin(subject) else { return };
        if self.has_failed(subject) || self.laboratory.is_stopped() {
            return;
        }
        let probes = self.comparison.probes.iter().filter(|probe| probe.subject == subject);
        let rate = next(&probes.cloned().collect::<Vec<_>>(), begin);
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
}

/// Whether objectives were kept.
#[derive(Clone, Debug, PartialEq)]
enum Judged {
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
fn judged(slos: &[Slo], measurement: &Measurement, allow_refusals: bool) -> Judged {
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
fn slot_for(slos: &[Slo], rate: f64, slot: Slot) -> Slot {
    let needed = Duration::from_secs_f64((messages_to_judge(slos) / rate).min(LONGEST.as_secs_f64()));
    Slot { duration: slot.duration.max(needed), ..slot }
}

/// The rate below which even the longest slot has too few messages to judge objectives.
fn rate_to_judge(slos: &[Slo]) -> f64 {
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

    #[test]
    fn the_rate_rises_after_a_pass_and_falls_after_a_fail() {
        let probe =
            |pass, generator_limited| Probe { rate: 100.0, pass, generator_limited, ..Probe::default() };
        assert_eq!(next(&[], 7.0), 7.0);
        assert_eq!(next(&[probe(true, false)], 7.0), 106.0);
        assert_eq!(next(&[probe(true, false), probe(false, false)], 7.0), 100.0 / 1.06);
        assert_eq!(next(&[probe(true, true)], 7.0), 100.0 / 1.06, "the generator was the limit");
    }

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
