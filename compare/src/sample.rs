//! The conversion of a measurement into a sample of a comparison.

use super::{Deliveries, Sample};
use load::checks;
use load::measurement::{MIN_ACHIEVED_SHARE, Measurement, Pushes};

/// The position of a sample in a comparison.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Position {
    pub(super) round: usize,
    pub(super) slot: usize,
    pub(super) subject: usize,
    pub(super) shape: usize,
}

/// A server that uses at least this share of its cores is saturated, however busy the generator is.
const SATURATED: f64 = 0.9;

impl Sample {
    /// The sample of a measurement whose server had `cores` cores.
    pub(super) fn of(measurement: &Measurement, position: Position, cores: usize) -> Self {
        let cpu = measurement.cpu_per_message();
        let usage = measurement.server.filter(|usage| usage.messages > 0);
        let switches = usage.map(|usage| usage.context_switches as f64 / usage.messages as f64);
        let is_open = measurement.offered_rate.is_some();
        let mut flags = checks::flags(measurement);
        let is_known = match &measurement.pushes {
            Some(_) => measurement.cpu_per_delivery().is_some(),
            None => cpu.is_some(),
        };
        if !is_known {
            flags.push("the server's CPU time is unknown".to_owned());
        }
        let (cpu_user, cpu_system) = cpu.unwrap_or_default();
        let busy = (cpu_user + cpu_system) * 1e-6 * measurement.achieved_rate / cores.max(1) as f64;
        let is_saturated = !is_open && busy >= SATURATED;
        Self {
            round: position.round,
            slot: position.slot,
            subject: position.subject,
            shape: position.shape,
            rate: measurement.achieved_rate,
            cpu_user,
            cpu_system,
            switches: switches.unwrap_or_default(),
            latency: measurement.latency.percentiles.clone(),
            service: measurement.service.percentiles.clone(),
            overloaded: measurement.is_overloaded() || is_late(measurement),
            bad: measurement.bad(),
            refused: measurement.verification.refused,
            refusal: measurement.verification.refusal.clone(),
            replies: measurement.verification.replies,
            server_busy: busy,
            generator_limited: measurement.generator_limited && !is_saturated,
            deliveries: measurement.pushes.as_ref().map(|pushes| deliveries(pushes, measurement)),
            // In a closed loop nothing is sent while a server stalls, so the timeline would hide stalls.
            timeline: if is_open { measurement.timeline.clone() } else { Vec::new() },
            generator_busy: measurement.generator_busy,
            send_lag: measurement.send_lag.value_at(99.0),
            littles_error: measurement.littles_error(),
            steal: measurement.steal,
            flags,
        }
    }
}

/// Whether the subscribers received their pushes at a lower rate than the messages were offered.
pub(super) fn is_late(measurement: &Measurement) -> bool {
    let Some((pushes, offered)) = measurement.pushes.as_ref().zip(measurement.offered_rate) else {
        return false;
    };
    pushes.rate < offered * pushes.subscribers as f64 * MIN_ACHIEVED_SHARE
}

