//! Merges the measurements of several generators.

use crate::histogram::Distribution;
use crate::measurement::{EXAMPLES, Failures, Handshakes, Measurement, Pushes, Tick, Verification};

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
        let loads: Vec<_> = measurements.iter().map(|measurement| measurement.load.as_str()).collect();
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
            pushes: Pushes::merged(measurements.iter().filter_map(|measurement| measurement.pushes.as_ref())),
            tls: Handshakes::merged(measurements.iter().filter_map(|measurement| measurement.tls.as_ref())),
            failures,
            reconnected: measurements.iter().map(|measurement| measurement.reconnected).sum(),
            resent: measurements.iter().map(|measurement| measurement.resent).sum(),
            generator_busy: most(|measurement| measurement.generator_busy),
            generator_limited: measurements.iter().any(|measurement| measurement.generator_limited),
            timeline: timeline(measurements),
            server: if measurements.len() == 1 { first.server } else { None },
            server_ended: measurements.iter().any(|measurement| measurement.server_ended),
            steal: most(|measurement| measurement.steal),
        })
    }
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
