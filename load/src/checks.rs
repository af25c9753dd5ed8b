//! Checks that flag a measurement as doubtful. A flagged measurement is never dropped, because dropping outliers biases
//! the result towards what was expected.

use crate::measurement::Measurement;

/// Above this share of stolen CPU time, other virtual machines on the same host disturb a round too much for a
/// comparison.
pub const STEAL: f64 = 0.02;

/// Above this utilization of its core, the generator may limit the rate and delay the messages it measures.
pub const GENERATOR_BUSY: f64 = 0.8;

/// Above this utilization of its core, the generator is the bottleneck of a closed loop: its thread hardly ever waited
/// for the server.
pub const GENERATOR_LIMITED: f64 = 0.95;

/// Rate × latency may differ from the number of messages in flight by this fraction (Little's law).
pub const LITTLE: f64 = 0.05;

/// Above this fraction of the latency, more of it may be caused by late sends of the generator than by the server.
/// Below it, late sends make servers look more alike than they are, and widen intervals.
pub const SEND_LAG: f64 = 0.5;

/// The prefixes of the flags for the generator's utilization, Little's law, and late sends.
pub const FLAG_PREFIXES: [&str; 3] = ["generator busy", "Little's law", "send lag"];

/// Returns whether the generator was the bottleneck, so that rate and latency describe the generator and not the
/// server: in an open loop if it was busy and the rate was not achieved, in a closed one if it hardly ever waited.
pub fn generator_limited(measurement: &Measurement) -> bool {
    match measurement.offered_rate {
        Some(_) => measurement.generator_busy > GENERATOR_BUSY && measurement.is_overloaded(),
        None => measurement.generator_busy > GENERATOR_LIMITED,
    }
}

/// The reasons why a measurement is doubtful, each in a few words; empty if there are none.
pub fn flags(measurement: &Measurement) -> Vec<String> {
    let mut flags = Vec::new();
    if measurement.steal > STEAL {
        flags.push(format!("steal {:.1} %", measurement.steal * 100.0));
    }
    if measurement.generator_busy > GENERATOR_BUSY {
        flags.push(format!("generator busy {:.0} %", measurement.generator_busy * 100.0));
    }
    if let Some(error) = measurement.littles_error().filter(|error| *error > LITTLE) {
        flags.push(format!("Little's law off by {:.0} %", error * 100.0));
    }
    let (lag, latency) = (measurement.send_lag.value_at(99.0), measurement.latency.value_at(99.0));
    if measurement.offered_rate.is_some() && lag > SEND_LAG * latency {
        flags.push(format!("send lag {lag:.0} µs of a p99 of {latency:.0} µs"));
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::histogram::Distribution;
    use crate::testing::measurement;

    #[test]
    fn a_sound_measurement_has_no_flags() {
        assert_eq!(flags(&measurement()), Vec::<String>::new());
    }

    #[test]
    fn each_doubt_has_its_flag() {
        let latency = measurement().latency;
        let doubtful = Measurement { steal: 0.031, generator_busy: 0.95, send_lag: latency, ..measurement() };
        assert_eq!(
            flags(&doubtful),
            ["steal 3.1 %", "generator busy 95 %", "send lag 100 µs of a p99 of 100 µs"]
        );
    }

    #[test]
    fn a_busy_generator_is_the_bottleneck_if_the_rate_is_not_achieved() {
        let busy = |generator_busy, achieved_rate, offered_rate| {
            generator_limited(&Measurement { generator_busy, achieved_rate, offered_rate, ..measurement() })
        };
        assert!(!busy(0.97, 1000.0, Some(1000.0)), "the rate was achieved");
        assert!(busy(0.85, 900.0, Some(1000.0)));
        assert!(!busy(0.5, 900.0, Some(1000.0)), "the server was overloaded");
        assert!(busy(0.97, 1000.0, None));
        assert!(!busy(0.9, 1000.0, None), "it waited for the server a tenth of the time");
    }

    #[test]
    fn littles_law_holds_in_a_closed_loop_only() {
        // 1,000 messages of 100 µs in a second are a tenth of a message in flight, but 1,024 were.
        let closed = Measurement { offered_rate: None, ..measurement() };
        assert_eq!(flags(&closed), ["Little's law off by 100 %"]);
        let sound = Measurement { achieved_rate: 1024.0 / 100e-6, ..closed };
        assert_eq!(flags(&sound), Vec::<String>::new());
    }

    #[test]
    fn the_send_lag_of_a_closed_loop_is_not_flagged() {
        let closed = Measurement { offered_rate: None, in_flight_limit: 0, ..measurement() };
        let lag = Distribution { count: 1, values: vec![(1_000_000, 1)], ..Distribution::default() };
        assert_eq!(flags(&Measurement { send_lag: lag, ..closed }), Vec::<String>::new());
    }
}
