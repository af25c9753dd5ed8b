use super::*;
use crate::measurement::Pushes;
use crate::testing::times;

/// A measurement with these latencies in microseconds, and their counts.
fn measurement(latencies: &[(f64, u64)]) -> Measurement {
    Measurement { latency: times(latencies), ..crate::testing::measurement() }
}

fn slo(text: &str) -> Slo {
    text.parse().unwrap()
}

#[test]
fn objectives_are_read_and_written() {
    assert_eq!(slo("p99=5ms"), Slo { rank: Rank::Percentile(99.0), limit: Duration::from_millis(5) });
    for (text, shown) in [
        ("p99=5ms", "p99=5ms"),
        ("p99.99 = 250us", "p99.99=250µs"),
        ("p50=250µs", "p50=250µs"),
        ("p90=0.5ms", "p90=500µs"),
        ("p95=2s", "p95=2s"),
        ("p99.9=800ns", "p99.9=800ns"),
        ("max=1.5s", "max=1.5s"),
        ("max=2m", "max=120s"),
        ("max = 0.5h", "max=1800s"),
    ] {
        assert_eq!(slo(text).to_string(), shown);
        assert_eq!(slo(shown), slo(text), "as reports store it");
    }
}

#[test]
fn invalid_objectives_are_errors() {
    for (text, reason) in [
        ("", "`` is no objective"),
        ("5ms", "`5ms` is no objective"),
        ("p98=5ms", "`p98=5ms` limits none of p50, p90, p95, p99, p99.9, p99.99, max"),
        ("p101=5ms", "limits none of p50"),
        ("p99=0ms", "`p99=0ms` has a limit of zero"),
        ("p99=0", "has a limit of zero"),
        ("p99=5", "`p99=5`: `5` has no unit; write 5s, 5ms or 5m"),
        ("p99=soon", "`soon` is no time"),
        ("p99=-5ms", "`-5ms` is no time"),
        ("p99=5 ms", "`5 ms` is no time"),
        ("p99=5..ms", "`5..ms` is no time"),
        ("p99=0.5ns", "no whole number of nanoseconds"),
        ("p99=99999999999999999999999s", "write at most 365d"),
    ] {
        let error = text.parse::<Slo>().unwrap_err();
        assert!(error.contains(reason), "{error}");
        assert!(error.contains("; write"), "{error}");
    }
}

#[test]
fn the_percentile_decides() {
    let measurement = measurement(&[(1_000.0, 990), (9_000.0, 10)]);
    assert!(slo("p99=5ms").judge(&measurement, false).is_pass());
    assert!(slo("max=10ms").judge(&measurement, false).is_pass());
    let verdict = slo("p99.9=5ms").judge(&measurement, false);
    assert_eq!(verdict, Verdict::Fail(Reason::TooSlow(9_000.0)), "ten of a thousand are over it");
    assert_eq!(verdict.to_string(), "FAIL 9.00 ms");
}

#[test]
fn bad_replies_fail_whatever_the_latency() {
    let mut measurement = measurement(&[(1.0, 1000)]);
    measurement.verification.doubled = 2;
    assert_eq!(slo("p99=5ms").judge(&measurement, false), Verdict::Fail(Reason::BadReplies(2)));
    measurement.pushes = Some(Pushes { missed: 9, wrong: 1, ..Pushes::default() });
    assert_eq!(slo("p99=5ms").judge(&measurement, false), Verdict::Fail(Reason::BadReplies(3)));
}

#[test]
fn overload_fails_whatever_the_latency() {
    let mut measurement = measurement(&[(1.0, 1000)]);
    measurement.achieved_rate = 900.0;
    let verdict = slo("p99=5ms").judge(&measurement, false);
    assert_eq!(verdict.to_string(), "FAIL OVERLOADED: offered 1000/s, achieved 900/s");
}

#[test]
fn a_crash_fails_whatever_the_latency() {
    let mut measurement = measurement(&[(1.0, 1000)]);
    measurement.failures.ended = 3;
    let verdict = slo("p99=5ms").judge(&measurement, false);
    assert_eq!(verdict.to_string(), "FAIL 3 connections failed");
    measurement.stopped_early = Some("0.5 s after the start, no connection was left".into());
    assert_eq!(slo("p99=5ms").judge(&measurement, false), Verdict::Fail(Reason::StoppedEarly));
}

#[test]
fn no_replies_are_no_success() {
    assert_eq!(slo("max=1s").judge(&measurement(&[]), false), Verdict::Fail(Reason::NoReplies));
}

