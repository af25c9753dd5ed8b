//! Which rate is offered to all.
//!
//! Each candidate is started once and loaded with a closed loop, one message in flight on each connection.
//! Half of what the slowest achieves is the *common rate*: a load that all of them bear, at which what the
//! same work costs and what users feel can be compared. (Pipelined, a server does several times as much for
//! each system call; half of *that* could be more than it bears of single messages.)
//!
//! On the way it is seen what starting a server and making connections costs on this machine, and with that
//! the slots are made to fit into the time.

use std::io;
use std::time::Duration;

use super::Shape;
use super::budget::{Slot, Work};
use super::lineup::Lineup;
use super::progress::Stage;
use super::runner::Runner;
use super::sample::{bad_replies, broken_connections};
use super::settings::Settings;

/// How long each candidate is loaded to see what it can do.
pub(super) const SLOT: Slot =
    Slot { warmup: Duration::from_millis(150), duration: Duration::from_millis(350) };

/// Which part of what the slowest can do is offered to all.
const COMMON: f64 = 0.5;

/// The work of the calibration.
pub(super) fn work(settings: &Settings) -> Work {
    let candidates = settings.candidates.len();
    Work { starts: candidates, measurements: candidates, memories: 0 }
}

impl Runner<'_> {
    /// Finds out what each can do, and what starting and connecting costs here.
    pub(super) fn calibrate(&mut self) {
        let mut failed = vec![None; self.settings.candidates.len()];
        let mut capacities = Vec::new();
        let mut costs = Vec::new();
        for (index, candidate) in self.settings.candidates.iter().enumerate() {
            if self.laboratory.is_stopped() {
                break;
            }
            let connections = candidate.max_connections.unwrap_or(usize::MAX).min(self.settings.clients);
            let shape = Shape { connections, depth: 1, ..Shape::default() };
            let place = ((1, 1), (index + 1, self.settings.candidates.len()));
            self.step(Stage::Calibration, candidate.name.clone(), &format!("{connections} × 1"), place);
            let begin = self.laboratory.now();
            let mut started = begin;
            let measured = self.laboratory.start(candidate).and_then(|mut server| {
                started = self.laboratory.now();
                let plan = self.under(&shape, &*server, SLOT, self.settings.seed);
                let measurement = self.laboratory.measure(&plan);
                measurement.map_err(|error| server.failure().map_or(error, io::Error::other))
            });
            if self.laboratory.is_stopped() {
                break;
            }
            match measured {
                Ok(measurement) => {
                    failed[index] = bad_replies(&measurement).or_else(|| broken_connections(&measurement));
                    if failed[index].is_none() && connections == self.settings.clients {
                        capacities.push(measurement.achieved_rate);
                    }
                    let busy = SLOT.warmup + SLOT.duration;
                    costs.push((started - begin, (self.laboratory.now() - started).saturating_sub(busy)));
                }
                Err(error) => failed[index] = Some(error.to_string()),
            }
            if let Some(why) = &failed[index] {
                self.note(format!("{} failed: {why}", candidate.name));
            }
        }
        self.capacities = capacities.iter().fold((f64::INFINITY, 1.0), |(least, most), &capacity| {
            (f64::min(least, capacity), f64::max(most, capacity))
        });
        self.capacities.0 = self.capacities.0.min(self.capacities.1).max(1.0);
        self.common_rate = two_digits(self.capacities.0 * COMMON);
        if let Ok(count @ 1..) = u32::try_from(costs.len()) {
            self.costs.start = costs.iter().map(|cost| cost.0).sum::<Duration>() / count;
            self.costs.measurement = costs.iter().map(|cost| cost.1).sum::<Duration>() / count;
        }
        self.lineup = Lineup::new(self.settings, &failed, self.common_rate);
        self.comparison.subjects.clone_from(&self.lineup.subjects);
        self.comparison.shapes.clone_from(&self.lineup.shapes);
        self.plan(Duration::ZERO);
    }
}

/// The next lower number with two significant digits, which people can remember; at least one.
pub(super) fn two_digits(rate: f64) -> f64 {
    let unit = 10_f64.powf(rate.max(1.0).log10().floor() - 1.0).max(1.0);
    ((rate / unit).floor() * unit).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_two_digits() {
        let rates = [(38_412.0, 38_000.0), (999.9, 990.0), (1000.0, 1000.0), (47.3, 47.0), (7.9, 7.0)];
        for (rate, rounded) in rates {
            assert_eq!(two_digits(rate), rounded, "{rate}");
        }
        assert_eq!((two_digits(0.3), two_digits(0.0), two_digits(1e9)), (1.0, 1.0, 1e9));
    }
}
