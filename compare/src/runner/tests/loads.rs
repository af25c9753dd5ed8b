//! The loads, and the cores that they use.

use super::*;

#[test]
fn every_subject_is_measured_in_every_round_and_every_plot_has_its_points() {
    let settings = settings(&FIVE);
    let (comparison, ..) = run(&settings, Fake::new());
    let names: Vec<_> = comparison.subjects.iter().map(|subject| subject.name.as_str()).collect();
    assert_eq!(names, ["a", "a (again)", "one", "slow", "b", "c"]);
    assert!(comparison.subjects.iter().all(|subject| subject.failed.is_none()));
    assert_eq!(comparison.samples.len(), 13 * (5 * 2 + 3));
    for subject in 0..6 {
        for round in 0..13 {
            let its = comparison.samples.iter().filter(|one| (one.subject, one.round) == (subject, round));
            assert_eq!(
                its.count(),
                if subject < 2 {
                    3
                } else if subject == 2 {
                    1
                } else {
                    2
                }
            );
        }
    }
    // The slowest achieves 13,345 in a closed loop: half of that is offered to all.
    assert_eq!(comparison.shapes[1].rate, Some(6600.0));
    let common = comparison.samples.iter().filter(|sample| sample.shape == 1);
    assert!(common.clone().all(|sample| sample.rate == 6600.0) && common.count() == 5 * 13);

    assert_eq!(comparison.memory.len(), 4 * IDLE.len());
    assert!(comparison.connection_sweep.is_empty() && comparison.probes.is_empty(), "only with --full");
    let last = |subject| comparison.rate_sweep.iter().rfind(|point| point.subject == subject).unwrap();
    assert!(comparison.rate_sweep.iter().all(|point| point.subject != 1), "the control has no curve");
    assert!(last(3).overloaded && last(3).offered < 20_000.0, "an overload ends the curve");
    assert!(last(0).overloaded && last(0).offered > 50_000.0, "{:?}", last(0));
    assert!(!comparison.interrupted);
    assert_eq!((comparison.conditions.tier.as_str(), comparison.conditions.rounds), ("default", 13));
}

#[test]
fn the_rate_is_at_most_halved_for_a_busy_generator() {
    let (comparison, events, _) = run(&settings(&FIVE), Fake { busy: |_| 0.9, ..Fake::new() });
    assert_eq!(comparison.shapes[1].rate, Some(3300.0), "half of 6,600");
    // Then it is unknown whether a server was overloaded.
    assert!(comparison.rate_sweep.iter().all(|point| !point.overloaded));
    let notes =
        events.iter().filter(|event| matches!(event, Event::Note(note) if note.contains("generator")));
    assert_eq!(notes.count(), 4);
}

#[test]
fn the_rate_is_lowered_until_the_generator_sustains_it() {
    let tried = |busy: fn(f64) -> f64| {
        let mut fake = Fake { busy, ..Fake::new() };
        let comparison = run_comparison(&settings(&["slow"]), &mut fake, &mut |_| ()).unwrap();
        // The calibration's open loops come first.
        let common = comparison.shapes[1].rate;
        let open = fake.measured_on.iter().filter_map(|(rate, ..)| *rate);
        (open.take_while(|rate| Some(*rate) != common).collect::<Vec<_>>(), common)
    };
    // Its CPU time is not proportional to the rate.
    assert_eq!(tried(|rate| 0.35 + rate / 12_000.0), (vec![6600.0, 4400.0], Some(3600.0)));
    assert_eq!(tried(|rate| 0.65 + rate / 66_000.0), (vec![6600.0, 5200.0, 4200.0], Some(3500.0)));
    assert_eq!(tried(|rate| rate / 10_000.0), (vec![], Some(6600.0)));
}

#[test]
fn the_full_tier_has_every_curve_and_isolation_in_the_rounds() {
    let settings = Settings { tier: Tier::Full, ..settings(&FIVE) };
    let (comparison, ..) = run(&settings, Fake::new());
    let hostile = comparison.shapes.iter().position(|shape| shape.hostile == 64).unwrap();
    assert_eq!(comparison.samples.iter().filter(|sample| sample.shape == hostile).count(), 15 * 5);
    assert_eq!(comparison.connection_sweep.len(), 4 * 3 + 1);
    assert_eq!(comparison.memory.len(), 5 * 4 * IDLE.len(), "each pass is kept");
    assert_eq!(comparison.memory.iter().map(|sample| sample.pass).max(), Some(4));
}