#[test]
fn unanswered_messages_are_slower_than_any_limit() {
    let mut measurement = measurement(&[(1_000.0, 990), (4_000.0, 6)]);
    measurement.dropped = 4;
    assert!(slo("p99=2ms").judge(&measurement, false).is_pass(), "the 990th of 1000 took 1 ms");
    measurement.failures.unanswered = 20;
    assert!(slo("p99=2ms").judge(&measurement, false).is_pass(), "they are unfinished, or of the warm-up");
    measurement.dropped = 22;
    assert_eq!(slo("p99=5ms").judge(&measurement, false), Verdict::Fail(Reason::Unanswered(22)));
    assert_eq!(slo("max=5s").judge(&measurement, false), Verdict::Fail(Reason::Unanswered(22)));
}

#[test]
fn unfinished_messages_are_over_every_limit() {
    let mut measurement = measurement(&[(1_000.0, 980), (4_000.0, 20)]);
    assert!(slo("p99=5ms").judge(&measurement, false).is_pass());
    measurement.unfinished = 20;
    measurement.waited = times(&[(4_000.0, 20)]);
    assert_eq!(slo("p99=5ms").judge(&measurement, false), Verdict::Fail(Reason::Unanswered(20)));
}

#[test]
fn unfinished_messages_are_counted_once() {
    let mut measurement = measurement(&[(1_000.0, 990), (9_000.0, 10)]);
    // Six of these ten, which have waited for longer than the limit.
    measurement.unfinished = 6;
    measurement.waited = times(&[(9_000.0, 6)]);
    assert!(slo("p99=5ms").judge(&measurement, false).is_pass());
    // Six of the others, which have not: with the ten there are sixteen.
    measurement.waited = times(&[(1_000.0, 6)]);
    assert!(slo("p99=5ms").judge(&measurement, false).is_fail());
}

#[test]
fn few_messages_are_undecided_unless_many_are_too_slow() {
    let few = measurement(&[(1_000.0, 999)]);
    let doubt = Doubt::FewMessages { count: 999, needed: 1_000 };
    assert_eq!(slo("p99=5ms").judge(&few, false), Verdict::Unknown(doubt));
    assert_eq!(
        slo("p99.99=5ms").judge(&few, false).to_string(),
        "UNKNOWN 999 messages are too few, it takes 100000"
    );
    assert!(slo("p95=5ms").judge(&few, false).is_pass());
    assert!(slo("max=5ms").judge(&few, false).is_pass(), "the longest is the longest");
    let slow = |count| slo("p99=5ms").judge(&measurement(&[(1_000.0, 100 - count), (9_000.0, count)]), false);
    assert!(matches!(slow(9), Verdict::Unknown(_)));
    assert_eq!(slow(10), Verdict::Fail(Reason::TooSlow(9_000.0)));
}

#[test]
fn a_bottleneck_in_the_generator_leaves_the_objective_undecided() {
    let mut measurement = measurement(&[(9_000.0, 1000)]);
    measurement.generator_limited = true;
    assert_eq!(slo("p99=5ms").judge(&measurement, false), Verdict::Unknown(Doubt::GeneratorLimited));
    measurement.verification.wrong = 1;
    assert_eq!(
        slo("p99=5ms").judge(&measurement, false),
        Verdict::Fail(Reason::BadReplies(1)),
        "that is certain"
    );
}

#[test]
fn a_closed_loop_leaves_the_objective_undecided() {
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], 1));
    let error = slo("p99=5ms").check(&Plan::new(address)).unwrap_err();
    assert!(error.starts_with("--slo p99=5ms needs --rate: ") && error.contains("under-counted"), "{error}");
    let closed = Measurement { offered_rate: None, ..measurement(&[(1.0, 1000)]) };
    assert_eq!(slo("p99=5ms").judge(&closed, false), Verdict::Unknown(Doubt::ClosedLoop));
}

#[test]
fn refusals_miss_it_unless_they_are_allowed() {
    let refused = |refused| {
        let mut measurement = measurement(&[(100.0, 1000)]);
        (measurement.verification.refused, measurement.verification.replies) = (refused, 1000);
        measurement
    };
    assert!(slo("p99=5ms").judge(&refused(10), false).is_pass());
    let missed = slo("p99=5ms").judge(&refused(250), false);
    assert_eq!(missed, Verdict::Fail(Reason::Refused(0.25)));
    assert_eq!(missed.to_string(), "FAIL 25.0 % of the replies were refusals");
    assert!(slo("p99=5ms").judge(&refused(250), true).is_pass());
}
