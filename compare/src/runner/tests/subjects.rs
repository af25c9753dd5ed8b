//! Subjects that fail, refuse, are overloaded or can't run.

use super::*;

#[test]
fn a_failed_subject_is_marked_and_the_others_are_measured() {
    let names = ["absent", "a", "crashes", "liar", "breaks", "b"];
    let (comparison, events, _) = run(&settings(&names), Fake::new());
    let failed = |name: &str| {
        let subject = comparison.subjects.iter().find(|subject| subject.name == name).unwrap();
        subject.failed.clone().unwrap_or_default()
    };
    assert_eq!(failed("absent"), "entity not found");
    assert_eq!(failed("crashes"), "the server ended");
    assert_eq!(failed("liar"), "7 bad replies, of 1200 in all");
    assert_eq!(failed("breaks"), "the server ended 1 connections");
    assert_eq!((failed("a"), failed("b")), (String::new(), String::new()));
    let samples = |name: &str| {
        let of = |index: usize| comparison.subjects[index].name == name;
        comparison.samples.iter().filter(|sample| of(sample.subject)).count()
    };
    assert_eq!((samples("a"), samples("a (again)"), samples("b")), (26, 26, 26));
    assert_eq!((samples("absent"), samples("crashes"), samples("liar"), samples("breaks")), (0, 2, 3, 1));
    assert_eq!(
        comparison.samples.iter().filter(|sample| sample.bad > 0).count(),
        1,
        "the sample with the bad replies is kept"
    );
    assert_eq!(events.iter().filter(|event| matches!(event, Event::Note(_))).count(), 4);
}

#[test]
fn a_failure_says_how_the_process_ended_or_quotes_its_panic() {
    let (comparison, ..) = run(&settings(&["a", "dies", "panics"]), Fake::new());
    let failed = |index: usize| comparison.subjects[index].failed.clone().unwrap_or_default();
    assert_eq!(failed(2), "the server ended", "in the calibration");
    assert_eq!(failed(3), "the server ended 1 connections; it wrote: a thread panicked at x.rs:1: no");
}

#[test]
fn if_all_fail_nothing_is_measured() {
    let (comparison, ..) = run(&settings(&["absent"]), Fake::new());
    assert_eq!((comparison.subjects.len(), comparison.samples.len()), (1, 0));
    assert!(comparison.subjects[0].failed.is_some());
}

#[test]
fn an_unavailable_candidate_is_noted_and_never_started() {
    for closed_loops in [Vec::new(), vec![(64, 1)]] {
        let mut settings = Settings { closed_loops, ..settings(&["absent", "a"]) };
        settings.candidates[0].unavailable = Some("no such kernel".to_owned());
        let (comparison, events, _) = run(&settings, Fake::new());
        let note = Event::Note("absent is not available here: no such kernel".to_owned());
        assert_eq!(events.iter().filter(|event| **event == note).count(), 1);
        assert!(comparison.subjects.iter().all(|subject| subject.failed.is_none()), "{comparison:?}");
        assert!(comparison.samples.iter().all(|sample| sample.subject < 2) && !comparison.samples.is_empty());
    }
}

#[test]
fn a_very_slow_candidate_does_not_determine_the_common_rate() {
    let (comparison, events, _) = run(&settings(&["a", "snail", "slow", "b"]), Fake::new());
    assert_eq!(comparison.shapes[1].rate, Some(6600.0), "half of the next slowest one's throughput");
    let of = |name: &str| {
        let subject = comparison.subjects.iter().position(|subject| subject.name == name).unwrap();
        comparison.samples.iter().filter(move |sample| sample.subject == subject && sample.shape == 1)
    };
    assert_eq!(of("snail").map(|sample| sample.overloaded).collect::<Vec<_>>(), [true, true]);
    assert!(of("slow").all(|sample| !sample.overloaded) && of("slow").count() == 13);
    assert!(comparison.subjects.iter().all(|subject| subject.failed.is_none()));
    let is_noted = |event: &Event| matches!(event, Event::Note(note) if note.starts_with("snail achieves 100/s, less than a quarter"));
    assert!(events.iter().any(is_noted), "{events:?}");
}

#[test]
fn refusals_are_noted_once() {
    let refuses = settings(&["refuses", "a"]);
    let notes = |settings: &Settings| {
        let (comparison, events, _) = run(settings, Fake::new());
        assert!(comparison.subjects.iter().all(|subject| subject.failed.is_none()));
        assert!(
            comparison
                .samples
                .iter()
                .filter(|sample| sample.subject < 2)
                .all(|sample| sample.refused == 1000)
        );
        let is_about_it = |event: &&Event| matches!(event, Event::Note(note) if note.contains("refusals, such as `ERR busy`"));
        events.iter().filter(is_about_it).count()
    };
    assert_eq!(notes(&refuses), 2, "for it and for its control");
    assert_eq!(notes(&Settings { allow_refusals: true, ..refuses }), 0);
}

#[test]
fn a_subject_has_the_facts_of_its_candidate() {
    let mut settings = Settings { tier: Tier::Quick, ..settings(&["a", "b"]) };
    settings.candidates[1].kind = Kind::Server;
    settings.candidates[1].handler_runs = Some("worker".to_owned());
    let (comparison, ..) = run(&settings, Fake::new());
    assert_eq!(comparison.subjects[2].kind, Kind::Server);
    assert_eq!(comparison.subjects[2].handler_runs.as_deref(), Some("worker"));
    assert_eq!(comparison.conditions.message, "32 B");
}

#[test]
fn a_slow_calibration_is_repeated() {
    // Its first calibration shows a very low throughput.
    let (comparison, events, _) = run(&settings(&["a", "stumbles", "b"]), Fake::new());
    assert_eq!(comparison.shapes[1].rate, Some(25_000.0));
    let is_noted = |event: &Event| matches!(event, Event::Note(note) if note.contains("overloads"));
    assert!(!events.iter().any(is_noted), "{events:?}");
}
