//! The curves: memory against idle connections, latency against the rate, throughput against connections.
//!
//! Latency and throughput come from one pass, or, in the tier `full`, are the medians of several: screening, to see
//! the shape of things. In a pass each curve is drawn for all subjects before the next, so that what is compared was
//! measured close together; each subject has a fresh process for each.

use super::budget::Work;
use super::failure::{EXIT, quoted, refusals};
use super::idle::Ladder;
use super::laboratory::Running;
use super::progress::{Places, Stage};
use super::rate::two_digits;
use super::rounds::balanced;
use super::runner::Runner;
use super::{Comparison, ConnectionPoint, MemorySample, RatePoint, Shape, report};
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
        let order = balanced(drawn.len(), passes, self.settings.seed.wrapping_add(1));
        for (pass, order) in order.into_iter().enumerate() {
            for stage in [Stage::Memory, Stage::Rates, Stage::Connections] {
                for (slot, subject) in order.iter().map(|&index| drawn[index]).enumerate() {
                    if !self.laboratory.is_stopped() {
                        self.sweep(stage, subject, ((pass + 1, passes), (slot + 1, order.len())));
                    }
                }
            }
        }
        keep_medians(&mut self.comparison);
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
        let of_it = measured.into_iter().map(|sample| MemorySample { subject, pass, ..sample });
        self.comparison.memory.extend(of_it);
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

/// Puts the median in the place of each point of the curves that was measured several times. A point is
/// overloaded if it was so in most passes. The samples of memory stay, since conclusions are drawn from them.
fn keep_medians(comparison: &mut Comparison) {
    let rates = grouped(&comparison.rate_sweep, |point| (point.subject, point.offered));
    comparison.rate_sweep = map(&rates, |points, one: &RatePoint| RatePoint {
        achieved: median(points, |point| point.achieved),
        p50: median(points, |point| point.p50),
        p99: median(points, |point| point.p99),
        cpu: (median(points, |point| point.cpu.0), median(points, |point| point.cpu.1)),
        overloaded: most(points, |point| point.overloaded),
        ..one.clone()
    });
    let connections = grouped(&comparison.connection_sweep, |point| (point.subject, point.connections));
    comparison.connection_sweep = map(&connections, |points, one: &ConnectionPoint| ConnectionPoint {
        failed: median(points, |point| point.failed as f64) as u64,
        rate: median(points, |point| point.rate),
        ..one.clone()
    });
}

/// The points with the same key, in the order in which the keys came first. There are few keys.
fn grouped<Point, Key: PartialEq>(points: &[Point], key: impl Fn(&Point) -> Key) -> Vec<Vec<&Point>> {
    let mut groups: Vec<Vec<&Point>> = Vec::new();
    for point in points {
        match groups.iter_mut().find(|group| key(group[0]) == key(point)) {
            Some(group) => group.push(point),
            None => groups.push(vec![point]),
        }
    }
    groups
}

/// One point for each group, made of all of them and of the first.
fn map<Point>(groups: &[Vec<&Point>], one: impl Fn(&[&Point], &Point) -> Point) -> Vec<Point> {
    groups.iter().map(|points| one(points, points[0])).collect()
}

/// The middle of what the points have; of the two in the middle, what lies between them.
fn median<Point>(points: &[&Point], of: impl Fn(&Point) -> f64) -> f64 {
    let mut values: Vec<f64> = points.iter().map(|point| of(point)).collect();
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => 0.0,
        count if count % 2 == 0 => f64::midpoint(values[middle - 1], values[middle]),
        _ => values[middle],
    }
}

fn most<Point>(points: &[&Point], is: impl Fn(&Point) -> bool) -> bool {
    points.iter().filter(|point| is(point)).count() * 2 > points.len()
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

    fn point(subject: usize, offered: f64, p99: f64, overloaded: bool) -> RatePoint {
        RatePoint { subject, offered, p99, overloaded, ..RatePoint::default() }
    }

    #[test]
    fn each_point_is_the_median_of_its_passes() {
        let mut comparison = Comparison {
            rate_sweep: vec![
                point(1, 10.0, 5.0, false),
                point(1, 20.0, 8.0, true),
                point(0, 10.0, 1.0, false),
                point(1, 10.0, 9.0, true),
                point(1, 10.0, 6.0, false),
                point(1, 20.0, 10.0, true),
            ],
            ..Comparison::default()
        };
        keep_medians(&mut comparison);
        let expected = [point(1, 10.0, 6.0, false), point(1, 20.0, 9.0, true), point(0, 10.0, 1.0, false)];
        assert_eq!(comparison.rate_sweep, expected);
    }

    #[test]
    fn one_pass_is_kept_as_it_is() {
        let points = vec![point(0, 1.0, 2.0, true), point(0, 2.0, 3.0, false)];
        let mut comparison = Comparison { rate_sweep: points.clone(), ..Comparison::default() };
        keep_medians(&mut comparison);
        assert_eq!(comparison.rate_sweep, points);
    }
}
