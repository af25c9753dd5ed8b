//! Exemptions are accepted only while they are needed.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use anyloop_conformance::{Behaviour, CASES, Exemption, check};

use crate::defect::Defect;
use crate::plain::Plain;

/// Whether the test of a case fails for this backend with this exemption.
fn fails(backend: Plain, case: &str, exempted: &'static str) -> bool {
    let exemptions = [Exemption { name: exempted, reason: "a test of exemptions" }];
    catch_unwind(AssertUnwindSafe(|| check(Arc::new(backend), case, "proof", &exemptions))).is_err()
}

#[test]
fn an_exempted_case_must_fail() {
    assert!(!fails(Plain::with(Defect::NoGreeting), "greets", "greets"));
    // The timeout is short, so that on a busy machine a correct backend may fail too.
    assert!((0..10).any(|_| fails(Plain::correct(), "greets", "greets")));
}

#[test]
fn an_exempted_need_covers_the_cases_that_have_it() {
    let one_at_a_time = Plain::with(Defect::ServesOneClientAtATime);
    assert!(!fails(one_at_a_time, "panic_does_not_affect_other_clients", "two_clients_at_once"));
    assert!(!fails(one_at_a_time, "greets", "two_clients_at_once"));
    assert!(fails(one_at_a_time, "panic_does_not_affect_other_clients", "handlers_on_other_threads"));
}

#[test]
fn an_exemption_names_something() {
    assert!(fails(Plain::correct(), "greets", "greats"));
}

#[test]
fn every_behaviour_has_cases_and_every_name_is_the_only_one() {
    let behaviours = (1..=21).filter(|&number| CASES.iter().any(|case| case.behaviour as i32 == number));
    assert_eq!(behaviours.count(), Behaviour::Timers as usize);
    let mut names: Vec<_> = CASES.iter().map(|case| case.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), CASES.len());
}

#[test]
fn the_sample_is_short_and_touches_each_mechanism() {
    use Behaviour::{
        Backpressure, Closing, Conversation, Deadlines, Fairness, Framing, Later, Limits, Panics, Pushes,
        Stop, Timers,
    };

    let sample: Vec<_> = CASES.iter().filter(|case| case.is_sampled).collect();
    assert!(sample.len() < CASES.len() / 5, "{} of {} cases", sample.len(), CASES.len());
    let once = [Backpressure, Closing, Conversation, Deadlines, Fairness, Framing, Limits, Panics, Stop];
    for behaviour in once.into_iter().chain([Pushes, Later, Timers]) {
        assert!(sample.iter().any(|case| case.behaviour == behaviour), "no case of {behaviour:?}");
    }
}
