//! Who is measured under which loads.

use super::budget::Work;
use super::candidate::Candidate;
use super::settings::{GOOD, HOSTILE, IDLE, Settings};
use super::{Shape, Subject};

/// Who is measured under which loads.
#[derive(Clone, Debug, Default)]
pub(super) struct Lineup {
    /// The reference, its control, and then the others, as they were listed.
    pub(super) subjects: Vec<Subject>,
    /// The loads.
    pub(super) shapes: Vec<Shape>,
    parts: Vec<Part>,
}

/// What a subject does.
#[derive(Clone, Debug)]
struct Part {
    candidate: usize,
    max_connections: Option<usize>,
    shapes: Vec<usize>,
}

/// How many rates the curve of latency against rate has.
pub(super) const RATES: usize = 5;

/// What the name of a control has behind the name of its subject.
const AGAIN: &str = " (again)";

impl Lineup {
    /// Who is measured, if these candidates have failed already, and `rate` is offered to all. Who can't run on
    /// this machine is listed, and nothing else.
    ///
    /// The reference is the first that can hold the connections of the main loads, and runs a second time as
    /// its own control. Who can hold fewer is measured with one connection, and beside it the reference and
    /// its control, so that there is something to compare it with.
    pub(super) fn new(settings: &Settings, failed: &[Option<String>], rate: f64) -> Self {
        let candidates = &settings.candidates;
        let has_failed = |index: usize| failed.get(index).is_some_and(Option::is_some);
        let stands = |index: &usize| !has_failed(*index) && candidates[*index].unavailable.is_none();
        let can_hold = |index: &usize| holds(candidates[*index].max_connections, settings.clients);
        let standing: Vec<usize> = (0..candidates.len()).filter(stands).collect();
        let reference = standing.iter().copied().find(can_hold).or(standing.first().copied());

        let mut lineup = Self { shapes: shapes(settings, &standing, rate), ..Self::default() };
        if let Some(reference) = reference {
            let candidate = &candidates[reference];
            lineup.add(settings, reference, subject(candidate), true);
            let name = format!("{}{AGAIN}", candidate.name);
            let control_of = Some(candidate.name.clone());
            lineup.add(settings, reference, Subject { name, control_of, ..subject(candidate) }, true);
        }
        for index in (0..candidates.len()).filter(|&index| Some(index) != reference) {
            let failed = failed.get(index).cloned().flatten();
            lineup.add(settings, index, Subject { failed, ..subject(&candidates[index]) }, false);
        }
        lineup
    }

    /// Adds a subject. With one connection run those that can't hold more, and the reference and its control.
    fn add(&mut self, settings: &Settings, candidate: usize, subject: Subject, is_reference: bool) {
        let max_connections = settings.candidates[candidate].max_connections;
        let is_limited = !holds(max_connections, settings.clients);
        let runs = |shape: &Shape| {
            let is_single = shape.connections == 1 && settings.clients != 1;
            let wanted = is_single == is_limited || (is_single && is_reference);
            let stands = subject.failed.is_none() && subject.unavailable.is_none();
            wanted && stands && holds(max_connections, shape.connections)
        };
        let shapes = (0..self.shapes.len()).filter(|&index| runs(&self.shapes[index])).collect();
        self.subjects.push(subject);
        self.parts.push(Part { candidate, max_connections, shapes });
    }

    /// The candidate of a subject.
    pub(super) fn candidate(&self, subject: usize) -> usize {
        self.parts[subject].candidate
    }

    /// The loads that a subject runs.
    pub(super) fn shapes_of(&self, subject: usize) -> &[usize] {
        &self.parts[subject].shapes
    }

    /// Who runs any load.
    pub(super) fn active(&self) -> Vec<usize> {
        (0..self.subjects.len()).filter(|&subject| !self.shapes_of(subject).is_empty()).collect()
    }

    /// Who is drawn as a curve: all that run any load, without the control.
    pub(super) fn drawn(&self) -> Vec<usize> {
        let is_drawn = |subject: &usize| self.subjects[*subject].control_of.is_none();
        self.active().into_iter().filter(is_drawn).collect()
    }

