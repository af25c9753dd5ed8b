//! The design of a comparison: which subjects are measured under which loads, and on which cores.

use super::budget::Work;
use super::candidate::Candidate;
use super::pinning::{Pinning, Placement};
use super::settings::{IDLE, Settings};
use super::{Shape, Subject, fanout, report};

/// Which subjects are measured under which loads, and on which cores.
#[derive(Clone, Debug, Default)]
pub(super) struct Design {
    /// The reference, its control, and then the others in the order of the candidates.
    pub(super) subjects: Vec<Subject>,
    /// The loads.
    pub(super) shapes: Vec<Shape>,
    pinning: Pinning,
    parts: Vec<Part>,
}

/// What the calibration found out about a candidate.
#[derive(Clone, Debug, Default)]
pub(super) struct Calibrated {
    /// Why it has failed, if it has.
    pub(super) failed: Option<String>,
    /// How many replies were bad.
    pub(super) bad: u64,
    /// Whether its capacity is so far below the others' that the common rate overloads it.
    pub(super) is_overloaded: bool,
    /// Whether it did not keep up with the loads with subscribers.
    pub(super) is_late: bool,
    /// The rate at which its staircase begins; `None` if no rate was searched.
    pub(super) begin: Option<f64>,
}

/// What is measured of one subject.
#[derive(Clone, Debug)]
struct Part {
    candidate: usize,
    max_connections: Option<usize>,
    shapes: Vec<usize>,
    is_overloaded: bool,
    begin: Option<f64>,
}

/// One process of a subject in a round, and what is measured on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Instance {
    /// The cores on which it runs; empty means all.
    pub(super) cpus: Vec<usize>,
    /// The loads, in this order.
    pub(super) shapes: Vec<usize>,
    /// Whether a rate is probed after them.
    pub(super) has_probe: bool,
}

/// How many rates a curve of latency against the rate is expected to have.
const RATES: usize = 8;

/// The suffix of a control's name, after the name of its subject.
pub(super) const CONTROL_SUFFIX: &str = " (again)";

impl Design {
    /// Makes the design from what the calibration found out about the candidates (by index; a missing one counts as
    /// sound) and the common rate. A candidate that can't run on this machine is listed and not measured.
    ///
    /// The reference is the first ranked candidate that can hold the connections of the main loads. It runs a second
    /// time as its own control. A candidate that can hold fewer is measured with one connection, and so are the
    /// reference and its control, so that there is something to compare it with. Under loads with subscribers it is not
    /// measured, and the reference is one that keeps up with them, if there is one.
    pub(super) fn new(settings: &Settings, pinning: Pinning, calibrated: &[Calibrated], rate: f64) -> Self {
        let candidates = &settings.candidates;
        let found = |index: usize| calibrated.get(index).cloned().unwrap_or_default();
        let is_sound =
            |index: &usize| found(*index).failed.is_none() && candidates[*index].unavailable.is_none();
        let can_hold =
            |index: &usize| holds(candidates[*index].max_connections, settings.least_connections());
        let is_ranked = |index: &usize| candidates[*index].kind.is_ranked();
        let sound: Vec<usize> = (0..candidates.len()).filter(is_sound).collect();
        let able = || sound.iter().copied().filter(can_hold);
        let keeps_up = |index: &usize| is_ranked(index) && !found(*index).is_late;
        let reference = able().find(keeps_up).or_else(|| able().find(is_ranked)).or_else(|| able().next());
        let reference = reference.or(sound.first().copied());

        let shapes = shapes(settings, &sound, rate);
        let mut design = Self { shapes, pinning, ..Self::default() };
        if let Some(reference) = reference {
            let candidate = &candidates[reference];
            let name = format!("{}{CONTROL_SUFFIX}", candidate.name);
            let control = Subject { name, control_of: Some(candidate.name.clone()), ..subject(candidate) };
            design.add(settings, reference, subject(candidate), &found(reference), true);
            design.add(settings, reference, control, &found(reference), true);
        }
        for index in (0..candidates.len()).filter(|&index| Some(index) != reference) {
            let found = found(index);
            let subject =
                Subject { failed: found.failed.clone(), bad: found.bad, ..subject(&candidates[index]) };
            design.add(settings, index, subject, &found, false);
        }
        design
    }

