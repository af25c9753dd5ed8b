//! The calibration: which rate is offered to all, and where the search for the highest rate begins.
//!
//! Each candidate is started once and loaded with a closed loop, one message in flight on each connection. Half of
//! what the slowest achieves is the *common rate*, at which what the same work costs and what users feel can be
//! compared. (Pipelined, a server does several times as much for each system call; half of *that* could be more than
//! it bears of single messages.) Who achieves less than a quarter of the median doesn't count: such a server is
//! overloaded at the common rate, and that is said, instead of having all others do next to nothing. The generator must
//! bear the rate as well: where it would be too busy to be on time, the rate is lowered, to half of it at the least.
//!
//! Where there are objectives, the highest rate that keeps them is then [searched](super::staircase) in large steps.
//!
//! On the way it is seen what starting a server and making connections costs on this machine, and with that
//! the slots are made to fit into the time.

use std::io;
use std::time::Duration;

use super::budget::{Slot, Work};
use super::candidate::Candidate;
use super::design::{Calibrated, Design};
use super::failure::{self, broken_connections};
use super::laboratory::Running;
use super::progress::Stage;
use super::runner::Runner;
use super::settings::Settings;
use super::staircase::SEARCHES;
use super::{Shape, report};
use load::measurement::Measurement;

/// How long each candidate is loaded to see what it can do.
pub(super) const SLOT: Slot =
    Slot { warmup: Duration::from_millis(150), duration: Duration::from_millis(350) };

/// Which part of what the slowest can do is offered to all.
const COMMON: f64 = 0.5;

/// Who can do less than this part of the median is not asked.
const ABLE: f64 = 0.25;

/// Who does less than this part of the median is tried again so often, and the best counts: another program may have
/// had the cores for a moment.
const SLOW: f64 = 0.5;
const RETRIES: usize = 2;

/// Which share of its core the generator may use at the common rate: a margin below what makes a measurement doubtful.
const EASY: f64 = 0.7;

/// Where it is busier, the rate is lowered to one at which it would use this share if it were busy in proportion to the
/// rate. At a lower rate it has less to do at once, and more for each message, so that it takes several attempts.
const AIM: f64 = 0.6;
const ATTEMPTS: usize = 3;

/// The common rate is never lowered to less than this part of it.
const LEAST: f64 = 0.5;

/// The work of the calibration.
pub(super) fn work(settings: &Settings) -> Work {
    let available = settings.candidates.iter().filter(|one| one.unavailable.is_none()).count();
    let once = Work { starts: available + 1, measurements: available + 1, memories: 0 };
    let searches = if settings.slos.is_empty() { 0 } else { available };
    once.and(Work { starts: searches, measurements: searches * SEARCHES / 3, memories: 0 })
}