#[test]
fn a_generator_that_is_the_bottleneck_is_noted() {
    let (comparison, events, _) =
        run(&Settings { rate: Some(30_000.0), ..settings(&["limits", "b"]) }, Fake::new());
    let limited = comparison.samples.iter().filter(|sample| sample.generator_limited);
    assert!(limited.clone().all(|sample| sample.subject < 2 && sample.shape == 1));
    assert_eq!(limited.count(), 26);
    assert!(comparison.rate_sweep.iter().all(|point| point.subject != 0 || point.offered <= 20_000.0));
    let is_noted = |event: &Event| matches!(event, Event::Note(note) if note.contains("the generator was the bottleneck"));
    assert!(events.iter().any(is_noted), "{events:?}");
}

#[test]
fn with_few_cores_closed_loops_and_probes_are_pinned() {
    let slos = vec!["p99=1ms".parse().unwrap()];
    let settings = Settings { slos, rate: Some(777.0), ..settings(&["a", "b"]) };
    let mut fake = Fake { cores: vec![0, 1], ..Fake::new() };
    let comparison = run_comparison(&settings, &mut fake, &mut |_| ()).unwrap();
    let pinned = (vec![1], vec![0]);
    // The calibration's closed loops use all cores, since the common rate is measured on all cores.
    let calibration = fake.measured_on.iter().take(2);
    assert!(calibration.clone().all(|(rate, server, _)| rate.is_none() && server.is_empty()));
    for (rate, server, load) in fake.measured_on.iter().skip(2) {
        let is_common = *rate == Some(777.0);
        let is_probe = rate.is_some_and(|rate| comparison.probes.iter().any(|probe| probe.rate == rate));
        let expected = if is_common { Default::default() } else { pinned.clone() };
        if is_common || is_probe || rate.is_none() {
            assert_eq!((server, load), (&expected.0, &expected.1), "{rate:?}");
        }
    }
    let words = "closed loops and the highest rate: server on core 1, generator on core 0";
    assert_eq!(comparison.conditions.pinned.as_deref(), Some(words));
}

#[test]
fn chosen_cores_are_used_for_every_load() {
    let settings = Settings { cpus_server: vec![2, 3], cpus_load: vec![0], ..settings(&["a", "b"]) };
    let mut fake = Fake::new();
    run_comparison(&settings, &mut fake, &mut |_| ()).unwrap();
    assert!(fake.started_on.iter().all(|cpus| *cpus == [2, 3]));
    assert!(fake.measured_on.iter().all(|(_, _, load)| *load == [0]));
    let error =
        run_comparison(&Settings { cpus_load: vec![4], ..settings }, &mut fake, &mut |_| ()).unwrap_err();
    assert!(error.contains("core 4"), "{error}");
}

#[test]
fn each_subject_reaches_the_highest_rate_that_meets_the_objective() {
    let slos = vec!["p99=1ms".parse().unwrap()];
    let settings = Settings { slos, ..settings(&["a", "slow", "one", "limits"]) };
    let (comparison, ..) = run(&settings, Fake::new());
    let probes = |name: &str| {
        let subject = comparison.subjects.iter().position(|subject| subject.name == name).unwrap();
        comparison.probes.iter().filter(move |probe| probe.subject == subject).collect::<Vec<_>>()
    };
    for (name, capacity) in [("a", 50_000.0), ("a (again)", 50_000.0), ("slow", 13_345.0)] {
        let probes = probes(name);
        assert_eq!(probes.iter().map(|probe| probe.round).collect::<Vec<_>>(), (0..13).collect::<Vec<_>>());
        assert!(probes.iter().all(|probe| probe.pass == (probe.rate <= capacity)), "{name}: {probes:?}");
        let last = probes.last().unwrap().rate / capacity;
        assert!((0.93..1.07).contains(&last), "{name}: {last}");
    }
    assert!(probes("one").is_empty(), "it can hold one connection only");
    let limited = probes("limits");
    assert!(limited.iter().all(|probe| probe.generator_limited == (probe.rate > 20_000.0)), "{limited:?}");
    assert_eq!(comparison.conditions.slos, ["p99=1ms"]);
}

