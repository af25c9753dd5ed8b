//! The highest rate at which a server meets the objectives.
//!
//! It is found by the staircase method: after a rate that met the objective the next rate is 6 % higher, after one that
//! missed it 6 % lower. So each subject needs one probe in each round, and the probes converge to the rate at which
//! half of them pass, which [`statistics`](crate::statistics) estimates. The staircase begins at the rate that a coarse
//! search in the calibration has found. A step in the wrong direction costs one round.

use std::time::Duration;

use super::budget::{LONGEST, Window};
use super::failure::quoted;
use super::progress::{Positions, Stage};
use super::rate::{WINDOW, two_digits};
use super::runner::Runner;
use super::testbed::RunningServer;
use super::{Probe, report};
use load::checks;
use load::measurement::Measurement;
use load::slo::{Doubt, Rank, Slo, Verdict};

/// The factor by which the rate rises after a pass and falls after a miss.
pub const STEP: f64 = 1.06;

/// The rate of a subject's next probe, from its probes so far in the order of the rounds; `begin` for the first. After
/// a probe at which the generator was the bottleneck the rate is lowered as well: a rate that the generator can't
/// sustain can't be measured.
pub fn next(probes: &[Probe], begin: f64) -> f64 {
    match probes.last() {
        None => begin,
        Some(probe) if probe.pass && !probe.generator_limited => probe.rate * STEP,
        Some(probe) => probe.rate / STEP,
    }
}

/// How many messages a probe has beyond the percentile that is checked. Ten suffice.
const BEYOND: f64 = 12.0;

/// The factor between two rates of the search, and its maximum number of measurements.
const SEARCH_STEP: f64 = 1.6;
pub(super) const SEARCHES: usize = 12;

/// Rates that differ by less than this factor are equal except for rounding.
const NEAR: f64 = 1.001;

