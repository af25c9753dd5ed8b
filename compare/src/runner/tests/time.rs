//! The duration of a comparison, and its estimates.

use super::*;

#[test]
fn a_comparison_takes_the_time_that_its_tier_promises() {
    let names: Vec<String> = (0..12).map(|number| format!("server {number}")).collect();
    for tier in [Tier::Quick, Tier::Default, Tier::Full] {
        for count in [1, 2, 5, 12] {
            for overhead in [20, 100, 200] {
                let some: Vec<&str> = names.iter().take(count).map(String::as_str).collect();
                let settings = Settings { tier, ..settings(&some) };
                let overhead = Duration::from_millis(overhead);
                let (comparison, events, took) = run(&settings, Fake { overhead, ..Fake::new() });
                // The duration is known once the calibration has measured how long starting takes.
                let step = steps(&events).find(|step| step.stage == Stage::Rounds).unwrap();
                let promised = (step.passed + step.left).as_secs_f64();
                let share = took.as_secs_f64() / promised;
                // Each curve ends when its server is overloaded, and these are overloaded sooner than planned.
                assert!((0.8..1.05).contains(&share), "{tier:?}, {count}, {overhead:?}: {share}");
                // A dozen servers that start slowly don't fit into the time; the estimate says so from the beginning.
                let fits = count <= 5 || overhead < Duration::from_millis(50);
                let most = if fits { 1.2 } else { 2.0 };
                assert!(
                    promised <= tier.time().as_secs_f64() * most,
                    "{tier:?}, {count}, {overhead:?}: {promised}"
                );
                assert_eq!(comparison.conditions.seconds, took.as_secs_f64());
            }
        }
    }
}

#[test]
fn more_rounds_take_more_time_and_not_shorter_measurements() {
    let usual = run(&settings(&FIVE), Fake::new());
    let more = run(&Settings { rounds: Some(26), ..settings(&FIVE) }, Fake::new());
    assert_eq!(more.0.samples.len(), 2 * usual.0.samples.len());
    assert!(more.2 > usual.2.mul_f64(1.5));
}

#[test]
fn the_time_left_is_estimated_and_ends_near_zero() {
    let (_, events, took) = run(&settings(&FIVE), Fake::new());
    let steps: Vec<_> = steps(&events).collect();
    let first = steps[0];
    assert_eq!(
        (first.stage, first.subject.as_str(), first.load.as_str()),
        (Stage::Calibration, "one", "1 × 1")
    );
    for step in &steps {
        let total = (step.passed + step.left).as_secs_f64() / took.as_secs_f64();
        assert!((0.75..1.35).contains(&total), "{step:?}");
        assert!(step.round.0 <= step.round.1 && step.slot.0 <= step.slot.1, "{step:?}");
    }
    assert!(steps.last().unwrap().left < Duration::from_secs(10));
}

#[test]
fn an_interruption_keeps_what_was_measured() {
    for seconds in [0, 1, 8, 60, 130, 160] {
        let stop = Some(Duration::from_secs(seconds));
        let (comparison, _, took) = run(&settings(&FIVE), Fake { stop, ..Fake::new() });
        assert!(comparison.interrupted);
        assert!(comparison.subjects.iter().all(|subject| subject.failed.is_none()), "after {seconds} s");
        assert!(took < Duration::from_secs(seconds + 2), "{took:?} for {seconds} s");
        assert_eq!(comparison.samples.is_empty(), seconds < 8, "after {seconds} s");
    }
}

#[test]
fn the_quick_tier_has_no_curves() {
    let (comparison, ..) = run(&Settings { tier: Tier::Quick, ..settings(&FIVE) }, Fake::new());
    assert_eq!(comparison.samples.len(), 5 * 13);
    assert!(comparison.memory.is_empty() && comparison.rate_sweep.is_empty());
    assert!(comparison.connection_sweep.is_empty());
}

#[test]
fn invalid_settings_are_an_error() {
    let error = compare(&settings(&[]), &AtomicBool::new(false), &mut |_| ()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
}

#[test]
fn chosen_closed_loops_are_measured_with_the_common_rate_and_with_memory_alone() {
    let settings = Settings { closed_loops: vec![(64, 1), (500, 1)], ..settings(&["a", "b"]) };
    let (comparison, events, _) = run(&settings, Fake::new());
    let is_known = |stage: &Stage| matches!(stage, Stage::Calibration | Stage::Rounds | Stage::Memory);
    assert!(steps(&events).all(|step| is_known(&step.stage)));
    assert_eq!(comparison.samples.len(), 13 * 3 * 3);
    let curves = (comparison.memory.len(), comparison.rate_sweep.len(), comparison.connection_sweep.len());
    assert_eq!(curves, (2 * IDLE.len(), 0, 0));
    let is_noted = |event: &Event| matches!(event, Event::Note(note) if note.starts_with("3 servers, 3 loads, 13 rounds"));
    assert!(events.iter().any(is_noted), "{events:?}");
}

#[test]
fn the_preview_has_the_conditions_subjects_and_loads_of_the_comparison() {
    let settings = Settings { rate: Some(900.0), ..settings(&FIVE) };
    let fake = Fake { cores: conditions::cores(), ..Fake::new() };
    let (planned, (made, ..)) = (preview(&settings), run(&settings, fake));
    assert_eq!((&planned.subjects, &planned.shapes), (&made.subjects, &made.shapes));
    let conditions = Conditions { seconds: 0.0, ..made.conditions };
    assert_eq!(Conditions { started: conditions.started, ..planned.conditions }, conditions);
    let unknown = Settings { rate: None, ..settings };
    assert!(preview(&unknown).shapes.iter().all(|shape| shape.rate.is_none()));
}

#[test]
fn a_busy_machine_is_noted_before_anything_is_measured() {
    let is_noted = |load_average| {
        let (_, events, _) = run(&settings(&["a"]), Fake { load_average, ..Fake::new() });
        matches!(&events[0], Event::Note(note) if note.contains("the load average is") && note.contains("4 cores"))
    };
    assert!(is_noted(4.5));
    assert!(!is_noted(3.9));
}
