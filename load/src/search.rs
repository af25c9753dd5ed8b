//! The search for the highest rate that meets the objectives.
//!
//! The rate is raised by half until it fails. Then the bracket between the highest rate that passed and the lowest that
//! failed is bisected on a logarithmic scale until it is narrow. A single disturbed measurement must not decide the
//! search: a rate fails, and within the bracket passes, only by two votes of at most three. While the rate is raised,
//! one pass is enough: a pass by chance is detected by the confirmation. The confirmation measures a rate slightly
//! below the highest that passed, as one would run a server in production.
//!
//! A pass requires that the objectives are met, that the rate is *achieved*, that no reply is bad, and that no
//! connection fails. Without the second condition, a search climbs far beyond the rate that is really sent.

use std::io;

use crate::measurement::Measurement;
use crate::slo::{Slo, Verdict};

/// The purpose of a measurement. A confirmation takes longer than a vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To find a bracket around the limit.
    Ramp,
    /// To narrow the bracket.
    Bisection,
    /// To confirm the rate.
    Confirmation,
}

/// The range of a search, in messages per second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// The rate that is tried first.
    pub first: f64,
    /// No lower rate is tried.
    pub least: f64,
    /// No higher rate is tried.
    pub most: f64,
}

/// The result of a search. Rates are in messages per second.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// The highest rate that met the objective; `None` if none did.
    pub highest_pass: Option<f64>,
    /// The lowest rate above it that did not; `None` if none failed.
    pub lowest_fail: Option<f64>,
    /// The rate of the confirmation, and whether it met the objective.
    pub confirmation: Option<(f64, bool)>,
    /// Whether the generator was the bottleneck at the failed rate, so that the server may be faster.
    pub generator_limited: bool,
    /// Whether rates that did not pass may not have failed, for example because there were too few messages.
    pub undecided: bool,
    /// Whether the search was interrupted, so that the bracket is wider than it should be.
    pub interrupted: bool,
    /// All measurements.
    pub votes: Vec<Vote>,
}

/// One measurement of a rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Vote {
    /// The rate.
    pub rate: f64,
    /// The purpose of the measurement.
    pub purpose: Purpose,
    /// Whether it passed.
    pub pass: bool,
}

/// Searches the highest rate that meets all of these objectives, with refusals allowed or not. `measure` runs an open
/// loop of the given rate, for long enough to judge the objectives; an interrupted measurement interrupts the search.
///
/// # Errors
/// Those of `measure`, `Interrupted` excepted.
pub fn find_max_rate(
    measure: &mut dyn FnMut(f64, Purpose) -> io::Result<Measurement>,
    slos: &[Slo],
    allow_refusals: bool,
    range: Range,
) -> io::Result<Found> {
    let mut search = Search { measure, slos, allow_refusals, found: Found::default() };
    search.bracket(range)?;
    search.narrow()?;
    search.confirm()?;
    Ok(search.found)
}

/// The factor by which the rate is raised while it passes.
const RAISE: f64 = 1.5;

/// The factor by which it is lowered until a rate passes.
const LOWER: f64 = 4.0;

/// The bracket is narrow enough when its upper end is below this factor times the lower.
const NARROW: f64 = 1.02;

/// The fraction of the highest passing rate at which the result is confirmed.
const CONFIRMED_AT: f64 = 0.95;

/// The share of the offered rate that must be achieved.
const ACHIEVED: f64 = 0.99;

struct Search<'a> {
    measure: &'a mut dyn FnMut(f64, Purpose) -> io::Result<Measurement>,
    slos: &'a [Slo],
    allow_refusals: bool,
    found: Found,
}

impl Search<'_> {
    /// Finds a rate that passes and one that fails.
    fn bracket(&mut self, range: Range) -> io::Result<()> {
        let mut rate = range.first.clamp(range.least, range.most.max(range.least));
        while !self.found.interrupted {
            let passed = self.passes(rate, Purpose::Ramp)?;
            let next = if passed { rate * RAISE } else { rate / LOWER };
            let (done, limit) = if passed {
                (self.found.lowest_fail.is_some() || rate >= range.most, range.most)
            } else {
                (self.found.highest_pass.is_some() || rate <= range.least, range.least)
            };
            if done {
                break;
            }
            rate = if passed { next.min(limit) } else { next.max(limit) };
        }
        Ok(())
    }

    /// Narrows the bracket.
    fn narrow(&mut self) -> io::Result<()> {
        while let (Some(pass), Some(fail), false) =
            (self.found.highest_pass, self.found.lowest_fail, self.found.interrupted)
        {
            if fail / pass < NARROW {
                break;
            }
            self.passes((pass * fail).sqrt(), Purpose::Bisection)?;
        }
        Ok(())
    }

    fn confirm(&mut self) -> io::Result<()> {
        if let (Some(pass), false) = (self.found.highest_pass, self.found.interrupted) {
            let rate = pass * CONFIRMED_AT;
            let vote = self.vote(rate, Purpose::Confirmation)?;
            self.found.confirmation = vote.map(|pass| (rate, pass));
        }
        Ok(())
    }

    /// Whether a rate passes, by votes; the bracket is moved accordingly. An interrupted vote moves nothing.
    fn passes(&mut self, rate: f64, purpose: Purpose) -> io::Result<bool> {
        let enough = if purpose == Purpose::Ramp { 1 } else { 2 };
        let (mut passes, mut fails) = (0, 0);
        loop {
            match self.vote(rate, purpose)? {
                None => return Ok(false),
                Some(true) => passes += 1,
                Some(false) => fails += 1,
            }
            if passes >= enough {
                self.found.highest_pass = Some(rate);
                return Ok(true);
            }
            if fails >= 2 {
                self.found.lowest_fail = Some(rate);
                return Ok(false);
            }
        }
    }

    /// One measurement; `None` if it was interrupted.
    fn vote(&mut self, rate: f64, purpose: Purpose) -> io::Result<Option<bool>> {
        let measurement = match (self.measure)(rate, purpose) {
            Ok(measurement) if !measurement.interrupted => measurement,
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {
                self.found.interrupted = true;
                return Ok(None);
            }
        };
        // `judge` includes bad replies, failed connections and overload; here a slightly higher share of the rate must
        // be achieved.
        let verdicts: Vec<_> =
            self.slos.iter().map(|slo| slo.judge(&measurement, self.allow_refusals)).collect();
        let achieved = measurement.achieved_rate >= ACHIEVED * rate;
        let pass = achieved && verdicts.iter().all(Verdict::is_pass);
        if !pass {
            self.found.undecided = achieved && !verdicts.iter().any(Verdict::is_fail);
            self.found.generator_limited = measurement.generator_limited;
        }
        self.found.votes.push(Vote { rate, purpose, pass });
        Ok(Some(pass))
    }
}

#[cfg(test)]
mod tests;
