//! The calibration: it chooses the rate that is offered to all, and where the search for the highest rate begins.
//!
//! Each candidate is started once and loaded with a closed loop, one message in flight on each connection. Half of the
//! slowest one's throughput is the *common rate*, at which cost and latency are compared. (With pipelining a server
//! handles several messages for each system call. Half of that throughput could overload it with single messages.) A
//! candidate below a quarter of the median is not taken into account: it is overloaded at the common rate, and the
//! report says so; otherwise all others would be nearly idle. The generator must sustain the rate as well: if it would
//! be too busy to send on time, the rate is lowered, but not below half.
//!
//! With subscribers a smaller share of that throughput is the rate of the [deliveries](super::fanout).
//!
//! If there are objectives, the highest rate that keeps them is then [searched](super::staircase) in large steps.
//!
//! The calibration also measures how long starting a server and opening connections takes on this machine. The length
//! of the measurements is planned with these times.

use std::io;
use std::time::Duration;

use super::budget::{Window, Work};
use super::candidate::Candidate;
use super::design::{Calibrated, Design};
use super::failure::{self, broken_connections};
use super::progress::Stage;
use super::runner::Runner;
use super::settings::Settings;
use super::staircase::SEARCHES;
use super::testbed::RunningServer;
use super::{Shape, fanout, report};
use load::measurement::Measurement;

/// How long each candidate is loaded in the calibration.
pub(super) const WINDOW: Window =
    Window { warmup: Duration::from_millis(150), duration: Duration::from_millis(350) };

/// The common rate as a share of the slowest candidate's throughput.
const COMMON_SHARE: f64 = 0.5;

/// Candidates below this share of the median throughput don't influence the common rate.
const COUNTED_SHARE: f64 = 0.25;

/// A candidate below `SLOW_SHARE` of the median throughput is measured again `RETRIES` times, and its best result
/// counts: another program may have used the cores for a moment.
const SLOW_SHARE: f64 = 0.5;
const RETRIES: usize = 2;

/// The share of its core that the generator may use at the common rate. It leaves a margin to the share at which a
/// measurement is flagged.
const MOST_BUSY: f64 = 0.7;

/// If it is busier, the rate is lowered to one at which it would use this share if its CPU time were proportional to
/// the rate. At a lower rate it batches less and needs more time for each message, so several attempts may be needed.
const TARGET_BUSY: f64 = 0.6;
const ATTEMPTS: usize = 3;

/// The common rate is never lowered below this share of it.
const LOWEST_SHARE: f64 = 0.5;

/// The work of the calibration.
pub(super) fn work(settings: &Settings) -> Work {
    let available = settings.candidates.iter().filter(|one| one.unavailable.is_none()).count();
    let once = Work { starts: available + 1, measurements: available + 1, memories: 0 };
    let searches = if settings.slos.is_empty() { 0 } else { available };
    once.and(Work { starts: searches, measurements: searches * SEARCHES / 3, memories: 0 })
}

