//! The curves: memory against idle connections, latency against the rate, throughput against connections,
//! good clients beside hostile ones.
//!
//! They come from one pass, or, in the tier `full`, are the medians of several: screening, to see the shape of
//! things. Verdicts come from the rounds alone. In a pass each curve is drawn for all subjects before the
//! next, so that what is compared was measured close together; each subject has a fresh process for each.

use super::budget::Work;
use super::laboratory::{Ladder, Running};
use super::lineup::{RATES, hostile};
use super::medians;
use super::progress::Stage;
use super::rate::two_digits;
use super::runner::{Places, Runner};
use super::settings::{GOOD, HOSTILE};
use super::{ConnectionPoint, IsolationPoint, MemorySample, RatePoint, Shape, schedule};
use load::checks::GENERATOR_BUSY;
use load::plan::{Hostile, Plan};

/// The least and the most of the curve's rates, as parts of what the slowest and the fastest did at
/// calibration: from a load at which nobody queues to one that is too much for everybody.
const RATE_RANGE: (f64, f64) = (0.25, 1.2);

impl Runner<'_> {
    /// Draws all curves, as often as the tier says.
    pub(super) fn sweeps(&mut self) {
        let drawn = self.lineup.drawn();
        let passes = self.settings.passes();
        // Not the order of the rounds again.
        let order = schedule::balanced(drawn.len(), passes, self.settings.seed.wrapping_add(1));
        for (pass, order) in order.into_iter().enumerate() {
            for stage in [Stage::Memory, Stage::Rates, Stage::Connections, Stage::Isolation] {
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
        let one = |points: usize| Work { starts: 1, measurements: points, memories: 0 };
        let (idle, connections) =
            (self.lineup.idle(subject), self.lineup.connections(subject, self.settings));
        match stage {
            Stage::Memory if !idle.is_empty() => {
                let work = Work { starts: 1, measurements: 0, memories: 1 };
                self.serve(stage, subject, places, work, |runner, server| {
                    runner.memory(subject, server, &idle)
                });
            }
            Stage::Rates if self.lineup.has_rates(subject, self.settings) => {
                self.serve(stage, subject, places, one(RATES), |runner, server| {
                    runner.rates(subject, server, places);
                });
            }
            Stage::Connections if !connections.is_empty() => {
                self.serve(stage, subject, places, one(connections.len()), |runner, server| {
                    runner.connections(subject, server, &connections, places);
                });
            }
            Stage::Isolation if self.lineup.has_isolation(subject) => {
                self.serve(stage, subject, places, one(HOSTILE.len()), |runner, server| {
                    runner.isolation(subject, server, places);
                });
            }
            _ => {}
        }
    }

    fn memory(&mut self, subject: usize, server: &mut dyn Running, counts: &[usize]) {
        let size = self.settings.sizes.bounds().0;
        let (framing, expect) = (self.settings.framing, self.settings.expect.clone());
        let ladder = Ladder { counts, framing, expect, size };
        let (measured, result) = self.laboratory.memory(server, &ladder);
        let sample = |(connections, bytes)| MemorySample { subject, pass: 0, connections, bytes };
        self.comparison.memory.extend(measured.into_iter().map(sample));
        // Not a failure: how many it can hold here is no promise of the server's.
        if let (Err(error), false) = (result, self.laboratory.is_stopped()) {
            let why = server.failure().unwrap_or_else(|| error.to_string());
            let name = &self.comparison.subjects[subject].name;
            self.note(format!("{name}: the memory of idle connections is not known to the end: {why}"));
        }
    }

    fn rates(&mut self, subject: usize, server: &mut dyn Running, places: Places) {
        let (connections, depth) = (self.settings.clients, self.settings.depth);
        for rate in rates(self.capacities) {
            let shape = Shape { name: format!("{rate}/s"), connections, depth, rate: Some(rate), hostile: 0 };
            self.announce(Stage::Rates, subject, &shape.name, places);
            let plan = self.under(&shape, server, self.slot, self.settings.seed);
            let Some(Ok(measurement)) = self.measure(subject, server, &plan) else { return };
            let (overloaded, busy) = (measurement.is_overloaded(), measurement.generator_busy);
            if overloaded && busy > GENERATOR_BUSY {
                let name = &self.comparison.subjects[subject].name;
                self.note(format!(
                    "{name}: at {rate}/s the generator was busy {:.0} % of the time, so it is not known who fell \
                     behind; --threads makes it stronger",
                    busy * 100.0
                ));
                return;
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

    fn isolation(&mut self, subject: usize, server: &mut dyn Running, places: Places) {
        for percent in HOSTILE {
            let rate = Some(self.common_rate);
            let name = format!("{percent} % hostile");
            let shape = Shape { name, connections: GOOD, depth: self.settings.depth, rate, hostile: 0 };
            self.announce(Stage::Isolation, subject, &shape.name, places);
            let hostile = crowd(hostile(percent));
            let plan = Plan { hostile, ..self.under(&shape, server, self.slot, self.settings.seed) };
            let Some(Ok(measurement)) = self.measure(subject, server, &plan) else { return };
            self.comparison.isolation.push(IsolationPoint {
                subject,
                hostile_percent: percent,
                p99: measurement.latency.value_at(99.0),
                overloaded: measurement.is_overloaded() || measurement.latency.count == 0,
            });
            if self.has_failed(subject) {
                return;
            }
        }
    }
}

/// The rates of the curve, for what the slowest and the fastest can do: at equal distances in logarithms.
fn rates((slowest, fastest): (f64, f64)) -> Vec<f64> {
    let (least, most) = (slowest * RATE_RANGE.0, fastest * RATE_RANGE.1);
    let step = (most / least).powf(1.0 / (RATES - 1) as f64);
    let mut rates: Vec<_> = (0..RATES).map(|index| two_digits(least * step.powi(index as i32))).collect();
    rates.dedup();
    rates
}

/// So many hostile clients, a third of each kind, the worse kinds first.
fn crowd(clients: usize) -> Hostile {
    Hostile { slow_readers: clients.div_ceil(3), slow_writers: (clients + 1) / 3, idle: clients / 3 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rates_span_from_ease_to_too_much() {
        assert_eq!(rates((20_000.0, 40_000.0)), [5000.0, 8800.0, 15_000.0, 27_000.0, 48_000.0]);
        assert_eq!(rates((1.0, 1.0)), [1.0], "nothing but what can be told apart");
    }

    #[test]
    fn hostile_clients_are_of_all_kinds() {
        for clients in 0..10 {
            let crowd = crowd(clients);
            assert_eq!(crowd.slow_readers + crowd.slow_writers + crowd.idle, clients);
        }
        assert_eq!(crowd(5), Hostile { slow_readers: 2, slow_writers: 2, idle: 1 });
    }
}
