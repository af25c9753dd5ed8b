//! What makes a measurement doubtful. A doubtful one is flagged and never dropped: who drops what looks odd
//! measures expectations.

use crate::measurement::Measurement;

/// Above this share of the time, other machines on the same host took so much that rounds can't be compared.
pub const STEAL: f64 = 0.02;

/// Above this share of its core, the generator may be what limits the rate, and delays what it measures.
pub const GENERATOR_BUSY: f64 = 0.8;

/// Above this share of its core, the generator is the limit of a closed loop: its thread hardly ever waited for the
/// server.
pub const GENERATOR_LIMITED: f64 = 0.95;

/// By more than this, rate and latency contradict the number of messages in flight.
pub const LITTLE: f64 = 0.05;

/// Above this part of the latency, more of it may be the generator's lateness than the server's doing. Below, lateness makes
/// servers look more alike than they are, and widens intervals.
pub const SEND_LAG: f64 = 0.5;

/// How the flags begin that are about the generator's own load, about Little's law, and about lateness.
pub const ABOUT: [&str; 3] = ["generator busy", "Little's law", "send lag"];

/// Whether the generator was the limit, so that rate and latency are its own and say nothing about the server: in an
/// open loop if it was busy and the rate was not achieved, in a closed one if it hardly ever waited.
pub fn generator_limited(measurement: &Measurement) -> bool {
    match measurement.offered_rate {
        Some(_) => measurement.generator_busy > GENERATOR_BUSY && measurement.is_overloaded(),
        None => measurement.generator_busy > GENERATOR_LIMITED,
    }
}

/// What makes a measurement doubtful, each in a few words; empty if nothing does.
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
    fn a_busy_generator_is_the_limit_where_the_rate_is_not_achieved() {
        let busy = |generator_busy, achieved_rate, offered_rate| {
            generator_limited(&Measurement { generator_busy, achieved_rate, offered_rate, ..measurement() })
        };
        assert!(!busy(0.97, 1000.0, Some(1000.0)), "it did what it had to");
        assert!(busy(0.85, 900.0, Some(1000.0)));
        assert!(!busy(0.5, 900.0, Some(1000.0)), "the server was overloaded");
        assert!(busy(0.97, 1000.0, None));
        assert!(!busy(0.9, 1000.0, None), "it waited for the server a tenth of the time");
    }

    #[test]
    fn littles_law_holds_in_a_closed_loop_only() {
        // 1,000 messages of 100 µs in a second: a tenth of a message in flight, where 1,024 were kept.
        let closed = Measurement { offered_rate: None, ..measurement() };
        assert_eq!(flags(&closed), ["Little's law off by 100 %"]);
        let sound = Measurement { achieved_rate: 1024.0 / 100e-6, ..closed };
        assert_eq!(flags(&sound), Vec::<String>::new());
    }

    #[test]
    fn the_send_lag_of_a_closed_loop_says_nothing() {
        let closed = Measurement { offered_rate: None, in_flight_limit: 0, ..measurement() };
        let lag = Distribution { count: 1, values: vec![(1_000_000, 1)], ..Distribution::default() };
        assert_eq!(flags(&Measurement { send_lag: lag, ..closed }), Vec::<String>::new());
    }
}
