//! Carries a comparison out.
//!
//! 1. **[Calibration](super::rate)**, to choose a rate that all of them bear.
//! 2. **Rounds**, in the order of [`schedule`]. In each, every subject has a fresh process, so that no process's
//!    luck with its memory decides, and serves all its loads one after the other in that one life, in the same
//!    order as all others.
//! 3. **Curves**, from [`sweeps`](super::sweep): screening.
//!
//! A subject whose replies are bad, whose connections break or whose process ends is marked as failed and not
//! measured any further; the rest goes on.

use std::io;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime};

use super::budget::{Costs, Slot, Work};
use super::data::VERSION;
use super::laboratory::{Laboratory, Machine, Running};
use super::lineup::Lineup;
use super::progress::{Clock, Event, Stage, Step};
use super::sample::{Place, bad_replies, broken_connections};
use super::settings::Settings;
use super::{Comparison, Conditions, Sample, Shape, rate, schedule};
use crate::machine;
use load::measurement::Measurement;
use load::plan::{Arrivals, Dispatch, Expect, Messages, Pace, Plan};

/// Compares. `stop` ends it within a second, with what there is by then, marked as interrupted; `tell` is
/// called when a step begins, and when there is something that people should know.
///
/// # Errors
/// If the settings make no sense (`InvalidInput`). What goes wrong with a subject is in the comparison.
pub fn compare(
    settings: &Settings,
    stop: &AtomicBool,
    tell: &mut dyn FnMut(&Event),
) -> io::Result<Comparison> {
    settings.check().map_err(|why| io::Error::new(io::ErrorKind::InvalidInput, why))?;
    Ok(Runner::new(settings, &mut Machine::new(stop), tell).run())
}

/// What can be told of a comparison before anything is measured: where and how it will be made, of whom, and under
/// which loads. A rate that is yet to be found out is none of them.
pub fn planned(settings: &Settings) -> Comparison {
    let Lineup { subjects, mut shapes, .. } = Lineup::new(settings, &[], settings.rate.unwrap_or(1.0));
    shapes.retain(|shape| shape.rate == settings.rate || shape.rate.is_none());
    Comparison {
        conditions: conditions(settings),
        subjects,
        shapes,
        version: VERSION,
        ..Comparison::default()
    }
}

pub(super) struct Runner<'a> {
    pub(super) settings: &'a Settings,
    pub(super) laboratory: &'a mut dyn Laboratory,
    tell: &'a mut dyn FnMut(&Event),
    pub(super) comparison: Comparison,
    pub(super) lineup: Lineup,
    pub(super) slot: Slot,
    pub(super) costs: Costs,
    clock: Clock,
    /// The rate that is offered to all, and the least and the most that anybody achieved at calibration.
    pub(super) common_rate: f64,
    pub(super) capacities: (f64, f64),
}

impl<'a> Runner<'a> {
    pub(super) fn new(
        settings: &'a Settings,
        laboratory: &'a mut dyn Laboratory,
        tell: &'a mut dyn FnMut(&Event),
    ) -> Self {
        let mut runner = Self {
            settings,
            laboratory,
            tell,
            comparison: Comparison { version: VERSION, ..Comparison::default() },
            lineup: Lineup::new(settings, &[], 1.0),
            slot: rate::SLOT,
            costs: Costs::default(),
            clock: Clock::default(),
            common_rate: 1.0,
            capacities: (1.0, 1.0),
        };
        runner.plan(rate::work(settings).time(rate::SLOT, runner.costs));
        runner
    }

    pub(super) fn run(mut self) -> Comparison {
        let begin = self.laboratory.now();
        self.comparison.conditions = conditions(self.settings);
        self.calibrate();
        self.rounds();
        self.sweeps();
        self.comparison.interrupted = self.laboratory.is_stopped();
        self.comparison.conditions.seconds = self.laboratory.now().saturating_sub(begin).as_secs_f64();
        self.comparison
    }

    /// Makes the slots as long as the time allows in which nothing has been spent but `first`.
    pub(super) fn plan(&mut self, first: Duration) {
        let settings = self.settings;
        let curves = self.lineup.pass(settings).times(settings.passes());
        let spent = self.laboratory.now() + first;
        let usual = self.lineup.round().times(settings.tier.rounds()).and(curves);
        self.slot = match settings.closed_loops.as_slice() {
            [] => Slot::within(settings.tier.time().saturating_sub(spent), usual, self.costs),
            _ => Slot::short(settings.tier),
        };
        let work = self.lineup.round().times(settings.rounds()).and(curves);
        self.clock = Clock::new(work.time(self.slot, self.costs) + first, self.laboratory.now());
    }

    fn rounds(&mut self) {
        let active = self.lineup.active();
        let rounds = self.settings.rounds();
        if !self.settings.closed_loops.is_empty() {
            let left = self.clock.left(self.laboratory.now()).as_secs_f64() / 60.0;
            let loads = self.lineup.shapes.len();
            self.note(format!("{} servers, {loads} loads, {rounds} rounds: {left:.1} minutes", active.len()));
        }
        let order = schedule::balanced(active.len(), rounds, self.settings.seed);
        for (round, order) in order.into_iter().enumerate() {
            for (slot, subject) in order.iter().map(|&index| active[index]).enumerate() {
                if self.laboratory.is_stopped() {
                    return;
                }
                let places = ((round + 1, rounds), (slot + 1, order.len()));
                let shapes = self.lineup.shapes_of(subject).to_vec();
                let work = Work { starts: 1, measurements: shapes.len(), memories: 0 };
                self.serve(Stage::Rounds, subject, places, work, |runner, server| {
                    for shape in shapes {
                        runner.sample(Place { round, slot, subject, shape }, server, places);
                    }
                });
            }
        }
    }

