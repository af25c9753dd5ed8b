//! What one of several generators has measured.

use serde::{Deserialize, Serialize};

use crate::checks::flags;
use crate::measurement::Measurement;

/// What one of several generators has measured, to see whether it was itself the limit. Rates are in messages per second, times
/// in microseconds.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Generator {
    /// The shard, or where its measurement was found.
    pub name: String,
    /// The scheduled messages per second; `None` in a closed loop.
    pub offered_rate: Option<f64>,
    /// The received replies per second.
    pub achieved_rate: f64,
    /// The 99th percentile of the delay between the scheduled time of a message and its sending; `None` in a closed loop.
    pub send_lag_p99: Option<f64>,
    /// The share of one core that its busiest thread used.
    pub busy: f64,
    /// Whether it was the bottleneck, and not the server.
    pub limited: bool,
    /// The 99th percentile of the latency; `None` if it says nothing about the server, or too few messages were slower.
    pub latency_p99: Option<f64>,
    /// What is doubtful about its measurement.
    pub flags: Vec<String>,
}

impl Generator {
    /// The generator of this measurement.
    pub fn of(name: impl Into<String>, measurement: &Measurement) -> Self {
        let limited = measurement.generator_limited;
        let says_nothing = limited || measurement.is_overloaded();
        Self {
            name: name.into(),
            offered_rate: measurement.offered_rate,
            achieved_rate: measurement.achieved_rate,
            send_lag_p99: measurement.offered_rate.map(|_| measurement.send_lag.value_at(99.0)),
            busy: measurement.generator_busy,
            limited,
            latency_p99: measurement.latency.percentile(99.0).filter(|_| !says_nothing),
            flags: flags(measurement),
        }
    }
}
