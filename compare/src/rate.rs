//! Which rate is offered to all.
//!
//! Each candidate is started once and loaded with a closed loop, one message in flight on each connection.
//! Half of what the slowest achieves is the *common rate*: a load that all of them bear, at which what the
//! same work costs and what users feel can be compared. (Pipelined, a server does several times as much for
//! each system call; half of *that* could be more than it bears of single messages.) The generator must bear
//! it as well: where it would be too busy to be on time, the rate is lowered until it isn't.
//!
//! Closed loops that were asked for have no rate, and need no calibration.
//!
//! On the way it is seen what starting a server and making connections costs on this machine, and with that
//! the slots are made to fit into the time.

use std::io;
use std::time::Duration;

use super::Shape;
use super::budget::{Slot, Work};
use super::candidate::Candidate;
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

/// Which share of its core the generator may use for that. A margin below what makes a measurement doubtful:
/// at a lower rate it has less to do at once, and more for each message.
const EASY: f64 = 0.5;

/// The work of the calibration.
pub(super) fn work(settings: &Settings) -> Work {
    let all = settings.candidates.iter().filter(|one| one.unavailable.is_none()).count() + 1;
    Work { starts: all, measurements: all, memories: 0 }
}

impl Runner<'_> {
    /// Finds out what each can do, and what starting and connecting costs here.
    pub(super) fn calibrate(&mut self) {
        let candidates = &self.settings.candidates;
        let mut failed = vec![None; candidates.len()];
        let mut able = Vec::new();
        let mut costs = Vec::new();
        let is_needed = self.settings.closed_loops.is_empty();
        for candidate in candidates {
            if let Some(why) = &candidate.unavailable {
                self.note(format!("{} is not available here: {why}", candidate.name));
            }
        }
        let is_measured = |candidate: &Candidate| is_needed && candidate.unavailable.is_none();
        for (index, candidate) in candidates.iter().enumerate().filter(|(_, one)| is_measured(one)) {
            let connections = candidate.max_connections.unwrap_or(usize::MAX).min(self.settings.clients);
            let shape =
                Shape { name: format!("{connections} × 1"), connections, depth: 1, ..Shape::default() };
            match self.try_out(index, &shape, &mut costs) {
                None => break,
                Some(Ok((rate, _))) if connections == self.settings.clients => able.push((index, rate)),
                Some(Ok(_)) => {}
                Some(Err(why)) => {
                    self.note(format!("{} failed: {why}", candidate.name));
                    failed[index] = Some(why);
                }
            }
        }
        let rates = able.iter().map(|&(_, rate)| rate);
        let most = rates.clone().fold(1.0, f64::max);
        self.capacities = (rates.fold(most, f64::min).max(1.0), most);
        self.common_rate = self.settings.rate.unwrap_or_else(|| two_digits(self.capacities.0 * COMMON));
        if let Some(&(index, _)) = able.first().filter(|_| self.settings.rate.is_none()) {
            self.ease(index, &mut costs);
        }
        if let Ok(count @ 1..) = u32::try_from(costs.len()) {
            self.costs.start = costs.iter().map(|cost| cost.0).sum::<Duration>() / count;
            self.costs.measurement = costs.iter().map(|cost| cost.1).sum::<Duration>() / count;
        }
        self.lineup = Lineup::new(self.settings, &failed, self.common_rate);
        self.comparison.subjects.clone_from(&self.lineup.subjects);
        self.comparison.shapes.clone_from(&self.lineup.shapes);
        self.plan(Duration::ZERO);
    }

    /// Lowers the common rate to one that the generator makes with ease. A candidate that fails here is found
    /// out in the rounds.
    fn ease(&mut self, candidate: usize, costs: &mut Vec<Cost>) {
        let (connections, depth, rate) = (self.settings.clients, self.settings.depth, self.common_rate);
        let shape = Shape {
            name: format!("{connections} at {rate}/s"),
            connections,
            depth,
            rate: Some(rate),
            hostile: 0,
        };
        if let Some(Ok((_, busy))) = self.try_out(candidate, &shape, costs)
            && busy > EASY
        {
            self.common_rate = two_digits(rate * EASY / busy);
        }
    }

    /// Starts a candidate, and loads it once: the rate that it achieved, and how busy the generator was, or
    /// why it has failed; `None` if it was interrupted.
    fn try_out(
        &mut self,
        candidate: usize,
        shape: &Shape,
        costs: &mut Vec<Cost>,
    ) -> Option<Result<(f64, f64), String>> {
        if self.laboratory.is_stopped() {
            return None;
        }
        let places = ((1, 1), (candidate + 1, self.settings.candidates.len()));
        let candidate = &self.settings.candidates[candidate];
        self.step(Stage::Calibration, candidate.name.clone(), &shape.name, places);
        let begin = self.laboratory.now();
        let mut started = begin;
        let measured = self.laboratory.start(candidate).and_then(|mut server| {
            started = self.laboratory.now();
            let plan = self.under(shape, &*server, SLOT, self.settings.seed);
            let measured = self.laboratory.measure(&plan);
            measured.map_err(|error| server.failure().map_or(error, io::Error::other))
        });
        if self.laboratory.is_stopped() {
            return None;
        }
        let loaded = self.laboratory.now().saturating_sub(started);
        Some(measured.map_err(|error| error.to_string()).and_then(|measurement| {
            costs.push((started.saturating_sub(begin), loaded.saturating_sub(SLOT.warmup + SLOT.duration)));
            let why = bad_replies(&measurement).or_else(|| broken_connections(&measurement));
            why.map_or(Ok((measurement.achieved_rate, measurement.generator_busy)), Err)
        }))
    }
}

/// What starting a server cost, and what measuring did beside the load.
type Cost = (Duration, Duration);

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