impl Runner<'_> {
    /// Measures the capacity of each candidate, and how long starting and connecting take.
    pub(super) fn calibrate(&mut self) {
        let candidates = &self.settings.candidates;
        let mut calibrated = vec![Calibrated::default(); candidates.len()];
        let mut able = Vec::new();
        let mut overheads = Vec::new();
        let is_measured = |candidate: &Candidate| candidate.unavailable.is_none();
        for (index, candidate) in candidates.iter().enumerate().filter(|(_, one)| is_measured(one)) {
            let connections = candidate.max_connections.unwrap_or(usize::MAX).min(self.settings.clients);
            match self.try_out(index, &single(connections), WINDOW, &mut overheads) {
                None => break,
                Some(Ok(measured)) if connections == self.settings.clients => {
                    able.push((index, measured.achieved_rate));
                }
                Some(Ok(_)) => {}
                Some(Err((why, bad))) => {
                    self.note(format!("{} failed: {why}", candidate.name));
                    calibrated[index].failed = Some(why);
                    calibrated[index].bad = bad;
                }
            }
        }
        let middle = median(able.iter().map(|&(_, rate)| rate));
        for (index, rate) in able.iter_mut().filter(|(_, rate)| *rate < middle * SLOW_SHARE) {
            for _ in 0..RETRIES {
                let again = self.try_out(*index, &single(self.settings.clients), WINDOW, &mut overheads);
                *rate = rate.max(again.and_then(Result::ok).map_or(0.0, |of| of.achieved_rate));
            }
        }
        let enough = middle * COUNTED_SHARE;
        let has_subscribers = !self.settings.subscribers.is_empty();
        let counted = || able.iter().filter(|(_, rate)| *rate >= enough);
        let least = counted().map(|&(_, rate)| rate).fold(f64::INFINITY, f64::min);
        self.lowest_capacity = if least.is_finite() { least.max(1.0) } else { 1.0 };
        let share = if has_subscribers { fanout::SHARE } else { COMMON_SHARE };
        self.common_rate = self.settings.rate.unwrap_or_else(|| two_digits(self.lowest_capacity * share));
        if has_subscribers {
            // The first one that keeps up becomes the reference.
            let late: Vec<usize> = counted()
                .map(|&(index, _)| index)
                .take_while(|&index| self.is_late(index, &mut overheads))
                .collect();
            late.into_iter().for_each(|index| calibrated[index].is_late = true);
        } else if let Some(&(index, _)) = counted().next().filter(|_| self.settings.rate.is_none()) {
            self.lower_common_rate(index, &mut overheads);
        }
        let common = self.common_rate;
        for &(index, rate) in able.iter().filter(|(_, rate)| *rate < common.min(enough)) {
            calibrated[index].is_overloaded = true;
            let (name, rate, common) = (&candidates[index].name, report::rate(rate), report::rate(common));
            self.note(format!(
                "{name} achieves {rate}, less than a quarter of the median: the common rate of {common} overloads it"
            ));
        }
        if !self.settings.slos.is_empty() {
            for &(index, rate) in &able {
                calibrated[index].begin = self.search(index, rate * COMMON_SHARE);
            }
        }
        if let Ok(count @ 1..) = u32::try_from(overheads.len()) {
            self.overheads.start = overheads.iter().map(|one| one.0).sum::<Duration>() / count;
            self.overheads.measurement = overheads.iter().map(|one| one.1).sum::<Duration>() / count;
        }
        self.design = Design::new(self.settings, self.pinning.clone(), &calibrated, self.common_rate);
        self.comparison.subjects.clone_from(&self.design.subjects);
        self.comparison.shapes.clone_from(&self.design.shapes);
        self.plan(Duration::ZERO);
    }

    /// Lowers the common rate to one that the generator sustains. A candidate that fails here fails again in the
    /// rounds, where it is reported.
    fn lower_common_rate(&mut self, candidate: usize, overheads: &mut Vec<Overhead>) {
        let least = two_digits(self.common_rate * LOWEST_SHARE);
        for _ in 0..ATTEMPTS {
            let rate = self.common_rate;
            let Some(Ok(measured)) = self.try_out(candidate, &self.open_loop(rate), WINDOW, overheads) else {
                return;
            };
            let busy = measured.generator_busy;
            if busy <= MOST_BUSY {
                return;
            }
            self.common_rate = two_digits(rate * TARGET_BUSY / busy).max(least);
            if self.common_rate <= least {
                return;
            }
        }
    }

    /// Starts a candidate, and loads it once. Returns the measurement, or why the candidate failed and how many replies
    /// were bad; `None` if the comparison was interrupted.
    pub(super) fn try_out(
        &mut self,
        candidate: usize,
        shape: &Shape,
        window: Window,
        overheads: &mut Vec<Overhead>,
    ) -> Option<Result<Measurement, (String, u64)>> {
        if self.testbed.is_stopped() {
            return None;
        }
        let begin = self.testbed.now();
        self.announce_calibration(candidate, &shape.name);
        let cpus = self.design.usual().server.to_vec();
        let mut started = begin;
        let mut loaded = Duration::ZERO;
        let measured =
            self.testbed.start(&self.settings.candidates[candidate], &cpus).and_then(|mut server| {
                started = self.testbed.now();
                let measured =
                    self.load_once(self.design.usual().generator.to_vec(), shape, &mut *server, window);
                loaded = self.testbed.now().saturating_sub(started);
                // How the process ended can only be found out before the server is dropped.
                let why = failure::under_any_load(&mut *server, &measured);
                let broken = measured.as_ref().ok().and_then(broken_connections);
                let why = why.or_else(|| broken.map(|why| failure::quoted(&*server, why)));
                measured.map(|measurement| (measurement, why))
            });
        if self.testbed.is_stopped() {
            return None;
        }
        let start = self.testbed.now().saturating_sub(begin).saturating_sub(loaded);
        Some(measured.map_err(|error| (error.to_string(), 0)).and_then(|(measurement, why)| {
            overheads.push((start, loaded.saturating_sub(window.warmup + window.duration)));
            let bad = measurement.bad();
            why.map_or(Ok(measurement), |why| Err((why, bad)))
        }))
    }

    /// Loads a server once, with the generator on these cores.
    pub(super) fn load_once(
        &mut self,
        cpus: Vec<usize>,
        shape: &Shape,
        server: &mut dyn RunningServer,
        window: Window,
    ) -> io::Result<Measurement> {
        let plan = load::plan::Plan { cpus, ..self.plan_for(shape, server, window, self.settings.seed) };
        let measured = self.testbed.measure(&plan);
        measured.map_err(|error| match server.failure(failure::EXIT) {
            Some(ended) => io::Error::other(ended),
            None => io::Error::new(error.kind(), failure::quoted(server, error.to_string())),
        })
    }

    pub(super) fn announce_calibration(&mut self, candidate: usize, load: &str) {
        let candidates = &self.settings.candidates;
        let positions = ((1, 1), (candidate + 1, candidates.len()));
        self.step(Stage::Calibration, candidates[candidate].name.clone(), load, positions);
    }
}

/// A closed loop with one message in flight on each connection.
fn single(connections: usize) -> Shape {
    Shape { name: format!("{connections} × 1"), connections, depth: 1, ..Shape::default() }
}

/// The time to start and end a server, and the time of a measurement beyond warm-up and duration.
pub(super) type Overhead = (Duration, Duration);

/// The median, the upper one of an even number; 0 if there are no rates.
fn median(rates: impl Iterator<Item = f64>) -> f64 {
    let mut rates: Vec<f64> = rates.collect();
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied().unwrap_or_default()
}

/// Rounds down to two significant digits, for a number that is easy to remember; at least 1.
pub(super) fn two_digits(rate: f64) -> f64 {
    let unit = 10_f64.powf(rate.max(1.0).log10().floor() - 1.0).max(1.0);
    ((rate / unit).floor() * unit).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_rounded_to_two_digits() {
        let rates = [(38_412.0, 38_000.0), (999.9, 990.0), (1000.0, 1000.0), (47.3, 47.0), (7.9, 7.0)];
        for (rate, rounded) in rates {
            assert_eq!(two_digits(rate), rounded, "{rate}");
        }
        assert_eq!((two_digits(0.3), two_digits(0.0), two_digits(1e9)), (1.0, 1.0, 1e9));
    }

    #[test]
    fn the_median_of_an_even_number_is_the_upper_one() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([].into_iter()), 0.0);
    }
}
