//! Runs a comparison.
//!
//! 1. **[Calibration](super::rate)**, to choose a rate that is offered to all.
//! 2. **[Rounds](super::rounds)**, on which the verdicts are based.
//! 3. **[Curves](super::sweep)**, for screening.
//!
//! A subject whose replies are bad, whose connections break or whose process ends is marked as failed and not measured
//! any further. The others are.

use std::io;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::budget::{Overheads, Window, Work};
use super::conditions::{self, conditions};
use super::data::VERSION;
use super::design::Design;
use super::pinning::{Pinning, Placement};
use super::progress::{Clock, Event, Positions, Stage};
use super::settings::Settings;
use super::testbed::{Machine, RunningServer, Testbed};
use super::{Comparison, Shape, failure, rate};
use load::measurement::Measurement;
use load::plan::{Arrivals, Dispatch, Hostile, Pace, Plan, Subscribers};

/// Runs a comparison. Setting `stop` ends it within two seconds; the result then has what was measured so far and is
/// marked as interrupted. `on_event` is called when a step begins, and when there is something that the user should
/// know.
///
/// # Errors
/// If the settings are invalid, or name cores that this process may not use (`InvalidInput`). Failures of a subject are
/// part of the result.
pub fn compare(
    settings: &Settings,
    stop: &AtomicBool,
    on_event: &mut dyn FnMut(&Event),
) -> io::Result<Comparison> {
    run_comparison(settings, &mut Machine::new(stop, &settings.candidates), on_event)
        .map_err(|why| io::Error::new(io::ErrorKind::InvalidInput, why))
}

fn run_comparison(
    settings: &Settings,
    testbed: &mut dyn Testbed,
    on_event: &mut dyn FnMut(&Event),
) -> Result<Comparison, String> {
    settings.check()?;
    let pinning = Pinning::new(settings, &testbed.cores())?;
    Ok(Runner::new(settings, pinning, testbed, on_event).run())
}

/// A comparison as it will be, before anything is measured: its conditions, subjects and loads. The open loop is left
/// out if its rate is still unknown.
pub fn preview(settings: &Settings) -> Comparison {
    // Cores that can't be used are an error of `compare`.
    let pinning = Pinning::new(settings, &conditions::cores()).unwrap_or_default();
    let conditions = conditions(settings, &pinning);
    let Design { subjects, mut shapes, .. } =
        Design::new(settings, pinning, &[], settings.rate.unwrap_or(1.0));
    shapes.retain(|shape| settings.rate.is_some() || shape.rate.is_none());
    Comparison { version: VERSION, conditions, subjects, shapes, ..Comparison::default() }
}

pub(super) struct Runner<'a> {
    pub(super) settings: &'a Settings,
    pub(super) testbed: &'a mut dyn Testbed,
    pub(super) on_event: &'a mut dyn FnMut(&Event),
    pub(super) pinning: Pinning,
    pub(super) comparison: Comparison,
    pub(super) design: Design,
    pub(super) window: Window,
    pub(super) overheads: Overheads,
    pub(super) clock: Clock,
    /// The rate that is offered to all.
    pub(super) common_rate: f64,
    /// The throughput of the slowest subject in the calibration, without those below the share that counts.
    pub(super) lowest_capacity: f64,
    /// The subjects for which refusals were noted.
    pub(super) noted_refusals: Vec<usize>,
    /// The subjects for which it was noted that a probe gave no result.
    pub(super) noted_probes: Vec<usize>,
}

impl<'a> Runner<'a> {
    pub(super) fn new(
        settings: &'a Settings,
        pinning: Pinning,
        testbed: &'a mut dyn Testbed,
        on_event: &'a mut dyn FnMut(&Event),
    ) -> Self {
        let mut runner = Self {
            settings,
            testbed,
            on_event,
            comparison: Comparison { version: VERSION, ..Comparison::default() },
            design: Design::new(settings, pinning.clone(), &[], 1.0),
            pinning,
            window: rate::WINDOW,
            overheads: Overheads::default(),
            clock: Clock::default(),
            common_rate: 1.0,
            lowest_capacity: 1.0,
            noted_refusals: Vec::new(),
            noted_probes: Vec::new(),
        };
        runner.plan(rate::work(settings).time(rate::WINDOW, runner.overheads));
        runner
    }

    pub(super) fn run(mut self) -> Comparison {
        let begin = self.testbed.now();
        self.comparison.conditions = conditions(self.settings, &self.pinning);
        self.warn();
        self.calibrate();
        self.rounds();
        self.sweeps();
        self.report_written();
        self.comparison.interrupted = self.testbed.is_stopped();
        self.comparison.conditions.seconds = self.testbed.now().saturating_sub(begin).as_secs_f64();
        self.comparison
    }