impl Runner<'_> {
    /// Searches the highest rate at which a candidate meets the objectives, in large steps from a first one. `None` if
    /// it is unknown. A candidate that fails here fails again in the rounds, where it is reported.
    pub(super) fn search(&mut self, candidate: usize, first: f64) -> Option<f64> {
        if self.testbed.is_stopped() {
            return None;
        }
        let placement = self.design.saturated();
        let (server_cpus, load_cpus) = (placement.server.to_vec(), placement.generator.to_vec());
        let mut server = self.testbed.start(&self.settings.candidates[candidate], &server_cpus).ok()?;
        let slos = &self.settings.slos;
        let (mut rate, mut kept, mut missed) = (two_digits(first), None, None);
        // Up to this rate there were too few messages for a result.
        let mut unknown: f64 = 0.0;
        let mut is_second = false;
        for _ in 0..SEARCHES {
            let shape = self.open_loop(rate);
            self.announce_calibration(candidate, &shape.name);
            let window = window_for(slos, rate, WINDOW);
            let measurement = self.load_once(load_cpus.clone(), &shape, &mut *server, window).ok()?;
            match check_objectives(slos, &measurement, self.settings.allow_refusals) {
                ProbeResult::Met => kept = Some(rate),
                // Another program may have used the cores for a moment, so a miss is repeated once.
                ProbeResult::Missed | ProbeResult::GeneratorLimited if !is_second => {
                    is_second = true;
                    continue;
                }
                ProbeResult::Missed | ProbeResult::GeneratorLimited => missed = Some(rate),
                ProbeResult::Unknown(_) => unknown = unknown.max(rate),
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

    /// Notes that the highest rate of a candidate is not measured, because the rates that it sustains give too few
    /// messages.
    fn note_unknown(&mut self, candidate: usize) {
        let (name, slos) = (&self.settings.candidates[candidate].name, &self.settings.slos);
        let needed = rate_to_judge(slos);
        let slos: Vec<_> = slos.iter().map(ToString::to_string).collect();
        self.note(format!(
            "{name}: the highest rate is not measured: to check {} takes {needed:.0} messages per second, \
and such a rate misses it or was not tried",
            slos.join(" and ")
        ));
    }

    /// One step of a subject's staircase.
    pub(super) fn probe(
        &mut self,
        round: usize,
        subject: usize,
        server: &mut dyn RunningServer,
        positions: Positions,
    ) {
        let Some(begin) = self.design.begin(subject) else { return };
        if self.has_failed(subject) || self.testbed.is_stopped() {
            return;
        }
        let probes = self.comparison.probes.iter().filter(|probe| probe.subject == subject);
        let rate = next(&probes.cloned().collect::<Vec<_>>(), begin);
        let shape = self.open_loop(rate);
        self.announce(Stage::Rounds, subject, &shape.name, positions);
        let window = window_for(&self.settings.slos, rate, self.window);
        let plan = self.plan_at(self.design.saturated(), &shape, server, window, self.seed_of(round));
        match self.measure(subject, server, &plan) {
            Some(Ok(measurement)) => {
                let (pass, generator_limited) =
                    match check_objectives(&self.settings.slos, &measurement, self.settings.allow_refusals) {
                        ProbeResult::Met => (true, false),
                        ProbeResult::Missed => (false, false),
                        ProbeResult::GeneratorLimited => (false, true),
                        ProbeResult::Unknown(why) => return self.note_probe(subject, rate, &why),
                    };
                let flags = checks::flags(&measurement);
                self.comparison.probes.push(Probe { round, subject, rate, pass, generator_limited, flags });
            }
            Some(Err(error)) => self.fail(subject, quoted(server, error.to_string())),
            None => {}
        }
    }

    /// Notes that a probe gave no result, once for each subject: its next probes have the same rate.
    fn note_probe(&mut self, subject: usize, rate: f64, why: &str) {
        if self.noted_probes.contains(&subject) {
            return;
        }
        self.noted_probes.push(subject);
        let name = &self.comparison.subjects[subject].name;
        let rate = report::rate(rate);
        self.note(format!("{name}: at {rate} it is unknown whether the objective is met: {why}"));
    }
}

/// Whether objectives were met.
#[derive(Clone, Debug, PartialEq)]
enum ProbeResult {
    /// All of them.
    Met,
    /// Not all of them.
    Missed,
    /// The generator was the bottleneck.
    GeneratorLimited,
    /// It is unknown, for this reason.
    Unknown(String),
}

/// Whether a measurement met all objectives.
fn check_objectives(slos: &[Slo], measurement: &Measurement, allow_refusals: bool) -> ProbeResult {
    let verdicts: Vec<Verdict> = slos.iter().map(|slo| slo.judge(measurement, allow_refusals)).collect();
    let unknown = verdicts.iter().find(|verdict| matches!(verdict, Verdict::Unknown(_)));
    match unknown {
        _ if verdicts.iter().any(Verdict::is_fail) => ProbeResult::Missed,
        Some(Verdict::Unknown(Doubt::GeneratorLimited)) => ProbeResult::GeneratorLimited,
        Some(verdict) => ProbeResult::Unknown(verdict.to_string()),
        None => ProbeResult::Met,
    }
}

/// A window that is long enough to check objectives at a rate, and no longer than the longest.
fn window_for(slos: &[Slo], rate: f64, window: Window) -> Window {
    let needed = Duration::from_secs_f64((messages_to_judge(slos) / rate).min(LONGEST.as_secs_f64()));
    Window { duration: window.duration.max(needed), ..window }
}

/// The rate below which even the longest window has too few messages to check objectives.
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
    fn the_rate_rises_after_a_pass_and_falls_after_a_miss() {
        let probe =
            |pass, generator_limited| Probe { rate: 100.0, pass, generator_limited, ..Probe::default() };
        assert_eq!(next(&[], 7.0), 7.0);
        assert_eq!(next(&[probe(true, false)], 7.0), 106.0);
        assert_eq!(next(&[probe(true, false), probe(false, false)], 7.0), 100.0 / 1.06);
        assert_eq!(next(&[probe(true, true)], 7.0), 100.0 / 1.06, "the generator was the bottleneck");
    }

    fn slos(texts: &[&str]) -> Vec<Slo> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn all_objectives_must_be_met() {
        // All of 1,000 messages took 100 µs.
        assert_eq!(check_objectives(&slos(&["p99=1ms", "p50=1ms"]), &measurement(), false), ProbeResult::Met);
        assert_eq!(
            check_objectives(&slos(&["p99=1ms", "p50=50us"]), &measurement(), false),
            ProbeResult::Missed
        );
        let limited = Measurement { generator_limited: true, ..measurement() };
        assert_eq!(check_objectives(&slos(&["p99=1ms"]), &limited, false), ProbeResult::GeneratorLimited);
        let few = Measurement { latency: times(&[(100.0, 20)]), ..measurement() };
        let ProbeResult::Unknown(why) = check_objectives(&slos(&["p99.9=1ms"]), &few, false) else {
            panic!("20 messages")
        };
        assert!(!why.is_empty());
    }

    #[test]
    fn a_probe_is_as_long_as_its_percentile_needs() {
        let window = Window { warmup: Duration::ZERO, duration: Duration::from_millis(250) };
        let length = |text: &str, rate| window_for(&slos(&[text]), rate, window).duration.as_millis();
        assert_eq!(length("p99=1ms", 100_000.0), 250);
        assert_eq!(length("p99=1ms", 1000.0), 1200);
        assert_eq!(length("p99.9=1ms", 10_000.0), 1200);
        assert_eq!(length("p99.99=1ms", 1.0), LONGEST.as_millis(), "then it is unknown");
        assert_eq!(length("max=1ms", 1.0), 250);
    }
}