    /// One measurement of a round.
    fn sample(&mut self, place: Place, server: &mut dyn Running, places: Places) {
        let Place { subject, shape, .. } = place;
        if self.has_failed(subject) || self.laboratory.is_stopped() {
            return;
        }
        let shape = self.comparison.shapes[shape].clone();
        self.announce(Stage::Rounds, subject, &shape.name, places);
        // The same seed for all within a round: what is drawn by chance is the same for all.
        let seed = self.settings.seed.wrapping_add(place.round as u64);
        let plan = self.under(&shape, server, self.slot, seed);
        match self.measure(subject, server, &plan) {
            Some(Ok(measurement)) => {
                self.comparison.samples.push(Sample::of(&measurement, place));
                if let Some(why) = broken_connections(&measurement) {
                    self.fail(subject, why);
                }
            }
            Some(Err(error)) => self.fail(subject, error.to_string()),
            None => {}
        }
    }

    /// Starts a subject's server, and does something with it, unless the subject has failed. In the end so
    /// much work is done, or will not be done.
    pub(super) fn serve(
        &mut self,
        stage: Stage,
        subject: usize,
        places: Places,
        work: Work,
        with: impl FnOnce(&mut Self, &mut dyn Running),
    ) {
        if !self.has_failed(subject) {
            self.announce(stage, subject, "", places);
            let settings = self.settings;
            match self.laboratory.start(&settings.candidates[self.lineup.candidate(subject)]) {
                Ok(mut server) => with(self, &mut *server),
                Err(_) if self.laboratory.is_stopped() => {}
                Err(error) => self.fail(subject, error.to_string()),
            }
        }
        self.clock.advance(work.time(self.slot, self.costs));
    }

    /// Measures; `None` if it was interrupted. Bad replies and a server that has ended make the subject fail,
    /// whatever the load.
    pub(super) fn measure(
        &mut self,
        subject: usize,
        server: &mut dyn Running,
        plan: &Plan,
    ) -> Option<io::Result<Measurement>> {
        let measured = self.laboratory.measure(plan);
        if self.laboratory.is_stopped() {
            return None;
        }
        let bad = measured.as_ref().ok().and_then(bad_replies);
        if let Some(why) = bad.or_else(|| server.failure()) {
            self.fail(subject, why);
        }
        Some(measured)
    }

    /// The plan of a load, for a server.
    pub(super) fn under(&self, shape: &Shape, server: &dyn Running, slot: Slot, seed: u64) -> Plan {
        // Equal distances: the chance of arrivals would come on top of the machine's.
        let open = |rate| Pace::Open { rate, arrivals: Arrivals::Constant, dispatch: Dispatch::Each };
        Plan {
            connections: shape.connections,
            depth: shape.depth,
            pace: shape.rate.map_or(Pace::Closed, open),
            duration: slot.duration,
            warmup: slot.warmup,
            messages: Messages::Made(self.settings.sizes.clone()),
            framing: self.settings.framing,
            expect: self.settings.expect.clone(),
            threads: self.settings.threads.min(shape.connections),
            seed,
            server: Some(server.process()),
            ..Plan::new(server.address())
        }
    }

    pub(super) fn has_failed(&self, subject: usize) -> bool {
        self.comparison.subjects[subject].failed.is_some()
    }

    /// Marks a subject as failed. The first reason is kept.
    fn fail(&mut self, subject: usize, why: String) {
        let subject = &mut self.comparison.subjects[subject];
        if subject.failed.is_none() {
            (self.tell)(&Event::Note(format!("{} failed: {why}", subject.name)));
            subject.failed = Some(why);
        }
    }

    pub(super) fn note(&mut self, text: String) {
        (self.tell)(&Event::Note(text));
    }

    pub(super) fn announce(&mut self, stage: Stage, subject: usize, load: &str, places: Places) {
        let name = self.comparison.subjects[subject].name.clone();
        self.step(stage, name, load, places);
    }

    /// Says that a step begins.
    pub(super) fn step(&mut self, stage: Stage, subject: String, load: &str, (round, slot): Places) {
        let now = self.laboratory.now();
        let (load, left) = (load.to_owned(), self.clock.left(now));
        (self.tell)(&Event::Step(Step { stage, subject, load, round, slot, passed: now, left }));
    }
}

fn conditions(settings: &Settings) -> Conditions {
    let started = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Conditions {
        command: settings.command.clone(),
        started: started.unwrap_or_default().as_secs(),
        seconds: 0.0,
        seed: settings.seed,
        rounds: settings.rounds(),
        tier: settings.tier.name().to_owned(),
        handler: settings.handler.clone(),
        message_size: settings.sizes.to_string(),
        slo: settings.slo.map(|slo| slo.limit_in_microseconds()),
        slos: settings.slo.iter().map(ToString::to_string).collect(),
        pinned: None,
        message: String::new(),
        unverified: matches!(settings.expect, Expect::Any | Expect::Greeted),
        machine: machine::facts(),
        facts: Vec::new(),
    }
}

/// The round and the slot, each from 1, and how many there are.
pub(super) type Places = ((usize, usize), (usize, usize));

#[cfg(test)]
mod tests;