    /// Adds a subject. The load with one connection is for subjects that can't hold more, and for the reference and its
    /// control.
    fn add(
        &mut self,
        settings: &Settings,
        candidate: usize,
        mut subject: Subject,
        found: &Calibrated,
        is_reference: bool,
    ) {
        let max_connections = settings.candidates[candidate].max_connections;
        subject.not_held = fanout::not_held(max_connections, &self.shapes);
        let is_limited = !holds(max_connections, settings.clients);
        let runs = |shape: &Shape| {
            let is_single = shape.connections == 1 && settings.clients != 1;
            let wanted = shape.subscribers > 0 || is_single == is_limited || (is_single && is_reference);
            let is_sound = subject.failed.is_none() && subject.unavailable.is_none();
            wanted && is_sound && holds(max_connections, fanout::connections(shape))
        };
        let shapes = (0..self.shapes.len()).filter(|&index| runs(&self.shapes[index])).collect();
        let begin = found.begin.filter(|_| subject.failed.is_none());
        self.subjects.push(subject);
        let is_overloaded = found.is_overloaded;
        self.parts.push(Part { candidate, max_connections, shapes, is_overloaded, begin });
    }

    /// The candidate of a subject.
    pub(super) fn candidate(&self, subject: usize) -> usize {
        self.parts[subject].candidate
    }

    /// Where the staircase of a subject begins; `None` if it has none.
    pub(super) fn begin(&self, subject: usize) -> Option<f64> {
        self.parts[subject].begin
    }

    /// The cores of server and generator under a load.
    pub(super) fn placement(&self, shape: &Shape) -> Placement<'_> {
        self.pinning.under(shape)
    }

    /// The cores for loads that saturate a server.
    pub(super) fn saturated(&self) -> Placement<'_> {
        self.pinning.saturated()
    }

    /// The cores for loads that don't saturate a server.
    pub(super) fn usual(&self) -> Placement<'_> {
        self.pinning.usual()
    }

    /// The processes of a subject in a round: one, or one that is pinned to its cores and one that is not.
    ///
    /// A subject that the common rate overloads is left out of the loads at that rate once a round has shown the
    /// overload.
    pub(super) fn instances(&self, subject: usize, has_shown_overload: bool) -> Vec<Instance> {
        let part = &self.parts[subject];
        let is_left_out =
            |shape: usize| part.is_overloaded && has_shown_overload && self.shapes[shape].rate.is_some();
        let mut instances: Vec<Instance> = Vec::new();
        for &shape in part.shapes.iter().filter(|shape| !is_left_out(**shape)) {
            instance_on(&mut instances, self.placement(&self.shapes[shape]).server).shapes.push(shape);
        }
        if part.begin.is_some() {
            instance_on(&mut instances, self.saturated().server).has_probe = true;
        }
        instances
    }

    /// The subjects that are measured under any load.
    pub(super) fn active(&self) -> Vec<usize> {
        (0..self.subjects.len()).filter(|&subject| !self.parts[subject].shapes.is_empty()).collect()
    }

    /// The subjects that have a curve: all that are measured under any load, without the control.
    pub(super) fn drawn(&self) -> Vec<usize> {
        let is_drawn = |subject: &usize| self.subjects[*subject].control_of.is_none();
        self.active().into_iter().filter(is_drawn).collect()
    }

    /// Whether a subject can hold this many connections.
    pub(super) fn holds(&self, subject: usize, connections: usize) -> bool {
        holds(self.parts[subject].max_connections, connections)
    }

    /// The counts of idle connections with which a subject's memory is measured. Empty if there would be one count
    /// only, since that shows no slope.
    pub(super) fn idle(&self, subject: usize) -> Vec<usize> {
        let counts: Vec<_> = IDLE.into_iter().filter(|&count| self.holds(subject, count)).collect();
        if counts.len() > 1 { counts } else { Vec::new() }
    }

    /// The counts of connections with which a subject's throughput is measured.
    pub(super) fn connections(&self, subject: usize, settings: &Settings) -> Vec<usize> {
        settings.swept_connections().iter().copied().filter(|&count| self.holds(subject, count)).collect()
    }

    /// How many rates a subject's curve of latency against the rate is expected to have.
    pub(super) fn rates(&self, subject: usize, settings: &Settings) -> usize {
        if self.holds(subject, settings.clients) && !settings.has_own_loads() { RATES } else { 0 }
    }

    /// The work of one round.
    pub(super) fn round(&self) -> Work {
        let instances = self.active().into_iter().flat_map(|subject| self.instances(subject, true));
        instances.map(|instance| instance.work()).fold(Work::default(), Work::and)
    }

    /// The work of one pass over all curves.
    pub(super) fn pass(&self, settings: &Settings) -> Work {
        let work = |subject: usize| {
            let memories = usize::from(!self.idle(subject).is_empty());
            let rates = self.rates(subject, settings);
            let connections = self.connections(subject, settings).len();
            let sweeps = [rates, connections];
            Work {
                starts: memories + sweeps.iter().filter(|points| **points > 0).count(),
                measurements: sweeps.iter().sum(),
                memories,
            }
        };
        self.drawn().into_iter().map(work).fold(Work::default(), Work::and)
    }
}

