//! The loads with subscribers.

use super::*;

fn with_subscribers(names: &[&str]) -> Settings {
    let expect = load::plan::Expect::Ok;
    Settings { subscribers: vec![1, 100], expect, ..settings(names) }
}

#[test]
fn every_load_is_measured_in_every_round_without_curves() {
    let settings = with_subscribers(&["one", "a", "b"]);
    let (comparison, events, took) = run(&settings, Fake::new());
    assert_eq!(comparison.samples.len(), 13 * 3 * 2);
    let of_many = comparison.samples.iter().filter(|sample| sample.shape == 1);
    assert!(of_many.clone().count() == 39 && of_many.clone().all(|sample| sample.deliveries.is_some()));
    // An eighth of what they achieve without subscribers, 50,000 per second.
    let rates: Vec<_> = comparison.shapes.iter().map(|shape| shape.rate).collect();
    assert_eq!(rates, [Some(6200.0), Some(62.0)]);
    assert!(steps(&events).all(|step| matches!(step.stage, Stage::Calibration | Stage::Rounds)));
    assert!(comparison.memory.is_empty() && comparison.rate_sweep.is_empty());
    let step = steps(&events).find(|step| step.stage == Stage::Rounds).unwrap();
    let share = took.as_secs_f64() / (step.passed + step.left).as_secs_f64();
    assert!((0.9..1.1).contains(&share), "the estimate knows how long it takes: {share}");
    assert_eq!(comparison.conditions.pinned, None);
}

#[test]
fn the_rate_is_that_of_the_deliveries_and_known_before() {
    let settings = Settings { rate: Some(3000.0), ..with_subscribers(&["a", "b"]) };
    let fake = Fake { cores: conditions::cores(), ..Fake::new() };
    let (planned, (made, ..)) = (preview(&settings), run(&settings, fake));
    assert_eq!(made.shapes.iter().map(|shape| shape.rate).collect::<Vec<_>>(), [Some(3000.0), Some(30.0)]);
    assert_eq!(planned.shapes, made.shapes);
}

#[test]
fn a_server_that_does_not_hold_a_load_is_measured_under_the_others() {
    let (comparison, events, _) = run(&with_subscribers(&["a", "small"]), Fake::new());
    let small = &comparison.subjects[2];
    assert_eq!((small.failed.as_deref(), small.not_held.len()), (None, 1));
    assert_eq!(
        (small.not_held[0].shape, small.not_held[0].why.as_str()),
        (1, "3 connections could not be made")
    );
    let shapes = comparison.samples.iter().filter(|sample| sample.subject == 2).map(|sample| sample.shape);
    assert_eq!(shapes.collect::<Vec<_>>(), [0; 13]);
    let note = "small is not measured with 64 connections, 62/s, to 100 subscribers from round 1 on: 3 connections \
                could not be made";
    assert!(events.iter().any(|event| *event == Event::Note(note.to_owned())), "{events:?}");
}

#[test]
fn bad_pushes_are_a_failure() {
    let (comparison, ..) = run(&with_subscribers(&["a", "repeats"]), Fake::new());
    let failed = &comparison.subjects[2];
    assert_eq!(failed.failed.as_deref(), Some("7 bad pushes, and 100000 good ones"));
    assert_eq!((failed.bad, failed.not_held.len()), (7, 0));
}

#[test]
fn the_reference_is_the_first_that_keeps_up() {
    let (comparison, events, _) = run(&with_subscribers(&["late", "a", "b"]), Fake::new());
    let names: Vec<_> = comparison.subjects.iter().map(|subject| subject.name.as_str()).collect();
    assert_eq!(names, ["a", "a (again)", "late", "b"]);
    let late = comparison.samples.iter().filter(|sample| sample.overloaded);
    assert!(late.clone().all(|sample| (sample.subject, sample.shape) == (2, 1)) && late.count() == 13);
    let note = "late does not keep up with 64 connections, 62/s, to 100 subscribers, so the reference is another server \
                if one does";
    assert_eq!(
        events.iter().filter(|event| **event == Event::Note(note.to_owned())).count(),
        1,
        "{events:?}"
    );
    let (comparison, ..) = run(&with_subscribers(&["late"]), Fake::new());
    assert_eq!(comparison.subjects[1].name, "late (again)", "there is no other");
}
