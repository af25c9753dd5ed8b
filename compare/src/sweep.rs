//! The curves: memory against idle connections, latency against the rate, throughput against connections.
//!
//! Latency and throughput come from one pass, or, in the tier `full`, are the medians of several: screening, to see
//! the shape of things. In a pass each curve is drawn for all subjects before the next, so that what is compared was
//! measured close together; each subject has a fresh process for each.

use super::budget::Work;
use super::failure::{EXIT, quoted};
use super::laboratory::{Ladder, Running};
use super::medians;
use super::progress::Stage;
use super::rate::two_digits;
use super::runner::{Places, Runner};
use super::sample::refusals;
use super::{ConnectionPoint, MemorySample, RatePoint, Shape, report, schedule};
use load::checks::GENERATOR_BUSY;
use load::plan::Messages;

/// The first rate of the curve, as a part of what the slowest did at calibration: a load at which nobody queues.
const LEAST: f64 = 0.25;

/// The step from one rate to the next, and how many there are at the most: up to more than 400 times the first.
const STEP: f64 = 1.5;
const MOST: i32 = 16;

impl Runner<'_> {
    /// Draws all curves, as often as the tier says.
    pub(super) fn sweeps(&mut self) {
        let drawn = self.design.drawn();
        let passes = self.settings.passes();
        // Not the order of the rounds again.
        let order = schedule::balanced(drawn.len(), passes, self.settings.seed.wrapping_add(1));
        for (pass, order) in order.into_iter().enumerate() {
            for stage in [Stage::Memory, Stage::Rates, Stage::Connections] {
                for (slot, subject) in order.iter().map(|&index| drawn[index]).enumerate() {
                    if !self.laboratory.is_stopped() {
                        self.sweep(stage, subject, ((pass + 1, passes), (slot + 1, order.len())));
                    }
                }
            }
        }
        medians::keep(&mut self.comparison);
    }

    fn sweep(&mut self, stage: Stage, subject: usize, places: Places) {
        let one = |measurements: usize| (places, Work { starts: 1, measurements, memories: 0 });
        let (idle, connections) =
            (self.design.idle(subject), self.design.connections(subject, self.settings));
        let rates = self.design.rates(subject, self.settings);
        let usual = self.design.usual().server.to_vec();
        match stage {
            Stage::Memory if !idle.is_empty() => {
                let work = (places, Work { starts: 1, measurements: 0, memories: 1 });
                self.serve(stage, subject, &usual, work, |runner, server| {
                    runner.memory(subject, server, &idle, places.0.0 - 1);
                });
            }
            Stage::Rates if rates > 0 => {
                self.serve(stage, subject, &usual, one(rates), |runner, server| {
                    runner.rates(subject, server, places);
                });
            }
            Stage::Connections if !connections.is_empty() => {
                let cpus = self.design.saturated().server.to_vec();
                self.serve(stage, subject, &cpus, one(connections.len()), |runner, server| {
                    runner.connections(subject, server, &connections, places);
                });
            }
            _ => {}
        }
    }

    fn memory(&mut self, subject: usize, server: &mut dyn Running, counts: &[usize], pass: usize) {
        let (framing, greets) = (self.settings.framing, self.settings.expect.greets());
        let messages = &self.settings.messages;
        // The shortest of those that the generator makes.
        let size = if let Messages::Made(sizes) = messages { sizes.bounds().0 } else { 0 };
        let ladder = Ladder { counts, framing, greets, message: messages.example(framing, size) };
        let (measured, result) = self.laboratory.memory(server, &ladder);
        let sample = |(connections, bytes)| MemorySample { subject, pass, connections, bytes };
        self.comparison.memory.extend(measured.into_iter().map(sample));
        // Not a failure: how many it can hold here is no promise of the server's.
        if let (Err(error), false) = (result, self.laboratory.is_stopped()) {
            let why = server.failure(EXIT).unwrap_or_else(|| error.to_string());
            let name = &self.comparison.subjects[subject].name;
            self.note(format!("{name}: the memory of idle connections is not known to the end: {why}"));
        }
    }

    fn rates(&mut self, subject: usize, server: &mut dyn Running, places: Places) {
        for rate in rates(self.least_capacity) {
            let shape = self.probed(rate);
            self.announce(Stage::Rates, subject, &shape.name, places);
            let plan = self.under(&shape, server, self.slot, self.settings.seed);
            let measurement = match self.measure(subject, server, &plan) {
                Some(Ok(measurement)) => measurement,
                Some(Err(error)) => return self.end_curve(subject, rate, &quoted(server, error.to_string())),
                None => return,
            };
            if refusals(&measurement).is_some() && !self.settings.allow_refusals {
                return self.end_curve(subject, rate, "more than 1 % of the replies were refusals");
            }
            let (overloaded, busy) = (measurement.is_overloaded(), measurement.generator_busy);
            if measurement.generator_limited || (overloaded && busy > GENERATOR_BUSY) {
                let busy = busy * 100.0;
                let why = format!(
                    "the generator was the limit (busy {busy:.0} % of the time; --threads makes it stronger)"
                );
                return self.end_curve(subject, rate, &why);
            }
            self.comparison.rate_sweep.push(RatePoint {
                subject,
                offered: rate,
                achieved: measurement.achieved_rate,
                p50: measurement.latency.value_at(50.0),
                p99: measurement.latency.value_at(99.0),
                cpu: measurement.cpu_per_message().unwrap_or_default(),
                overloaded,
            });
            // What is too much already says nothing about more.
            if overloaded || self.has_failed(subject) {
                return;
            }
        }
    }

    /// Says why the curve of a subject ends below this rate.
    fn end_curve(&mut self, subject: usize, rate: f64, why: &str) {
        let name = &self.comparison.subjects[subject].name;
        let rate = report::rate(rate);
        self.note(format!("{name}: the curve of latency ends below {rate}: {why}"));
    }

    fn connections(&mut self, subject: usize, server: &mut dyn Running, counts: &[usize], places: Places) {
        for &connections in counts {
            let shape =
                Shape { name: format!("{connections} × 1"), connections, depth: 1, ..Shape::default() };
            self.announce(Stage::Connections, subject, &shape.name, places);
            let plan = self.under(&shape, server, self.slot, self.settings.seed);
            let (failed, rate) = match self.measure(subject, server, &plan) {
                None => return,
                Some(Ok(measurement)) => {
                    let failures = &measurement.failures;
                    (failures.connections(), measurement.achieved_rate)
                }
                Some(Err(_)) => (connections as u64, 0.0),
            };
            self.comparison.connection_sweep.push(ConnectionPoint { subject, connections, failed, rate });
            if self.has_failed(subject) {
                return;
            }
        }
    }
}

/// The rates of the curve, for what the slowest can do: at equal distances in logarithms, the same for all. Each subject
/// goes up until it is overloaded.
fn rates(slowest: f64) -> Vec<f64> {
    let mut rates: Vec<_> = (0..MOST).map(|index| two_digits(slowest * LEAST * STEP.powi(index))).collect();
    rates.dedup();
    rates
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rates_go_up_from_ease() {
        let rates = rates(20_000.0);
        assert_eq!(rates[..5], [5000.0, 7500.0, 11_000.0, 16_000.0, 25_000.0]);
        assert!(rates.len() == 16 && rates[15] > 400.0 * rates[0]);
        assert_eq!(super::rates(1.0)[..3], [1.0, 2.0, 4.0], "nothing but what can be told apart");
    }
}
