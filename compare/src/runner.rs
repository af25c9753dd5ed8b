//! Carries a comparison out.
//!
//! 1. **[Calibration](super::rate)**, to choose a rate that is offered to all.
//! 2. **[Rounds](super::rounds)**: what verdicts are drawn from.
//! 3. **[Curves](super::sweep)**: screening.
//!
//! A subject whose replies are bad, whose connections break or whose process ends is marked as failed and not
//! measured any further; the rest goes on.

use std::io;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::budget::{Costs, Slot, Work};
use super::conditions::{self, conditions};
use super::data::VERSION;
use super::design::Design;
use super::laboratory::{Laboratory, Machine, Running};
use super::pinning::{Pinning, Placement};
use super::progress::{Clock, Event, Places, Stage};
use super::settings::Settings;
use super::{Comparison, Shape, failure, rate};
use load::measurement::Measurement;
use load::plan::{Arrivals, Dispatch, Hostile, Pace, Plan};

/// Compares. `stop` ends it within a second or two, with what there is by then, marked as interrupted; `tell` is
/// called when a step begins, and when there is something that people should know.
///
/// # Errors
/// If the settings make no sense, or name cores that this process may not use (`InvalidInput`). What goes wrong with
/// a subject is in the comparison.
pub fn compare(
    settings: &Settings,
    stop: &AtomicBool,
    tell: &mut dyn FnMut(&Event),
) -> io::Result<Comparison> {
    carry_out(settings, &mut Machine::new(stop, &settings.candidates), tell)
        .map_err(|why| io::Error::new(io::ErrorKind::InvalidInput, why))
}

fn carry_out(
    settings: &Settings,
    laboratory: &mut dyn Laboratory,
    tell: &mut dyn FnMut(&Event),
) -> Result<Comparison, String> {
    settings.check()?;
    let pinning = Pinning::new(settings, &laboratory.cores())?;
    Ok(Runner::new(settings, pinning, laboratory, tell).run())
}

/// What can be told of a comparison before anything is measured: where and how it will be made, of whom, and under
/// which loads. A rate that is yet to be found out is none of them.
pub fn planned(settings: &Settings) -> Comparison {
    // Cores that can't be used are told when it is carried out.
    let pinning = Pinning::new(settings, &conditions::cores()).unwrap_or_default();
    let conditions = conditions(settings, &pinning);
    let Design { subjects, mut shapes, .. } =
        Design::new(settings, pinning, &[], settings.rate.unwrap_or(1.0));
    shapes.retain(|shape| shape.rate == settings.rate || shape.rate.is_none());
    Comparison { version: VERSION, conditions, subjects, shapes, ..Comparison::default() }
}

pub(super) struct Runner<'a> {
    pub(super) settings: &'a Settings,
    pub(super) laboratory: &'a mut dyn Laboratory,
    pub(super) tell: &'a mut dyn FnMut(&Event),
    pub(super) pinning: Pinning,
    pub(super) comparison: Comparison,
    pub(super) design: Design,
    pub(super) slot: Slot,
    pub(super) costs: Costs,
    pub(super) clock: Clock,
    /// The rate that is offered to all.
    pub(super) common_rate: f64,
    /// What the slowest achieved at calibration of those that the common rate is for.
    pub(super) least_capacity: f64,
    /// Of whom it was told that they refuse.
    pub(super) has_refused: Vec<usize>,
    /// Of whom it was told that a rate has too few messages to be judged.
    pub(super) is_doubted: Vec<usize>,
}

impl<'a> Runner<'a> {
    pub(super) fn new(
        settings: &'a Settings,
        pinning: Pinning,
        laboratory: &'a mut dyn Laboratory,
        tell: &'a mut dyn FnMut(&Event),
    ) -> Self {
        let mut runner = Self {
            settings,
            laboratory,
            tell,
            comparison: Comparison { version: VERSION, ..Comparison::default() },
            design: Design::new(settings, pinning.clone(), &[], 1.0),
            pinning,
            slot: rate::SLOT,
            costs: Costs::default(),
            clock: Clock::default(),
            common_rate: 1.0,
            least_capacity: 1.0,
            has_refused: Vec::new(),
            is_doubted: Vec::new(),
        };
        runner.plan(rate::work(settings).time(rate::SLOT, runner.costs));
        runner
    }

