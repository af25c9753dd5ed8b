//! The search for the highest rate that keeps the objectives.
//!
//! The rate is raised by half until it fails; then the bracket between the highest that passed and the lowest
//! that failed is halved, in logarithms, until it is narrow. A machine's bad moment must not end the search,
//! and its good moment not decide it, so a rate fails, and within the bracket passes, only by two votes of at
//! most three. On the way up one pass is enough: what passed by luck there is found out by the confirmation,
//! which takes the rate a little below the highest that passed, where a server that is used in earnest would
//! be kept.
//!
//! A pass is an objective that was kept, a rate that was *achieved*, no bad reply, and no connection that failed.
//! Without the second, a search climbs far beyond what is really sent.

use std::io;

use crate::measurement::Measurement;
use crate::slo::{Slo, Verdict};

/// What a rate is measured for. A confirmation is worth a longer measurement than a vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To find rates between which the limit lies.
    Ramp,
    /// To bring them closer together.
    Bisection,
    /// To see that the rate can be kept.
    Confirmation,
}

/// Where a search looks, in messages per second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// The rate that is tried first.
    pub first: f64,
    /// No lower rate is tried.
    pub least: f64,
    /// No higher rate is tried.
    pub most: f64,
}

/// What a search has found. Rates are in messages per second.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// The highest rate that kept the objective; `None` if none did.
    pub highest_pass: Option<f64>,
    /// The lowest rate above it that did not; `None` if none failed.
    pub lowest_fail: Option<f64>,
    /// The rate of the confirmation, and whether it kept the objective.
    pub confirmation: Option<(f64, bool)>,
    /// Whether the generator was the limit where it failed, so that the server may do more.
    pub generator_limited: bool,
    /// Whether it can't be told that it failed where it did not pass: there were too few messages, say.
    pub undecided: bool,
    /// Whether the search was interrupted, so that the bracket is wider than it should be.
    pub interrupted: bool,
    /// Everything that was measured.
    pub votes: Vec<Vote>,
}

/// One measurement of a rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Vote {
    /// The rate.
    pub rate: f64,
    /// What it was measured for.
    pub purpose: Purpose,
    /// Whether it passed.
    pub pass: bool,
}

/// Searches the highest rate that keeps all of these objectives, with refusals allowed or not. `measure` makes an open loop of the rate that it is
/// given, for long enough to judge them; if what it returns is interrupted, so is the search.
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

/// By how much the rate is raised on the way up.
const RAISE: f64 = 1.5;

/// By how much it is lowered as long as none has passed.
const LOWER: f64 = 4.0;

/// The bracket is narrow when its upper end is less than so many times the lower.
const NARROW: f64 = 1.02;

/// At which part of the highest rate that passed the result is confirmed.
const CONFIRMED_AT: f64 = 0.95;

/// How much of the offered rate must be achieved.
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

    /// Brings the two closer together.
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
        // What `judge` says includes bad replies, failed connections and overload; here a little more must be achieved.
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
