//! The progress of a comparison.

use std::fmt;
use std::time::Duration;

use super::runner::Runner;
use super::server::Written;

/// An event during a comparison, for display.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A step begins.
    Step(Step),
    /// Something that the user should know, such as a subject that failed.
    Note(String),
    /// A server wrote a line to standard error. This is reported at the next step, for the first thousand lines.
    Wrote {
        /// The name of the candidate.
        server: String,
        /// The line, without its line end and without terminal control sequences.
        line: String,
    },
}

/// A step of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The stage.
    pub stage: Stage,
    /// The name of the subject.
    pub subject: String,
    /// The name of the load.
    pub load: String,
    /// The round or pass, from 1, and how many there are.
    pub round: (usize, usize),
    /// The position in the round or pass, from 1, and how many there are.
    pub slot: (usize, usize),
    /// The time that has passed.
    pub passed: Duration,
    /// An estimate of the time that is left.
    pub left: Duration,
}

/// A stage of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The capacity of each candidate is measured, to choose a rate for all.
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

/// The round and the position in it, each from 1, and how many there are.
pub(super) type Positions = ((usize, usize), (usize, usize));

impl Runner<'_> {
    /// Marks a subject as failed. The first reason is kept.
    pub(super) fn fail(&mut self, subject: usize, why: String) {
        if !self.has_failed(subject) {
            self.note(format!("{} failed: {why}", self.comparison.subjects[subject].name));
            self.comparison.subjects[subject].failed = Some(why);
        }
    }

    /// Notes that a subject refuses messages, once for each subject.
    pub(super) fn note_refusals(&mut self, subject: usize, what: &str) {
        if !self.settings.allow_refusals && !self.noted_refusals.contains(&subject) {
            self.noted_refusals.push(subject);
            self.note(format!("{}: {what}", self.comparison.subjects[subject].name));
        }
    }

    pub(super) fn note(&mut self, text: String) {
        self.report_written();
        (self.on_event)(&Event::Note(text));
    }

    pub(super) fn announce(&mut self, stage: Stage, subject: usize, load: &str, positions: Positions) {
        let name = self.comparison.subjects[subject].name.clone();
        self.step(stage, name, load, positions);
    }

    /// Reports what servers have written to standard error since the last call.
    pub(super) fn report_written(&mut self) {
        let Written { lines, left_out } = self.testbed.written();
        for (server, line) in lines {
            (self.on_event)(&Event::Wrote { server, line });
        }
        if left_out > 0 {
            (self.on_event)(&Event::Note(format!(
                "servers wrote {left_out} more lines, which are not shown"
            )));
        }
    }

    /// Reports that a step begins.
    pub(super) fn step(&mut self, stage: Stage, subject: String, load: &str, (round, slot): Positions) {
        self.report_written();
        let now = self.testbed.now();
        let (load, left) = (load.to_owned(), self.clock.left(now));
        (self.on_event)(&Event::Step(Step { stage, subject, load, round, slot, passed: now, left }));
    }
}

/// How much time is planned, and how much of the plan is done.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clock {
    planned: Duration,
    done: Duration,
    begun: Duration,
}

impl Clock {
    /// A clock with `planned` time from `now` on.
    pub(super) fn new(planned: Duration, now: Duration) -> Self {
        Self { planned, done: Duration::ZERO, begun: now }
    }

    /// Counts a step, by its planned time, as done or skipped.
    pub(super) fn advance(&mut self, step: Duration) {
        self.done += step;
    }

    /// The time that is left. Once a tenth of the plan is done, it is scaled by the pace so far.
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
    fn the_time_left_follows_the_pace() {
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
