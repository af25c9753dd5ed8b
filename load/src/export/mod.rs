//! A measurement in other people's formats, and several in one. JSON is the measurement itself.

mod formats;
mod table;

pub use formats::{csv, hgrm, hlog};
pub use table::table;

use crate::histogram::Distribution;
use crate::measurement::{Failures, Measurement, Tick, Verification};

/// What several generators have shown together, without loss: `None` if there are none.
pub fn merge(measurements: &[Measurement]) -> Option<Measurement> {
    let first = measurements.first()?;
    let sum = |of: fn(&Measurement) -> f64| measurements.iter().map(of).sum::<f64>();
    let count = |of: fn(&Measurement) -> u64| measurements.iter().map(of).sum::<u64>();
    let most = |of: fn(&Measurement) -> f64| measurements.iter().map(of).fold(0.0, f64::max);
    let all = |of: fn(&Measurement) -> &Distribution| Distribution::merged(measurements.iter().map(of));
    let (mut verification, mut failures) = (Verification::default(), Failures::default());
    for measurement in measurements {
        verification.add(measurement.verification.clone());
        failures.add(measurement.failures.clone());
    }
    let open = measurements.iter().all(|measurement| measurement.offered_rate.is_some());
    let loads: Vec<_> = measurements.iter().map(|measurement| measurement.load.as_str()).collect();
    Some(Measurement {
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

/// The timelines of several generators that began together, as one.
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

#[cfg(test)]
mod tests;
