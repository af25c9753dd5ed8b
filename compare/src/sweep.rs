//! The curves: memory against idle connections, latency against the rate, throughput against connections.
//!
//! Latency and throughput come from one pass or, in the tier `full`, are the medians of several. They are for screening
//! and have no verdicts. In a pass each curve is measured for all subjects before the next curve, so that the points to
//! compare are close in time. Each subject is started again for each curve.

use super::budget::Work;
use super::failure::{EXIT, quoted, refusals};
use super::idle::IdlePlan;
use super::progress::{Positions, Stage};
use super::rate::two_digits;
use super::rounds::balanced;
use super::runner::Runner;
use super::testbed::RunningServer;
use super::{Comparison, ConnectionPoint, MemorySample, RatePoint, Shape, report};
use load::checks::GENERATOR_BUSY;
use load::plan::Messages;

/// The first rate of the curve, as a share of the slowest subject's throughput in the calibration: a load without
/// queueing.
const FIRST_SHARE: f64 = 0.25;

/// The factor between two rates, and the maximum number of rates: the last is more than 400 times the first.
const STEP: f64 = 1.5;
const MOST_RATES: i32 = 16;

impl Runner<'_> {
    /// Measures all curves, as often as the tier says.
    pub(super) fn sweeps(&mut self) {
        let drawn = self.design.drawn();
        let passes = self.settings.passes();
        // A different order from that of the rounds.
        let order = balanced(drawn.len(), passes, self.settings.seed.wrapping_add(1));
        for (pass, order) in order.into_iter().enumerate() {
            for stage in [Stage::Memory, Stage::Rates, Stage::Connections] {
                for (slot, subject) in order.iter().map(|&index| drawn[index]).enumerate() {
                    if !self.testbed.is_stopped() {
                        self.sweep(stage, subject, ((pass + 1, passes), (slot + 1, order.len())));
                    }
                }
            }
        }
        keep_medians(&mut self.comparison);
    }

    fn sweep(&mut self, stage: Stage, subject: usize, positions: Positions) {
        let one = |measurements: usize| (positions, Work { starts: 1, measurements, memories: 0 });
        let (idle, connections) =
            (self.design.idle(subject), self.design.connections(subject, self.settings));
        let rates = self.design.rates(subject, self.settings);
        let usual = self.design.usual().server.to_vec();
        match stage {
            Stage::Memory if !idle.is_empty() => {
                let work = (positions, Work { starts: 1, measurements: 0, memories: 1 });
                self.with_server(stage, subject, &usual, work, |runner, server| {
                    runner.memory(subject, server, &idle, positions.0.0 - 1);
                });
            }
            Stage::Rates if rates > 0 => {
                self.with_server(stage, subject, &usual, one(rates), |runner, server| {
                    runner.rates(subject, server, positions);
                });
            }
            Stage::Connections if !connections.is_empty() => {
                let cpus = self.design.saturated().server.to_vec();
                self.with_server(stage, subject, &cpus, one(connections.len()), |runner, server| {
                    runner.connections(subject, server, &connections, positions);
                });
            }
            _ => {}
        }
    }

    fn memory(&mut self, subject: usize, server: &mut dyn RunningServer, counts: &[usize], pass: usize) {
        let (framing, greets) = (self.settings.framing, self.settings.expect.greets());
        let messages = &self.settings.messages;
        // The shortest message that the generator makes.
        let size = if let Messages::Made(sizes) = messages { sizes.bounds().0 } else { 0 };
        let (message, transform) = (messages.example(framing, size), self.settings.transform.clone());
        let plan = IdlePlan { counts, framing, greets, message, transform };
        let (measured, result) = self.testbed.memory(server, &plan);
        let of_it = measured.into_iter().map(|sample| MemorySample { subject, pass, ..sample });
        self.comparison.memory.extend(of_it);
        // Not a failure of the subject: it need not hold this many connections.
        if let (Err(error), false) = (result, self.testbed.is_stopped()) {
            let why = server.failure(EXIT).unwrap_or_else(|| error.to_string());
            let name = &self.comparison.subjects[subject].name;
            self.note(format!(
                "{name}: the memory of idle connections was not measured at all counts: {why}"
            ));
        }
    }

    fn rates(&mut self, subject: usize, server: &mut dyn RunningServer, positions: Positions) {
        for rate in rates(self.lowest_capacity) {
            let shape = self.open_loop(rate);
            self.announce(Stage::Rates, subject, &shape.name, positions);
            let plan = self.plan_for(&shape, server, self.window, self.settings.seed);
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
                    "the generator was the bottleneck (busy {busy:.0} % of the time; raise --threads)"
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
            // Higher rates would only overload it more.
            if overloaded || self.has_failed(subject) {
                return;
            }
        }
    }

    /// Notes why the curve of a subject ends below this rate.
    fn end_curve(&mut self, subject: usize, rate: f64, why: &str) {
        let name = &self.comparison.subjects[subject].name;
        let rate = report::rate(rate);
        self.note(format!("{name}: the curve of latency ends below {rate}: {why}"));
    }

    fn connections(
        &mut self,
        subject: usize,
        server: &mut dyn RunningServer,
        counts: &[usize],
        positions: Positions,
    ) {
        for &connections in counts {
            let shape =
                Shape { name: format!("{connections} × 1"), connections, depth: 1, ..Shape::default() };
            self.announce(Stage::Connections, subject, &shape.name, positions);
            let plan = self.plan_for(&shape, server, self.window, self.settings.seed);
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

/// The rates of the curve, from the slowest subject's throughput: equidistant in logarithms, the same for all. Each
/// subject is measured up to its overload.
fn rates(slowest: f64) -> Vec<f64> {
    let mut rates: Vec<_> =
        (0..MOST_RATES).map(|index| two_digits(slowest * FIRST_SHARE * STEP.powi(index))).collect();
    rates.dedup();
    rates
}

/// Replaces the points of the curves that were measured several times by their median. A point is overloaded if it was
/// in most passes. The samples of memory are kept, because verdicts use them.
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

/// The points grouped by key, in the order of the keys' first occurrence. There are few keys.
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

/// One point for each group, from all of its points and its first one.
fn map<Point>(groups: &[Vec<&Point>], one: impl Fn(&[&Point], &Point) -> Point) -> Vec<Point> {
    groups.iter().map(|points| one(points, points[0])).collect()
}

/// The median of the points' values; the mean of the two in the middle if their number is even.
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
    fn the_rates_rise_from_a_light_load() {
        let rates = rates(20_000.0);
        assert_eq!(rates[..5], [5000.0, 7500.0, 11_000.0, 16_000.0, 25_000.0]);
        assert!(rates.len() == 16 && rates[15] > 400.0 * rates[0]);
        assert_eq!(super::rates(1.0)[..3], [1.0, 2.0, 4.0], "no rate twice");
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