impl Instance {
    pub(super) fn work(&self) -> Work {
        Work { starts: 1, measurements: self.shapes.len() + usize::from(self.has_probe), memories: 0 }
    }
}

/// The process that runs on these cores; it is added if there is none.
fn instance_on<'a>(instances: &'a mut Vec<Instance>, cpus: &[usize]) -> &'a mut Instance {
    let index = instances.iter().position(|instance| instance.cpus == cpus).unwrap_or_else(|| {
        instances.push(Instance { cpus: cpus.to_vec(), shapes: Vec::new(), has_probe: false });
        instances.len() - 1
    });
    &mut instances[index]
}

fn holds(max_connections: Option<usize>, connections: usize) -> bool {
    max_connections.is_none_or(|most| connections <= most)
}

fn subject(candidate: &Candidate) -> Subject {
    Subject {
        name: candidate.name.clone(),
        model: candidate.model.clone(),
        legacy: candidate.legacy.clone(),
        control_of: None,
        kind: candidate.kind.clone(),
        failed: None,
        bad: 0,
        not_held: Vec::new(),
        unavailable: candidate.unavailable.clone(),
        handler_runs: candidate.handler_runs.clone(),
    }
}

/// The loads. If any candidate can hold the connections: a closed loop, which shows the capacity of a server, and an
/// open loop at one rate for all, which shows the cost of the same work and the latency that users see; in the tier
/// `full` the open loop also beside hostile clients. For candidates that can't hold the connections: a closed loop with
/// one connection. If the user chose closed loops, those replace the usual one; loads with subscribers replace all.
fn shapes(settings: &Settings, sound: &[usize], rate: f64) -> Vec<Shape> {
    let can_hold = |index: &usize| holds(settings.candidates[*index].max_connections, settings.clients);
    let (clients, depth) = (settings.clients, settings.depth);
    let closed = |connections: usize, depth: usize| Shape {
        name: format!("{connections} × {depth}"),
        connections,
        depth,
        ..Shape::default()
    };
    let open = Shape {
        name: format!("{clients} at {}", report::rate(rate)),
        rate: Some(rate),
        ..closed(clients, depth)
    };
    if !settings.subscribers.is_empty() {
        return fanout::shapes(settings, rate);
    }
    let mut shapes = Vec::new();
    if !settings.closed_loops.is_empty() {
        let loops = settings.closed_loops.iter();
        shapes.extend(loops.map(|&(connections, depth)| closed(connections, depth)));
        shapes.extend(sound.iter().any(can_hold).then_some(open));
        return shapes;
    }
    if sound.iter().any(can_hold) {
        shapes.extend([closed(clients, depth), open.clone()]);
        if let hostile @ 1.. = settings.hostile() {
            let name = format!("{} beside {hostile} hostile", open.name);
            shapes.push(Shape { name, hostile, ..open });
        }
    }
    if !sound.iter().all(can_hold) {
        shapes.push(closed(1, 1));
    }
    shapes
}

#[cfg(test)]
mod tests;
