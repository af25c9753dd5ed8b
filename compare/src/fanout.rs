//! The loads with subscribers: what it costs to push a message to many clients, and how long that takes.
//!
//! The usual connections send messages at a fixed rate, and the server pushes each to all subscribers. The rate that all
//! loads have in common is that of the *deliveries*, so that a server does the same work for one subscriber as for ten
//! thousand: with more subscribers there are fewer messages, but at least two per second. It is far below what the
//! servers can do, because a message to many subscribers comes as a burst: all of it must be delivered before the next
//! message, or the delay would be that of a queue.
//!
//! A server whose connections broke under such a load is not measured under it any further. It is measured under the
//! others.

use super::budget::Window;
use super::progress::Positions;
use super::rate::{Overhead, two_digits};
use super::runner::Runner;
use super::settings::Settings;
use super::{NotHeld, Shape, report, sample};
use load::measurement::Measurement;

/// The rate of deliveries, as a share of the slowest candidate's throughput without subscribers.
pub(super) const SHARE: f64 = 0.125;

/// The lowest rate of messages per second.
const LOWEST_RATE: f64 = 2.0;

/// The loads with subscribers at this rate of deliveries.
pub(super) fn shapes(settings: &Settings, deliveries: f64) -> Vec<Shape> {
    let shape = |&subscribers: &usize| {
        let rate = two_digits(deliveries / subscribers as f64).max(LOWEST_RATE);
        let clients = settings.clients;
        Shape {
            name: format!("{clients} at {} to {subscribers}", report::rate(rate)),
            connections: clients,
            depth: settings.depth,
            rate: Some(rate),
            subscribers,
            ..Shape::default()
        }
    };
    settings.subscribers.iter().map(shape).collect()
}

/// The number of connections of a load.
pub(super) fn connections(shape: &Shape) -> usize {
    shape.connections + shape.hostile + shape.subscribers
}

/// The loads with subscribers whose connections a server can't hold.
pub(super) fn not_held(max_connections: Option<usize>, shapes: &[Shape]) -> Vec<NotHeld> {
    let with_subscribers = shapes.iter().enumerate().filter(|(_, shape)| shape.subscribers > 0);
    let why = |(shape, load): (usize, &Shape)| {
        let most = max_connections.filter(|most| connections(load) > *most)?;
        let why = match most {
            1 => "it serves one client at a time, and a push takes a sender and a subscriber".to_owned(),
            most => format!("it holds at most {most} connections, and this load has {}", connections(load)),
        };
        Some(NotHeld { shape, why })
    };
    with_subscribers.filter_map(why).collect()
}

impl Runner<'_> {
    /// The length of a measurement under a load.
    pub(super) fn window_of(&self, shape: &Shape) -> Window {
        match shape.rate.filter(|_| shape.subscribers > 0) {
            Some(rate) => self.window.between_messages(rate),
            None => self.window,
        }
    }

    /// Measures a candidate once under each load with subscribers, and returns whether it did not keep up with one. Also
    /// finds out how long these measurements take: connecting ten thousand takes longer than anything else.
    pub(super) fn is_late(&mut self, candidate: usize, overheads: &mut Vec<Overhead>) -> bool {
        let usual = self.window.warmup + self.window.duration;
        let mut of_loads = Vec::new();
        let mut late = None;
        for shape in shapes(self.settings, self.common_rate) {
            let window = self.window_of(&shape);
            // The plan counts each measurement with the usual window.
            let longer = (window.warmup + window.duration).saturating_sub(usual);
            let mut of_load = Vec::new();
            let measured = self.try_out(candidate, &shape, window, &mut of_load);
            of_loads.extend(of_load.into_iter().map(|(start, measurement)| (start, measurement + longer)));
            let is_late = |of: &Measurement| of.is_overloaded() || sample::is_late(of);
            if measured.and_then(Result::ok).is_some_and(|measured| is_late(&measured)) {
                late = Some(shape);
            }
        }
        *overheads = of_loads;
        if let Some(shape) = &late {
            let (name, load) = (&self.settings.candidates[candidate].name, report::load(shape));
            self.note(format!(
                "{name} does not keep up with {load}, so the reference is another server if one does"
            ));
        }
        late.is_some()
    }

    /// Whether a subject can't hold the connections of a load.
    pub(super) fn can_not_hold(&self, subject: usize, shape: usize) -> bool {
        self.comparison.subjects[subject].not_held.iter().any(|not_held| not_held.shape == shape)
    }

    /// Notes that a subject did not hold the connections of a load, under which it is not measured any further.
    pub(super) fn leave_out(&mut self, subject: usize, shape: usize, why: String, (round, _): Positions) {
        let (name, load) =
            (&self.comparison.subjects[subject].name, report::load(&self.comparison.shapes[shape]));
        self.note(format!("{name} is not measured with {load} from round {} on: {why}", round.0));
        self.comparison.subjects[subject].not_held.push(NotHeld { shape, why });
    }
}
