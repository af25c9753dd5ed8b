//! A measurement as a sample of a comparison, and what in it counts as a failure.

use super::Sample;
use load::checks;
use load::measurement::Measurement;

/// Where a sample belongs.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place {
    pub(super) round: usize,
    pub(super) slot: usize,
    pub(super) subject: usize,
    pub(super) shape: usize,
}

/// A server that uses this part of its cores is saturated, however busy the generator is.
const SATURATED: f64 = 0.9;

impl Sample {
    /// A measurement of a server that had so many cores.
    pub(super) fn of(measurement: &Measurement, place: Place, cores: usize) -> Self {
        let cpu = measurement.cpu_per_message();
        let usage = measurement.server.filter(|usage| usage.messages > 0);
        let switches = usage.map(|usage| usage.context_switches as f64 / usage.messages as f64);
        let is_open = measurement.offered_rate.is_some();
        let mut flags = checks::flags(measurement);
        if cpu.is_none() {
            flags.push("the server's CPU time is unknown".to_owned());
        }
        let (cpu_user, cpu_system) = cpu.unwrap_or_default();
        let busy = (cpu_user + cpu_system) * 1e-6 * measurement.achieved_rate / cores.max(1) as f64;
        let is_saturated = !is_open && busy >= SATURATED;
        Self {
            round: place.round,
            slot: place.slot,
            subject: place.subject,
            shape: place.shape,
            rate: measurement.achieved_rate,
            cpu_user,
            cpu_system,
            switches: switches.unwrap_or_default(),
            latency: measurement.latency.percentiles.clone(),
            service: measurement.service.percentiles.clone(),
            overloaded: measurement.is_overloaded(),
            bad: measurement.verification.bad(),
            refused: measurement.verification.refused,
            refusal: measurement.verification.refusal.clone(),
            replies: measurement.verification.replies,
            server_busy: busy,
            generator_limited: measurement.generator_limited && !is_saturated,
            // In a closed loop nothing is sent to a server that stalls, so that it shows no stalls.
            timeline: if is_open { measurement.timeline.clone() } else { Vec::new() },
            generator_busy: measurement.generator_busy,
            send_lag: measurement.send_lag.value_at(99.0),
            littles_error: measurement.littles_error(),
            steal: measurement.steal,
            flags,
        }
    }
}

/// Why a measurement shows that a server doesn't do its duty: replies that are not as they should be.
pub(super) fn bad_replies(measurement: &Measurement) -> Option<String> {
    let verification = &measurement.verification;
    let bad = verification.bad();
    (bad > 0).then(|| {
        let what = format!("{bad} bad replies, of {} in all", verification.replies);
        with_example(what, &verification.examples)
    })
}

/// Why a measurement with nothing but good clients shows it: connections that were refused or ended, or no
/// replies at all, not even before or after what was measured. Refusals are replies.
pub(super) fn broken_connections(measurement: &Measurement) -> Option<String> {
    let failures = &measurement.failures;
    let what = match (failures.connect, failures.ended, failures.unserved) {
        (0, 0, 0) if measurement.verification.replies == 0 => "no replies came".to_owned(),
        (0, 0, 0) => return None,
        (0, 0, unserved) => format!("{unserved} connections were never served"),
        (0, ended, _) => format!("the server ended {ended} connections"),
        (refused, ..) => format!("{refused} connections could not be made"),
    };
    Some(with_example(what, &failures.examples))
}

/// More than this share of refusals is told.
const FEW: f64 = 0.01;

/// What is to be told of refusals, if there are more than a few.
pub(super) fn refusals(measurement: &Measurement) -> Option<String> {
    let share = measurement.refused_share();
    (share > FEW).then(|| {
        let what = format!("{:.1} % of the replies were refusals", share * 100.0);
        match &measurement.verification.refusal {
            Some(refusal) => format!("{what}, such as `{refusal}`"),
            None => what,
        }
    })
}

