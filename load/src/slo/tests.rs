use super::*;
use crate::testing::times;

/// A measurement of which so many messages took so many microseconds.
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
        ("p99.9=800ns", "p99.9=800ns"),
        ("max=1.5 s", "max=1.5s"),
    ] {
        assert_eq!(slo(text).to_string(), shown);
    }
}

#[test]
fn what_is_no_objective_is_refused_with_the_reason() {
    for (text, reason) in [
        ("", "`` is no objective"),
        ("5ms", "`5ms` is no objective"),
        ("p98=5ms", "`p98=5ms` limits none of p50, p90, p99, p99.9, p99.99, max"),
        ("p99=5", "`p99=5` has no limit above zero"),
        ("p99=0ms", "`p99=0ms` has no limit above zero"),
        ("p99=-5ms", "has no limit above zero"),
        ("p99=5h", "has no limit above zero"),
        ("p99=5..ms", "has no limit above zero"),
        ("p99=99999999999999999999999s", "has no limit above zero"),
    ] {
        let error = text.parse::<Slo>().unwrap_err();
        assert!(error.contains(reason), "{error}");
        assert!(error.ends_with("write one such as p99=5ms"), "{error}");
    }
}

#[test]
fn the_percentile_decides() {
    let measurement = measurement(&[(1_000.0, 990), (9_000.0, 10)]);
    assert!(slo("p99=5ms").judge(&measurement).is_pass());
    assert!(slo("max=10ms").judge(&measurement).is_pass());
    let verdict = slo("p99.9=5ms").judge(&measurement);
    assert!(matches!(verdict, Verdict::Fail(Reason::TooSlow(value)) if value == 9_000.0));
    assert_eq!(slo("p99.9=5ms").judge(&measurement).to_string(), "FAIL 9.00 ms");
}

#[test]
fn bad_replies_fail_whatever_the_latency() {
    let mut measurement = measurement(&[(1.0, 1000)]);
    measurement.verification.doubled = 2;
    assert_eq!(slo("p99=5ms").judge(&measurement), Verdict::Fail(Reason::BadReplies(2)));
}

#[test]
fn overload_fails_whatever_the_latency() {
    let mut measurement = measurement(&[(1.0, 1000)]);
    measurement.achieved_rate = 900.0;
    let verdict = slo("p99=5ms").judge(&measurement);
    assert_eq!(verdict.to_string(), "FAIL OVERLOADED: offered 1000/s, achieved 900/s");
}

#[test]
fn no_replies_are_no_success() {
    assert_eq!(slo("max=1s").judge(&measurement(&[])), Verdict::Fail(Reason::NoReplies));
}

#[test]
fn messages_without_an_answer_were_slower_than_any_limit() {
    let mut measurement = measurement(&[(1_000.0, 990), (4_000.0, 6)]);
    measurement.failures.unanswered = 2;
    measurement.dropped = 2;
    assert!(slo("p99=2ms").judge(&measurement).is_pass(), "the 990th of 1000 took 1 ms");
    measurement.dropped = 3;
    assert!(!slo("p99=2ms").judge(&measurement).is_pass(), "the 991st of 1001 took 4 ms");
    measurement.dropped = 20;
    assert_eq!(slo("p99=5ms").judge(&measurement), Verdict::Fail(Reason::Unanswered(22)));
    assert_eq!(slo("max=5s").judge(&measurement), Verdict::Fail(Reason::Unanswered(22)));
}
