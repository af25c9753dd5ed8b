//! Merges the measurements of several generators.

use std::collections::BTreeMap;

use crate::histogram::Distribution;
use crate::measurement::{
    EXAMPLES, Failures, Handshakes, HostileClients, Measurement, Pushes, Tick, Verification, Window,
};
use crate::shard::Shard;

impl Measurement {
    /// Merges the measurements of several generators without loss: `None` if there are none.
    pub fn merged(measurements: &[Self]) -> Option<Self> {
        let first = measurements.first()?;
        let sum = |of: fn(&Self) -> f64| measurements.iter().map(of).sum::<f64>();
        let count = |of: fn(&Self) -> u64| measurements.iter().map(of).sum::<u64>();
        let most = |of: fn(&Self) -> f64| measurements.iter().map(of).fold(0.0, f64::max);
        let all = |of: fn(&Self) -> &Distribution| Distribution::merged(measurements.iter().map(of));
        let (mut verification, mut failures) = (Verification::default(), Failures::default());
        for measurement in measurements {
            verification.add(measurement.verification.clone());
            failures.add(measurement.failures.clone());
        }
        let open = measurements.iter().all(|measurement| measurement.offered_rate.is_some());
        let is_one_plan = measurements.iter().all(|measurement| measurement.plan == first.plan);
        // Each shard names the load of all.
        let named = if first.shard.is_whole() { measurements } else { std::slice::from_ref(first) };
        let loads: Vec<_> = named.iter().map(|measurement| measurement.load.as_str()).collect();
        Some(Self {
            load: loads.join(" + "),
            seconds: most(|measurement| measurement.seconds),
            interrupted: measurements.iter().any(|measurement| measurement.interrupted),
            stopped_early: measurements.iter().find_map(|measurement| measurement.stopped_early.clone()),
            connections: measurements.iter().map(|measurement| measurement.connections).sum(),
            in_flight_limit: measurements.iter().map(|measurement| measurement.in_flight_limit).sum(),
            offered_rate: open.then(|| sum(|measurement| measurement.offered_rate.unwrap_or(0.0))),
            achieved_rate: sum(|measurement| measurement.achieved_rate),
            latency: all(|measurement| &measurement.latency),
            service: all(|measurement| &measurement.service),
            send_lag: all(|measurement| &measurement.send_lag),
            connect: all(|measurement| &measurement.connect),
            dropped: count(|measurement| measurement.dropped),
            unfinished: count(|measurement| measurement.unfinished),
            waited: all(|measurement| &measurement.waited),
            verification,
            pushes: pushes(measurements),
            tls: Handshakes::merged(measurements.iter().filter_map(|measurement| measurement.tls.as_ref())),
            hostile: HostileClients::merged(measurements.iter().filter_map(|one| one.hostile.as_ref())),
            failures,
            reconnected: measurements.iter().map(|measurement| measurement.reconnected).sum(),
            resent: measurements.iter().map(|measurement| measurement.resent).sum(),
            generator_busy: most(|measurement| measurement.generator_busy),
            generator_limited: measurements.iter().any(|measurement| measurement.generator_limited),
            timeline: timeline(measurements),
            server: if measurements.len() == 1 { first.server } else { None },
            server_ended: measurements.iter().any(|measurement| measurement.server_ended),
            steal: most(|measurement| measurement.steal),
            plan: if is_one_plan { first.plan.clone() } else { BTreeMap::new() },
            shard: Shard::WHOLE,
            window: window(measurements),
            generators: Vec::new(),
        })
    }
}

/// Merges what the subscribers received. Each shard knows only what they have missed of its own messages, and all of
/// them together the rest.
fn pushes(measurements: &[Measurement]) -> Option<Pushes> {
    let all = measurements.iter().filter_map(|measurement| measurement.pushes.as_ref());
    let merged = Pushes::merged(all)?;
    let shards = measurements.first()?.shard.count();
    let is_complete = shards > 1 && shards == measurements.len();
    if !is_complete || measurements.iter().any(|measurement| measurement.interrupted) {
        return Some(merged);
    }
    let accepted: u64 = measurements.iter().map(|measurement| measurement.verification.accepted()).sum();
    let expected = accepted.saturating_mul(merged.subscribers as u64);
    Some(Pushes { missed: expected.saturating_sub(merged.delivered), ..merged })
}

/// From the first start to the last end; `None` if one is not known.
fn window(measurements: &[Measurement]) -> Option<Window> {
    let windows = measurements.iter().map(|measurement| measurement.window);
    let both = |one: Window, other: Window| Window {
        start: one.start.min(other.start),
        end: one.end.max(other.end),
    };
    windows.collect::<Option<Vec<_>>>()?.into_iter().reduce(both)
}