    /// Warns of problems that the user can still solve.
    fn warn(&mut self) {
        let cores = self.testbed.cores().len();
        if let Some(load) = self.testbed.load_average().filter(|load| *load > cores as f64) {
            self.note(format!(
                "the load average is {load:.1} on {cores} cores: other programs are running and take CPU time from \
the servers; end them, or wait"
            ));
        }
        for candidate in &self.settings.candidates {
            if let Some(why) = &candidate.unavailable {
                self.note(format!("{} is not available here: {why}", candidate.name));
            }
        }
    }

    /// Plans the length of the measurements: as long as the tier's time allows, of which `first` is used for other
    /// things.
    pub(super) fn plan(&mut self, first: Duration) {
        let settings = self.settings;
        let curves = self.design.pass(settings).times(settings.passes());
        let spent = self.testbed.now() + first;
        let usual = self.design.round().times(settings.tier.rounds()).and(curves);
        self.window = match settings.has_own_loads() {
            false => Window::within(settings.tier.time().saturating_sub(spent), usual, self.overheads),
            true => Window::short(settings.tier),
        };
        let work = self.design.round().times(settings.rounds()).and(curves);
        self.clock = Clock::new(work.time(self.window, self.overheads) + first, self.testbed.now());
    }

    /// Starts a subject's server on these cores and calls `with`, unless the subject has failed. Either way, `work`
    /// counts as done afterwards.
    pub(super) fn with_server(
        &mut self,
        stage: Stage,
        subject: usize,
        cpus: &[usize],
        (positions, work): (Positions, Work),
        with: impl FnOnce(&mut Self, &mut dyn RunningServer),
    ) {
        if !self.has_failed(subject) {
            self.announce(stage, subject, "", positions);
            let settings = self.settings;
            match self.testbed.start(&settings.candidates[self.design.candidate(subject)], cpus) {
                Ok(mut server) => with(self, &mut *server),
                Err(_) if self.testbed.is_stopped() => {}
                Err(error) => self.fail(subject, error.to_string()),
            }
        }
        self.clock.advance(work.time(self.window, self.overheads));
    }

    /// Measures; `None` if it was interrupted. Bad replies, and a server that has ended, make the subject fail under
    /// any load.
    pub(super) fn measure(
        &mut self,
        subject: usize,
        server: &mut dyn RunningServer,
        plan: &Plan,
    ) -> Option<io::Result<Measurement>> {
        let measured = self.testbed.measure(plan);
        if self.testbed.is_stopped() {
            return None;
        }
        self.comparison.subjects[subject].bad += measured.as_ref().map_or(0, Measurement::bad);
        if let Some(why) = failure::under_any_load(server, &measured) {
            self.fail(subject, why);
        }
        Some(measured)
    }

    /// The plan of a load, with the generator on its cores for that load.
    pub(super) fn plan_for(
        &self,
        shape: &Shape,
        server: &dyn RunningServer,
        window: Window,
        seed: u64,
    ) -> Plan {
        self.plan_at(self.design.placement(shape), shape, server, window, seed)
    }

    /// The plan of a load, with the generator on the cores of a placement.
    pub(super) fn plan_at(
        &self,
        placement: Placement<'_>,
        shape: &Shape,
        server: &dyn RunningServer,
        window: Window,
        seed: u64,
    ) -> Plan {
        // Constant intervals: random arrivals would add to the noise of the machine.
        let open = |rate| Pace::Open { rate, arrivals: Arrivals::Constant, dispatch: Dispatch::Each };
        Plan {
            connections: shape.connections,
            depth: shape.depth,
            pace: shape.rate.map_or(Pace::Closed, open),
            duration: window.duration,
            warmup: window.warmup,
            reply_timeout: REPLY_TIMEOUT,
            messages: self.settings.messages.clone(),
            framing: self.settings.framing,
            transform: self.settings.transform.clone(),
            expect: self.settings.expect.clone(),
            subscribers: Subscribers {
                count: shape.subscribers,
                message: self.settings.subscribe_message.clone(),
            },
            hostile: hostile_mix(shape.hostile),
            threads: self.settings.threads.min(shape.connections),
            cpus: placement.generator.to_vec(),
            seed,
            server: Some(server.root()),
            ..Plan::new(server.address())
        }
    }

    pub(super) fn has_failed(&self, subject: usize) -> bool {
        self.comparison.subjects[subject].failed.is_some()
    }
}

/// Hostile clients, a third of each kind; the more harmful kinds first.
fn hostile_mix(clients: usize) -> Hostile {
    Hostile { slow_readers: clients.div_ceil(3), slow_writers: (clients + 1) / 3, idle: clients / 3 }
}

/// How long to wait for replies at the end of a load. A slow server with a thousand messages in flight must not look
/// like one that loses them.
const REPLY_TIMEOUT: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests;