    pub(super) fn run(mut self) -> Comparison {
        let begin = self.laboratory.now();
        self.comparison.conditions = conditions(self.settings, &self.pinning);
        self.warn();
        self.calibrate();
        self.rounds();
        self.sweeps();
        self.tell_written();
        self.comparison.interrupted = self.laboratory.is_stopped();
        self.comparison.conditions.seconds = self.laboratory.now().saturating_sub(begin).as_secs_f64();
        self.comparison
    }

    /// Says what will be wrong with the numbers as long as something can be done about it.
    fn warn(&mut self) {
        let cores = self.laboratory.cores().len();
        if let Some(load) = self.laboratory.load_average().filter(|load| *load > cores as f64) {
            self.note(format!(
                "the load average is {load:.1} on {cores} cores: other programs are running, and what they take is \
                 missing in the figures; end them, or wait"
            ));
        }
        for candidate in &self.settings.candidates {
            if let Some(why) = &candidate.unavailable {
                self.note(format!("{} is not available here: {why}", candidate.name));
            }
        }
    }

    /// Makes the slots as long as the time allows in which nothing has been spent but `first`.
    pub(super) fn plan(&mut self, first: Duration) {
        let settings = self.settings;
        let curves = self.design.pass(settings).times(settings.passes());
        let spent = self.laboratory.now() + first;
        let usual = self.design.round().times(settings.tier.rounds()).and(curves);
        self.slot = match settings.closed_loops.as_slice() {
            [] => Slot::within(settings.tier.time().saturating_sub(spent), usual, self.costs),
            _ => Slot::short(settings.tier),
        };
        let work = self.design.round().times(settings.rounds()).and(curves);
        self.clock = Clock::new(work.time(self.slot, self.costs) + first, self.laboratory.now());
    }

    /// Starts a subject's server on these cores, and does something with it, unless the subject has failed. In the end
    /// so much work is done, or will not be done.
    pub(super) fn serve(
        &mut self,
        stage: Stage,
        subject: usize,
        cpus: &[usize],
        (places, work): (Places, Work),
        with: impl FnOnce(&mut Self, &mut dyn Running),
    ) {
        if !self.has_failed(subject) {
            self.announce(stage, subject, "", places);
            let settings = self.settings;
            match self.laboratory.start(&settings.candidates[self.design.candidate(subject)], cpus) {
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
        self.comparison.subjects[subject].bad += measured.as_ref().map_or(0, |of| of.verification.bad());
        if let Some(why) = failure::in_any_case(server, &measured) {
            self.fail(subject, why);
        }
        Some(measured)
    }

    /// The plan of a load, for a server that runs at its usual place for that load.
    pub(super) fn under(&self, shape: &Shape, server: &dyn Running, slot: Slot, seed: u64) -> Plan {
        self.under_at(self.design.placement(shape), shape, server, slot, seed)
    }

    /// The plan of a load, for a server that runs somewhere else.
    pub(super) fn under_at(
        &self,
        placement: Placement<'_>,
        shape: &Shape,
        server: &dyn Running,
        slot: Slot,
        seed: u64,
    ) -> Plan {
        // Equal distances: the chance of arrivals would come on top of the machine's.
        let open = |rate| Pace::Open { rate, arrivals: Arrivals::Constant, dispatch: Dispatch::Each };
        Plan {
            connections: shape.connections,
            depth: shape.depth,
            pace: shape.rate.map_or(Pace::Closed, open),
            duration: slot.duration,
            warmup: slot.warmup,
            patience: PATIENCE,
            messages: self.settings.messages.clone(),
            framing: self.settings.framing,
            expect: self.settings.expect.clone(),
            hostile: crowd(shape.hostile),
            threads: self.settings.threads.min(shape.connections),
            cpus: placement.load.to_vec(),
            seed,
            server: Some(server.root()),
            ..Plan::new(server.address())
        }
    }

    pub(super) fn has_failed(&self, subject: usize) -> bool {
        self.comparison.subjects[subject].failed.is_some()
    }
}

/// So many hostile clients, a third of each kind, the worse kinds first.
fn crowd(clients: usize) -> Hostile {
    Hostile { slow_readers: clients.div_ceil(3), slow_writers: (clients + 1) / 3, idle: clients / 3 }
}

/// How long replies are waited for that are due when a load ends. A server that is slow and has a thousand messages in
/// flight must not look like one that loses them.
const PATIENCE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests;