/// Adds the timelines of several generators that started together.
fn timeline(measurements: &[Measurement]) -> Vec<Tick> {
    let mut all: Vec<Tick> = Vec::new();
    for measurement in measurements {
        for (index, tick) in measurement.timeline.iter().enumerate() {
            match all.get_mut(index) {
                Some(sum) => {
                    sum.replies += tick.replies;
                    sum.max = sum.max.max(tick.max);
                }
                None => all.push(*tick),
            }
        }
    }
    all
}

impl Verification {
    pub(crate) fn add(&mut self, other: Self) {
        self.replies += other.replies;
        self.refused += other.refused;
        self.refusal = self.refusal.take().or(other.refusal);
        self.verified &= other.verified;
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.reordered += other.reordered;
        self.foreign += other.foreign;
        self.wrong += other.wrong;
        self.extra += other.extra;
        self.examples.extend(other.examples);
        self.examples.truncate(EXAMPLES);
    }
}

impl Failures {
    pub(crate) fn add(&mut self, other: Self) {
        self.connect += other.connect;
        self.ended += other.ended;
        self.unserved += other.unserved;
        self.unanswered += other.unanswered;
        self.examples.extend(other.examples);
        self.examples.truncate(EXAMPLES);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{measurement, times};

    /// A measurement with these latencies in microseconds, and their counts.
    fn with(latencies: &[(f64, u64)]) -> Measurement {
        Measurement { latency: Distribution::of(&times(latencies).histogram()), ..measurement() }
    }

    #[test]
    fn merging_loses_nothing() {
        let (one, other) = (with(&[(100.0, 1), (200.0, 2)]), with(&[(50.0, 1), (60_000.0, 1)]));
        let both = Measurement::merged(&[one.clone(), other]).unwrap();
        assert_eq!(both.latency, with(&[(50.0, 1), (100.0, 1), (200.0, 2), (60_000.0, 1)]).latency);
        assert_eq!((both.offered_rate, both.achieved_rate, both.connections), (Some(2000.0), 2000.0, 128));
        assert_eq!(both.verification.replies, 2400);
        assert_eq!(Measurement::merged(std::slice::from_ref(&one)).unwrap().latency, one.latency);
        assert_eq!(Measurement::merged(&[]), None);
        let pushes = Some(Pushes { subscribers: 3, delivered: 7, ..Pushes::default() });
        let fanout = Measurement { pushes, ..one.clone() };
        let counts = |all: &[Measurement]| {
            Measurement::merged(all).unwrap().pushes.map(|pushes| (pushes.subscribers, pushes.delivered))
        };
        assert_eq!(counts(&[fanout.clone(), one.clone(), fanout]), Some((6, 14)));
        assert_eq!(counts(&[one]), None);
    }

    #[test]
    fn what_all_subscribers_have_missed_is_known_of_all_shards() {
        let shard = |number, subscribers, delivered| Measurement {
            shard: Shard::new(number, 2).unwrap(),
            pushes: Some(Pushes { subscribers, delivered, missed: 1, ..Pushes::default() }),
            ..measurement()
        };
        // 2,400 messages were accepted.
        let all = [shard(1, 2, 4799), shard(2, 1, 2398)];
        let missed = |of: &[Measurement]| Measurement::merged(of).unwrap().pushes.map(|pushes| pushes.missed);
        assert_eq!(missed(&all), Some(3));
        assert_eq!(missed(&all[..1]), Some(1), "of its own messages");
        let interrupted = Measurement { interrupted: true, ..all[1].clone() };
        assert_eq!(missed(&[all[0].clone(), interrupted]), Some(2));
    }

    #[test]
    fn measurements_keep_what_they_have_in_common() {
        let with = |connections: &str, window| Measurement {
            plan: [("connections".to_owned(), connections.to_owned())].into(),
            window,
            ..measurement()
        };
        let window = |start, end| Some(Window { start, end });
        let merged =
            Measurement::merged(&[with("1", window(2.0, 5.0)), with("1", window(3.0, 6.0))]).unwrap();
        assert_eq!((merged.plan.len(), merged.window), (1, window(2.0, 6.0)));
        let merged = Measurement::merged(&[with("1", window(2.0, 5.0)), with("2", None)]).unwrap();
        assert_eq!((merged.plan.len(), merged.window), (0, None));
    }

    #[test]
    fn timelines_of_generators_that_began_together_are_added() {
        let tick = |at, replies, max| Tick { at, replies, max };
        let one = Measurement { timeline: vec![tick(0.0, 3, 10.0), tick(0.1, 4, 90.0)], ..measurement() };
        let other = Measurement { timeline: vec![tick(0.0, 1, 20.0)], ..measurement() };
        assert_eq!(
            Measurement::merged(&[other, one]).unwrap().timeline,
            [tick(0.0, 4, 20.0), tick(0.1, 4, 90.0)]
        );
    }
}
