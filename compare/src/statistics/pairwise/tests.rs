use super::*;
use crate::{Kind, Sample, Shape, Subject};

/// A subject, its control, and another one, under two loads, thirteen rounds.
fn comparison(cost: impl Fn(usize, usize) -> f64) -> Comparison {
    let named = |name: &str| Subject { name: name.to_owned(), ..Subject::default() };
    let mut samples = Vec::new();
    for round in 0..13 {
        for (shape, subject) in [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)] {
            let wave = 1.0 + ((round * 5 + subject * 3) % 7) as f64 / 400.0;
            let cpu_user = cost(shape, subject) * wave;
            samples.push(Sample { round, shape, subject, cpu_user, ..Sample::default() });
        }
    }
    Comparison {
        subjects: vec![
            named("a"),
            Subject { control_of: Some("a".to_owned()), ..named("a again") },
            named("b"),
        ],
        shapes: vec![Shape::default(); 2],
        samples,
        ..Comparison::default()
    }
}

fn flag(comparison: &mut Comparison, rounds: usize) {
    for sample in comparison.samples.iter_mut().filter(|sample| sample.round < rounds) {
        sample.flags = vec!["steal 9 %".to_owned()];
    }
}

fn verdict(comparison: &Comparison) -> Verdict {
    compare_pair(comparison, 0, Metric::Cpu, 2, 0).unwrap().1
}

#[test]
fn any_pair_can_be_tested_in_either_order() {
    let comparison = comparison(|shape, subject| if (shape, subject) == (0, 2) { 12.0 } else { 10.0 });
    assert_eq!(verdict(&comparison), Verdict::Worse);
    assert_eq!(compare_pair(&comparison, 0, Metric::Cpu, 0, 2).unwrap().1, Verdict::Better);
    assert!(matches!(compare_pair(&comparison, 1, Metric::Cpu, 2, 0).unwrap().1, Verdict::Same { .. }));
    assert_eq!(compare_pair(&comparison, 0, Metric::TailLatency, 2, 0), None);
    let (mean, verdict) = compare_pair_mean(&comparison, &[0, 1], Metric::Cpu, 2, 0).unwrap();
    assert!((mean.median - 1.2_f64.sqrt()).abs() < 0.01, "{mean:?}");
    assert_eq!(verdict, Verdict::Worse);
    assert_eq!(
        compare_pair_mean(&comparison, &[0, 9], Metric::Cpu, 2, 0),
        None,
        "a load that was not measured"
    );
}

#[test]
fn more_than_a_third_of_flagged_rounds_gives_no_verdict() {
    let mut comparison = comparison(|_, subject| if subject == 2 { 12.0 } else { 10.0 });
    flag(&mut comparison, 4);
    assert_eq!(verdict(&comparison), Verdict::Worse);
    flag(&mut comparison, 5);
    assert_eq!(verdict(&comparison), Verdict::Undecided(Why::Flagged { of: 5 }));
}

#[test]
fn a_verdict_that_depends_on_flagged_rounds_is_withdrawn() {
    let mut comparison = comparison(|_, _| 10.0);
    for sample in comparison.samples.iter_mut().filter(|sample| sample.subject == 2) {
        sample.cpu_user *= if sample.round < 4 { 1.5 } else { 1.035 + (sample.round % 3) as f64 / 50.0 };
        if sample.round >= 9 {
            sample.cpu_user /= 1.06;
        }
    }
    let with = verdict(&comparison);
    flag(&mut comparison, 4);
    let without = verdict(&comparison);
    assert!(
        with.is_difference() && without == Verdict::Undecided(Why::DependsOnFlagged { of: 4 }),
        "{with:?} {without:?}"
    );
}

#[test]
fn subjects_that_failed_or_have_no_value_get_no_verdict() {
    let base = comparison(|_, subject| if subject == 2 { 12.0 } else { 10.0 });
    let mut failed = base.clone();
    failed.subjects[2].failed = Some("it ended".to_owned());
    assert_eq!(verdict(&failed), Verdict::Undecided(Why::Failed));
    let tail = |change: fn(&mut Sample)| {
        let mut comparison = base.clone();
        for sample in comparison.samples.iter_mut().filter(|sample| sample.round > 0) {
            sample.latency = vec![(99.0, 100.0 + sample.round as f64)];
            if sample.subject == 2 && sample.round < 8 {
                change(sample);
            }
        }
        compare_pair(&comparison, 0, Metric::TailLatency, 2, 0).unwrap().1
    };
    assert!(matches!(tail(|_| ()), Verdict::Same { .. }));
    assert_eq!(tail(|sample| sample.overloaded = true), Verdict::Undecided(Why::Overloaded));
    assert_eq!(tail(|sample| sample.generator_limited = true), Verdict::Undecided(Why::GeneratorLimited));
}

#[test]
fn a_build_is_compared_with_its_counterpart() {
    let named = |name: &str, kind| Subject { name: name.to_owned(), kind, ..Subject::default() };
    let of = |name: &str| Kind::Build { of: name.to_owned() };
    let subjects = vec![
        named("a", Kind::Backend),
        named("b", Kind::Backend),
        named("a (before)", of("a")),
        named("b (before)", of("b")),
        named("c (before)", of("c")),
    ];
    let cost = [12.0, 10.0, 10.0, 10.0, 10.0];
    let sample = |round: usize, subject: usize| Sample {
        round,
        subject,
        cpu_user: cost[subject] * (1.0 + (round * 7 % 5 + subject) as f64 / 500.0),
        ..Sample::default()
    };
    let samples = (0..13).flat_map(|round| (0..5).map(move |subject| sample(round, subject)));
    let comparison = Comparison {
        subjects,
        shapes: vec![Shape::default()],
        samples: samples.collect(),
        ..Comparison::default()
    };
    let builds = builds(&comparison);
    assert_eq!(builds.len(), 2, "c has no counterpart: {builds:?}");
    assert_eq!((builds[0].subject, builds[0].other, builds[0].verdict), (0, 2, Verdict::Worse));
    assert!(matches!(builds[1].verdict, Verdict::Same { .. }), "{builds:?}");
    assert_eq!(super::builds(&Comparison::default()), []);
}