    /// Whether a subject can hold so many connections.
    pub(super) fn holds(&self, subject: usize, connections: usize) -> bool {
        holds(self.parts[subject].max_connections, connections)
    }

    /// The counts of idle connections with which a subject's memory is measured: none if there would be one
    /// count only, which shows no slope.
    pub(super) fn idle(&self, subject: usize) -> Vec<usize> {
        let counts: Vec<_> = IDLE.into_iter().filter(|&count| self.holds(subject, count)).collect();
        if counts.len() > 1 { counts } else { Vec::new() }
    }

    /// The counts of connections with which a subject's throughput is measured.
    pub(super) fn connections(&self, subject: usize, settings: &Settings) -> Vec<usize> {
        settings.connections.iter().copied().filter(|&count| self.holds(subject, count)).collect()
    }

    /// Whether latency against the rate is measured.
    pub(super) fn has_rates(&self, subject: usize, settings: &Settings) -> bool {
        self.holds(subject, settings.clients)
    }

    /// Whether isolation is measured: good and hostile clients must find room together.
    pub(super) fn has_isolation(&self, subject: usize) -> bool {
        let together = HOSTILE.map(|percent| GOOD + hostile(percent));
        together.into_iter().all(|clients| self.holds(subject, clients))
    }

    /// The work of one round.
    pub(super) fn round(&self) -> Work {
        let measurements = self.parts.iter().map(|part| part.shapes.len()).sum();
        Work { starts: self.active().len(), measurements, memories: 0 }
    }

    /// The work of one pass over all curves.
    pub(super) fn pass(&self, settings: &Settings) -> Work {
        let work = |subject: usize| {
            let memories = usize::from(!self.idle(subject).is_empty());
            let rates = if self.has_rates(subject, settings) { RATES } else { 0 };
            let connections = self.connections(subject, settings).len();
            let isolation = if self.has_isolation(subject) { HOSTILE.len() } else { 0 };
            let sweeps = [rates, connections, isolation];
            Work {
                starts: memories + sweeps.iter().filter(|points| **points > 0).count(),
                measurements: sweeps.iter().sum(),
                memories,
            }
        };
        self.drawn().into_iter().map(work).fold(Work::default(), Work::and)
    }
}

/// How many hostile clients make up so many of a hundred, beside the good ones.
pub(super) fn hostile(percent: usize) -> usize {
    GOOD * percent / (100 - percent)
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
        handler_runs: None,
        failed: None,
        unavailable: candidate.unavailable.clone(),
    }
}

/// The main loads, if anybody can hold them: a closed loop, which shows what a server can do, and an open
/// loop at the same rate for all, which shows what the same work costs, and what users feel. For those that
/// can't, one connection, without and with several messages in flight. Where closed loops were asked for, these.
fn shapes(settings: &Settings, standing: &[usize], rate: f64) -> Vec<Shape> {
    let can_hold = |index: &usize| holds(settings.candidates[*index].max_connections, settings.clients);
    let (clients, depth) = (settings.clients, settings.depth);
    let closed = |connections: usize, depth: usize| Shape {
        name: format!("{connections} × {depth}"),
        connections,
        depth,
        rate: None,
        hostile: 0,
    };
    if !settings.closed_loops.is_empty() {
        return settings
            .closed_loops
            .iter()
            .map(|&(connections, depth)| closed(connections, depth))
            .collect();
    }
    let mut shapes = Vec::new();
    if standing.iter().any(can_hold) {
        shapes.push(closed(clients, depth));
        shapes.push(Shape {
            name: format!("{clients} at {rate}/s"),
            rate: Some(rate),
            ..closed(clients, depth)
        });
    }
    if !standing.iter().all(can_hold) {
        shapes.push(closed(1, 1));
        if depth > 1 {
            shapes.push(closed(1, depth));
        }
    }
    shapes
}

#[cfg(test)]
mod tests;