#[test]
fn the_search_repeats_a_miss() {
    let slos = vec!["p99=1ms".parse().unwrap()];
    for names in [["stalls", "a"], ["a", "stalls"]] {
        let (comparison, ..) = run(&Settings { slos: slos.clone(), ..settings(&names) }, Fake::new());
        let stalls = comparison.subjects.iter().position(|subject| subject.name == "stalls").unwrap();
        let begin = comparison.probes.iter().find(|probe| probe.subject == stalls).unwrap().rate;
        // Its capacity is 50,000.
        assert!((40_000.0..64_000.0).contains(&begin), "{begin}");
    }
}

#[test]
fn refusals_miss_the_objective_and_end_the_curve() {
    let slos = vec!["p99=1ms".parse().unwrap()];
    let settings = Settings { slos, ..settings(&["a", "limited", "slow"]) };
    let (comparison, events, _) = run(&settings, Fake::new());
    let probes = comparison.probes.iter().filter(|probe| probe.subject == 2);
    assert!(probes.clone().count() == 13 && probes.clone().any(|probe| !probe.pass));
    assert!(probes.clone().all(|probe| probe.pass == (probe.rate <= 10_000.0)), "{:?}", comparison.probes);
    let points = comparison.rate_sweep.iter().filter(|point| point.subject == 2);
    assert!(points.clone().count() > 0 && points.clone().all(|point| point.offered <= 10_000.0));
    let is_noted = |event: &Event| matches!(event, Event::Note(note) if note.starts_with("limited: the curve") && note.contains("refusals"));
    assert!(events.iter().any(is_noted), "{events:?}");
    let (comparison, ..) = run(&Settings { allow_refusals: true, ..settings }, Fake::new());
    let last = comparison.probes.iter().rfind(|probe| probe.subject == 2).unwrap();
    assert!(last.rate > 40_000.0, "{last:?}");
}

#[test]
fn too_few_messages_for_a_percentile_are_not_a_miss() {
    let objective = |text: &str| vec![text.parse().unwrap()];
    let sparse = Settings { slos: objective("p99=1ms"), ..settings(&["sparse", "b"]) };
    let (comparison, ..) = run(&sparse, Fake::new());
    let first = comparison.probes.iter().find(|probe| probe.subject == 0).unwrap();
    assert!((40_000.0..64_000.0).contains(&first.rate), "the search goes up: {first:?}");

    let never = Settings { slos: objective("p99.9=1ms"), ..settings(&["a", "b"]) };
    let (comparison, events, _) = run(&never, Fake::new());
    assert_eq!(comparison.probes, []);
    let is_noted =
        |event: &&Event| matches!(event, Event::Note(note) if note.contains("2400 messages per second"));
    assert_eq!(events.iter().filter(is_noted).count(), 2, "{events:?}");
    let is_about_it = |event: &&Event| matches!(event, Event::Note(note) if note.contains("unknown whether"));
    assert_eq!(events.iter().filter(is_about_it).count(), 0, "{events:?}");
}

#[test]
fn an_error_ends_a_curve_and_is_noted() {
    let (comparison, events, _) = run(&settings(&["a", "errs", "slow"]), Fake::new());
    let points = comparison.rate_sweep.iter().filter(|point| point.subject == 2);
    assert!(points.clone().count() > 0 && points.clone().all(|point| point.offered <= 10_000.0));
    let is_noted = |event: &&Event| matches!(event, Event::Note(note) if note.starts_with("errs: the curve"));
    assert_eq!(events.iter().filter(is_noted).count(), 1, "{events:?}");
}

#[test]
fn hostile_clients_are_of_all_kinds() {
    for clients in 0..10 {
        let hostile_mix = hostile_mix(clients);
        assert_eq!(hostile_mix.slow_readers + hostile_mix.slow_writers + hostile_mix.idle, clients);
    }
    assert_eq!(hostile_mix(5), Hostile { slow_readers: 2, slow_writers: 2, idle: 1 });
}