fn with_example(what: String, examples: &[String]) -> String {
    match examples.first() {
        Some(example) => format!("{what}: {example}"),
        None => what,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use load::measurement::{Tick, Usage, Verification};
    use load::testing::measurement;

    #[test]
    fn costs_are_for_each_message() {
        let sample = Sample::of(&measurement(), Place { round: 1, slot: 2, subject: 3, shape: 4 }, 1);
        assert_eq!((sample.round, sample.slot, sample.subject, sample.shape), (1, 2, 3, 4));
        assert_eq!((sample.cpu_user, sample.cpu_system, sample.switches), (2.0, 8.0, 0.5));
        assert_eq!((sample.rate, sample.send_lag, sample.replies), (1000.0, 5.0, 1200));
        assert_eq!(sample.flags, Vec::<String>::new());
    }

    #[test]
    fn a_saturated_server_is_the_limit_however_busy_the_generator_is() {
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
            Sample::of(measurement, Place::default(), cores).generator_limited
        };
        assert!(!limited(&closed, 1));
        assert!(limited(&closed, 2), "the server had another core");
        let open = Measurement { offered_rate: Some(200_000.0), ..closed };
        assert!(limited(&open, 1), "what is offered is the generator's affair");
    }

    #[test]
    fn unknown_costs_are_flagged() {
        let sample = Sample::of(&Measurement { server: None, ..measurement() }, Place::default(), 1);
        assert_eq!(sample.flags, ["the server's CPU time is unknown"]);
    }

    #[test]
    fn nothing_is_divided_by_no_messages() {
        let server = Some(Usage { messages: 0, ..measurement().server.unwrap() });
        let sample = Sample::of(&Measurement { server, ..measurement() }, Place::default(), 1);
        assert_eq!((sample.cpu_user, sample.switches), (0.0, 0.0));
    }

    #[test]
    fn failures_are_told_with_an_example() {
        assert_eq!((bad_replies(&measurement()), broken_connections(&measurement())), (None, None));

        let mut bad = measurement();
        bad.verification.lost = 2;
        bad.verification.examples = vec!["connection 3, message 7".into()];
        let text = bad_replies(&bad).unwrap();
        assert_eq!(text, "2 bad replies, of 1200 in all: connection 3, message 7");

        let mut broken = measurement();
        broken.failures.ended = 1;
        assert_eq!(broken_connections(&broken).as_deref(), Some("the server ended 1 connections"));
        broken.failures.connect = 5;
        assert_eq!(broken_connections(&broken).as_deref(), Some("5 connections could not be made"));

        // On a busy machine a server may get no core as long as a short slot is, and reply later.
        let late = Measurement { latency: Default::default(), ..measurement() };
        assert_eq!(broken_connections(&late), None);
        let silent = Measurement { verification: Verification::default(), ..late };
        assert_eq!(broken_connections(&silent).as_deref(), Some("no replies came"));
    }

    #[test]
    fn refusals_are_counted_apart_and_told() {
        let refused = |refused| {
            let refusal = Some("ERR rate-limited".to_owned());
            let verification = Verification { replies: 1000, refused, refusal, ..Verification::default() };
            Measurement { verification, ..measurement() }
        };
        assert_eq!(refusals(&refused(10)), None);
        let told = "99.9 % of the replies were refusals, such as `ERR rate-limited`";
        assert_eq!(refusals(&refused(999)).as_deref(), Some(told));
        let sample = Sample::of(&refused(999), Place::default(), 1);
        assert_eq!((sample.refused, sample.refusal.as_deref()), (999, Some("ERR rate-limited")));
        // Who answers all with refusals has answered.
        let silent = Measurement { latency: Default::default(), ..refused(1000) };
        assert_eq!(broken_connections(&silent), None);
    }

    #[test]
    fn an_open_loop_keeps_its_timeline() {
        let timeline = vec![Tick { at: 0.1, replies: 3, max: 4.0 }];
        let open = Measurement { timeline: timeline.clone(), generator_limited: true, ..measurement() };
        let sample = Sample::of(&open, Place::default(), 1);
        assert_eq!((sample.timeline, sample.generator_limited), (timeline, true));
        let closed = Measurement { offered_rate: None, ..open };
        assert_eq!(Sample::of(&closed, Place::default(), 1).timeline, []);
    }
}