impl Runner<'_> {
    /// Finds out what each can do, and what starting and connecting costs here.
    pub(super) fn calibrate(&mut self) {
        let candidates = &self.settings.candidates;
        let mut calibrated = vec![Calibrated::default(); candidates.len()];
        let mut able = Vec::new();
        let mut costs = Vec::new();
        let is_measured = |candidate: &Candidate| candidate.unavailable.is_none();
        for (index, candidate) in candidates.iter().enumerate().filter(|(_, one)| is_measured(one)) {
            let connections = candidate.max_connections.unwrap_or(usize::MAX).min(self.settings.clients);
            match self.try_out(index, &single(connections), &mut costs) {
                None => break,
                Some(Ok((rate, _))) if connections == self.settings.clients => able.push((index, rate)),
                Some(Ok(_)) => {}
                Some(Err((why, bad))) => {
                    self.note(format!("{} failed: {why}", candidate.name));
                    calibrated[index].failed = Some(why);
                    calibrated[index].bad = bad;
                }
            }
        }
        let middle = median(able.iter().map(|&(_, rate)| rate));
        for (index, rate) in able.iter_mut().filter(|(_, rate)| *rate < middle * SLOW) {
            for _ in 0..RETRIES {
                let again = self.try_out(*index, &single(self.settings.clients), &mut costs);
                *rate = rate.max(again.and_then(Result::ok).map_or(0.0, |(rate, _)| rate));
            }
        }
        let enough = middle * ABLE;
        let asked = || able.iter().filter(|(_, rate)| *rate >= enough);
        let least = asked().map(|&(_, rate)| rate).fold(f64::INFINITY, f64::min);
        self.least_capacity = if least.is_finite() { least.max(1.0) } else { 1.0 };
        self.common_rate = self.settings.rate.unwrap_or_else(|| two_digits(self.least_capacity * COMMON));
        if let Some(&(index, _)) = asked().next().filter(|_| self.settings.rate.is_none()) {
            self.ease(index, &mut costs);
        }
        let common = self.common_rate;
        for &(index, rate) in able.iter().filter(|(_, rate)| *rate < common.min(enough)) {
            calibrated[index].is_overloaded = true;
            let (name, rate, common) = (&candidates[index].name, report::rate(rate), report::rate(common));
            self.note(format!(
                "{name} does {rate}, less than a quarter of the median: the common rate of {common} overloads it"
            ));
        }
        if !self.settings.slos.is_empty() {
            for &(index, rate) in &able {
                calibrated[index].begin = self.search(index, rate * COMMON);
            }
        }
        if let Ok(count @ 1..) = u32::try_from(costs.len()) {
            self.costs.start = costs.iter().map(|cost| cost.0).sum::<Duration>() / count;
            self.costs.measurement = costs.iter().map(|cost| cost.1).sum::<Duration>() / count;
        }
        self.design = Design::new(self.settings, self.pinning.clone(), &calibrated, self.common_rate);
        self.comparison.subjects.clone_from(&self.design.subjects);
        self.comparison.shapes.clone_from(&self.design.shapes);
        self.plan(Duration::ZERO);
    }

    /// Lowers the common rate to one that the generator makes with ease. A candidate that fails here is found
    /// out in the rounds.
    fn ease(&mut self, candidate: usize, costs: &mut Vec<Cost>) {
        let least = two_digits(self.common_rate * LEAST);
        for _ in 0..ATTEMPTS {
            let rate = self.common_rate;
            let Some(Ok((_, busy))) = self.try_out(candidate, &self.probed(rate), costs) else { return };
            if busy <= EASY {
                return;
            }
            self.common_rate = two_digits(rate * AIM / busy).max(least);
            if self.common_rate <= least {
                return;
            }
        }
    }

    /// Starts a candidate, and loads it once: the rate that it achieved, and how busy the generator was, or
    /// why it has failed and how many replies were bad; `None` if it was interrupted.
    fn try_out(
        &mut self,
        candidate: usize,
        shape: &Shape,
        costs: &mut Vec<Cost>,
    ) -> Option<Result<(f64, f64), (String, u64)>> {
        if self.laboratory.is_stopped() {
            return None;
        }
        let begin = self.laboratory.now();
        self.announce_calibration(candidate, &shape.name);
        let cpus = self.design.usual().server.to_vec();
        let mut started = begin;
        let mut loaded = Duration::ZERO;
        let measured =
            self.laboratory.start(&self.settings.candidates[candidate], &cpus).and_then(|mut server| {
                started = self.laboratory.now();
                let measured = self.load_once(self.design.usual().load.to_vec(), shape, &mut *server, SLOT);
                loaded = self.laboratory.now().saturating_sub(started);
                // How it ended is known as long as the server is.
                let why = failure::in_any_case(&mut *server, &measured);
                let broken = measured.as_ref().ok().and_then(broken_connections);
                let why = why.or_else(|| broken.map(|why| failure::quoted(&*server, why)));
                measured.map(|measurement| (measurement, why))
            });
        if self.laboratory.is_stopped() {
            return None;
        }
        let start = self.laboratory.now().saturating_sub(begin).saturating_sub(loaded);
        Some(measured.map_err(|error| (error.to_string(), 0)).and_then(|(measurement, why)| {
            costs.push((start, loaded.saturating_sub(SLOT.warmup + SLOT.duration)));
            let bad = measurement.verification.bad();
            why.map_or(Ok((measurement.achieved_rate, measurement.generator_busy)), |why| Err((why, bad)))
        }))
    }

    /// Loads a server once, with the generator on these cores.
    pub(super) fn load_once(
        &mut self,
        cpus: Vec<usize>,
        shape: &Shape,
        server: &mut dyn Running,
        slot: Slot,
    ) -> io::Result<Measurement> {
        let plan = load::plan::Plan { cpus, ..self.under(shape, server, slot, self.settings.seed) };
        let measured = self.laboratory.measure(&plan);
        measured.map_err(|error| match server.failure(failure::EXIT) {
            Some(ended) => io::Error::other(ended),
            None => io::Error::new(error.kind(), failure::quoted(server, error.to_string())),
        })
    }

    pub(super) fn announce_calibration(&mut self, candidate: usize, load: &str) {
        let candidates = &self.settings.candidates;
        let places = ((1, 1), (candidate + 1, candidates.len()));
        self.step(Stage::Calibration, candidates[candidate].name.clone(), load, places);
    }
}

/// A closed loop with one message in flight on each of so many connections.
fn single(connections: usize) -> Shape {
    Shape { name: format!("{connections} × 1"), connections, depth: 1, ..Shape::default() }
}

/// What starting and ending a server cost, and what measuring did beside the load.
type Cost = (Duration, Duration);

/// The middle of some rates, the higher one of two in the middle; 0 of none.
fn median(rates: impl Iterator<Item = f64>) -> f64 {
    let mut rates: Vec<f64> = rates.collect();
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied().unwrap_or_default()
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

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([].into_iter()), 0.0);
    }
}