fn deliveries(pushes: &Pushes, measurement: &Measurement) -> Deliveries {
    let (cpu_user, cpu_system) = measurement.cpu_per_delivery().unwrap_or_default();
    let (count, missed, rate) = (pushes.delivered, pushes.missed, pushes.rate);
    Deliveries { count, missed, rate, cpu_user, cpu_system, delay: pushes.delay.percentiles.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use load::measurement::{Tick, Usage, Verification};
    use load::testing::measurement;

    #[test]
    fn costs_are_for_each_message() {
        let sample = Sample::of(&measurement(), Position { round: 1, slot: 2, subject: 3, shape: 4 }, 1);
        assert_eq!((sample.round, sample.slot, sample.subject, sample.shape), (1, 2, 3, 4));
        assert_eq!((sample.cpu_user, sample.cpu_system, sample.switches), (2.0, 8.0, 0.5));
        assert_eq!((sample.rate, sample.send_lag, sample.replies), (1000.0, 5.0, 1200));
        assert_eq!(sample.flags, Vec::<String>::new());
    }

    #[test]
    fn a_saturated_server_is_the_bottleneck_however_busy_the_generator_is() {
        // 100,000 messages a second of 9.5 µs each are 95 % of a core.
        let usage = Usage { user_seconds: 0.19, system_seconds: 0.76, messages: 100_000, ..Usage::default() };
        let closed = Measurement {
            offered_rate: None,
            achieved_rate: 100_000.0,
            server: Some(usage),
            generator_limited: true,
            ..measurement()
        };
        let limited = |measurement: &Measurement, cores| {
            Sample::of(measurement, Position::default(), cores).generator_limited
        };
        assert!(!limited(&closed, 1));
        assert!(limited(&closed, 2), "the server had another core");
        let open = Measurement { offered_rate: Some(200_000.0), ..closed };
        assert!(limited(&open, 1), "in an open loop a busy generator is late");
    }

    #[test]
    fn unknown_costs_are_flagged() {
        let sample = Sample::of(&Measurement { server: None, ..measurement() }, Position::default(), 1);
        assert_eq!(sample.flags, ["the server's CPU time is unknown"]);
    }

    #[test]
    fn without_messages_nothing_is_divided_by_zero() {
        let server = Some(Usage { messages: 0, ..measurement().server.unwrap() });
        let sample = Sample::of(&Measurement { server, ..measurement() }, Position::default(), 1);
        assert_eq!((sample.cpu_user, sample.switches), (0.0, 0.0));
    }

    #[test]
    fn refusals_are_kept_with_an_example() {
        let refusal = Some("ERR rate-limited".to_owned());
        let verification = Verification { refused: 999, refusal, ..measurement().verification };
        let sample = Sample::of(&Measurement { verification, ..measurement() }, Position::default(), 1);
        assert_eq!((sample.refused, sample.refusal.as_deref()), (999, Some("ERR rate-limited")));
    }

    #[test]
    fn the_costs_of_pushes_are_for_each_delivery() {
        let usage = Usage { deliveries: 10_000, ..measurement().server.unwrap() };
        let pushes = Pushes {
            subscribers: 10,
            delivered: 12_000,
            missed: 3,
            rate: 9990.0,
            delay: measurement().latency,
            ..Pushes::default()
        };
        let pushed = Measurement { server: Some(usage), pushes: Some(pushes), ..measurement() };
        let sample = |of: &Measurement| Sample::of(of, Position::default(), 1);
        let deliveries = sample(&pushed).deliveries.unwrap();
        assert_eq!((deliveries.count, deliveries.missed, deliveries.rate), (12_000, 3, 9990.0));
        assert_eq!(
            (deliveries.cpu_user, deliveries.cpu_system),
            (0.2, 0.8),
            "2 and 8 for each of 1,000 messages"
        );
        assert_eq!(deliveries.delay, measurement().latency.percentiles);
        assert!(!sample(&pushed).overloaded);
        let late = Pushes { rate: 9700.0, ..pushed.pushes.clone().unwrap() };
        assert!(sample(&Measurement { pushes: Some(late), ..pushed }).overloaded);
        assert_eq!(sample(&measurement()).deliveries, None);
    }

    #[test]
    fn an_open_loop_keeps_its_timeline() {
        let timeline = vec![Tick { at: 0.1, replies: 3, max: 4.0 }];
        let open = Measurement { timeline: timeline.clone(), generator_limited: true, ..measurement() };
        let sample = Sample::of(&open, Position::default(), 1);
        assert_eq!((sample.timeline, sample.generator_limited), (timeline, true));
        let closed = Measurement { offered_rate: None, ..open };
        assert_eq!(Sample::of(&closed, Position::default(), 1).timeline, []);
    }
}
