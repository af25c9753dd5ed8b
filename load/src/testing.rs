//! Helpers for the tests of several modules.

use std::collections::BTreeMap;

use crate::histogram::Distribution;
use crate::measurement::{Failures, Measurement, Usage, Verification};
use crate::shard::Shard;

/// A measurement of an open loop without problems: 1,000 messages in one second, of 100 µs each.
pub fn measurement() -> Measurement {
    Measurement {
        load: "64 connections, depth 16".into(),
        seconds: 1.0,
        interrupted: false,
        stopped_early: None,
        connections: 64,
        in_flight_limit: 1024,
        offered_rate: Some(1000.0),
        achieved_rate: 1000.0,
        latency: times(&[(100.0, 1000)]),
        service: times(&[(90.0, 1000)]),
        send_lag: times(&[(5.0, 1000)]),
        connect: Distribution::default(),
        dropped: 0,
        unfinished: 0,
        waited: Distribution::default(),
        verification: Verification { replies: 1200, ..Verification::default() },
        pushes: None,
        tls: None,
        hostile: None,
        failures: Failures::default(),
        reconnected: 0,
        resent: 0,
        generator_busy: 0.3,
        generator_limited: false,
        timeline: Vec::new(),
        server: Some(Usage {
            user_seconds: 0.002,
            system_seconds: 0.008,
            context_switches: 500,
            messages: 1000,
            deliveries: 0,
            memory: None,
        }),
        server_ended: false,
        steal: 0.0,
        plan: BTreeMap::new(),
        shard: Shard::WHOLE,
        window: None,
        generators: Vec::new(),
    }
}

/// Latencies in microseconds and their counts, in ascending order.
pub fn times(times: &[(f64, u64)]) -> Distribution {
    let count = times.iter().map(|&(_, count)| count).sum();
    let sum: f64 = times.iter().map(|&(time, count)| time * count as f64).sum();
    Distribution {
        count,
        mean: sum / f64::max(count as f64, 1.0),
        max: times.last().map_or(0.0, |&(time, _)| time),
        percentiles: Vec::new(),
        values: times.iter().map(|&(time, count)| ((time * 1e3) as u64, count)).collect(),
    }
}
