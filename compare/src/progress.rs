//! How a comparison goes on, for those who wait for it.

use std::fmt;
use std::time::Duration;

use super::runner::Runner;
use super::server::Written;

/// What is told while a comparison goes on.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The next step begins.
    Step(Step),
    /// Something that people should know: a subject that failed, say.
    Note(String),
    /// A server wrote a line to standard error. It is told of at the next step, and of the first thousand lines.
    Wrote {
        /// The name of the candidate.
        server: String,
        /// The line, without its end, and without what would direct a terminal.
        line: String,
    },
}

/// A step of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// What is done.
    pub stage: Stage,
    /// To whom.
    pub subject: String,
    /// Under which load.
    pub load: String,
    /// The round or pass, from 1, and how many there are.
    pub round: (usize, usize),
    /// The slot within it, from 1, and how many there are.
    pub slot: (usize, usize),
    /// How much time has passed.
    pub passed: Duration,
    /// How much is left, as far as can be told.
    pub left: Duration,
}

/// What is done in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// What each can do is found out, to choose a rate for all.
    Calibration,
    /// The rounds, from which verdicts come.
    Rounds,
    /// Memory against idle connections.
    Memory,
    /// Latency against the offered rate.
    Rates,
    /// Throughput against connections.
    Connections,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Calibration => "calibration",
            Self::Rounds => "rounds",
            Self::Memory => "memory",
            Self::Rates => "latency against rate",
            Self::Connections => "throughput against connections",
        })
    }
}

/// The round and the slot, each from 1, and how many there are.
pub(super) type Places = ((usize, usize), (usize, usize));

impl Runner<'_> {
    /// Marks a subject as failed. The first reason is kept.
    pub(super) fn fail(&mut self, subject: usize, why: String) {
        if !self.has_failed(subject) {
            self.note(format!("{} failed: {why}", self.comparison.subjects[subject].name));
            self.comparison.subjects[subject].failed = Some(why);
        }
    }

    /// Tells once of a subject that it refuses.
    pub(super) fn tell_of_refusals(&mut self, subject: usize, what: &str) {
        if !self.settings.allow_refusals && !self.has_refused.contains(&subject) {
            self.has_refused.push(subject);
            self.note(format!("{}: {what}", self.comparison.subjects[subject].name));
        }
    }

    pub(super) fn note(&mut self, text: String) {
        self.tell_written();
        (self.tell)(&Event::Note(text));
    }

    pub(super) fn announce(&mut self, stage: Stage, subject: usize, load: &str, places: Places) {
        let name = self.comparison.subjects[subject].name.clone();
        self.step(stage, name, load, places);
    }

    /// Says what servers have written to standard error since this was said the last time.
    pub(super) fn tell_written(&mut self) {
        let Written { lines, left_out } = self.laboratory.written();
        for (server, line) in lines {
            (self.tell)(&Event::Wrote { server, line });
        }
        if left_out > 0 {
            (self.tell)(&Event::Note(format!("servers wrote {left_out} more lines, which are not shown")));
        }
    }

    /// Says that a step begins.
    pub(super) fn step(&mut self, stage: Stage, subject: String, load: &str, (round, slot): Places) {
        self.tell_written();
        let now = self.laboratory.now();
        let (load, left) = (load.to_owned(), self.clock.left(now));
        (self.tell)(&Event::Step(Step { stage, subject, load, round, slot, passed: now, left }));
    }
}

/// How much time is planned, and how much of it has been used up.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clock {
    planned: Duration,
    done: Duration,
    begun: Duration,
}

impl Clock {
    /// So much is planned from `now` on.
    pub(super) fn new(planned: Duration, now: Duration) -> Self {
        Self { planned, done: Duration::ZERO, begun: now }
    }

    /// A step for which so much time was planned is over, or left out.
    pub(super) fn advance(&mut self, step: Duration) {
        self.done += step;
    }

    /// How much is left. Once enough has been seen, by the pace so far.
    pub(super) fn left(&self, now: Duration) -> Duration {
        let left = self.planned.saturating_sub(self.done);
        if self.done < self.planned / 10 || self.done.is_zero() {
            return left;
        }
        let pace = now.saturating_sub(self.begun).as_secs_f64() / self.done.as_secs_f64();
        left.mul_f64(pace.clamp(0.1, 10.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_follows_the_pace() {
        let seconds = Duration::from_secs;
        let mut clock = Clock::new(seconds(100), seconds(5));
        assert_eq!(clock.left(seconds(5)), seconds(100));
        clock.advance(seconds(5));
        assert_eq!(clock.left(seconds(30)), seconds(95), "too early to tell the pace");
        clock.advance(seconds(15));
        assert_eq!(clock.left(seconds(25)), seconds(80));
        assert_eq!(clock.left(seconds(45)), seconds(160), "half as fast");
        clock.advance(seconds(100));
        assert_eq!(clock.left(seconds(125)), Duration::ZERO);
    }
}
