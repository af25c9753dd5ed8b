use super::*;
use crate::statistics::column::Absent;
use crate::{Kind, MemorySample, Sample, Shape, Subject};

/// Three backends, the first with a control, under a closed loop, a larger one, a rate, and a rate beside hostile
/// clients; thirteen rounds.
fn comparison(cost: impl Fn(usize) -> f64) -> Comparison {
    let named = |name: &str| Subject { name: name.to_owned(), ..Subject::default() };
    let shape =
        |connections, depth, rate, hostile| Shape { connections, depth, rate, hostile, ..Shape::default() };
    let mut comparison = Comparison {
        subjects: vec![
            named("a"),
            named("b"),
            named("c"),
            Subject { control_of: Some("a".to_owned()), ..named("again") },
        ],
        shapes: vec![
            shape(1, 1, None, 0),
            shape(64, 16, None, 0),
            shape(64, 16, Some(1e4), 0),
            shape(64, 16, Some(1e4), 32),
        ],
        ..Comparison::default()
    };
    for round in 0..13 {
        for shape in 0..4 {
            for subject in 0..4 {
                let wave = 1.0 + ((round * 5 + subject * 3) % 7) as f64 / 400.0;
                let latency = vec![(99.0, wave * if shape == 3 { 300.0 } else { 100.0 })];
                let cpu_user = cost(subject) * wave;
                comparison.samples.push(Sample {
                    round,
                    shape,
                    subject,
                    cpu_user,
                    latency,
                    ..Sample::default()
                });
            }
        }
    }
    comparison
}

fn column(comparison: &Comparison, figure: Figure) -> Column {
    let of_it = figures(comparison, &[0, 1, 2]).into_iter().find(|of| of.0 == figure).unwrap();
    super::column(comparison, of_it, &[0, 1, 2], Some(0))
}

#[test]
fn the_leader_has_its_ties() {
    let comparison = comparison(|subject| if subject == 0 || subject == 3 { 12.0 } else { 10.0 });
    let column = column(&comparison, Figure::CpuAtRate);
    assert!(column.leader == Some(1) || column.leader == Some(2), "{column:?}");
    assert_eq!(column.tied, [3 - column.leader.unwrap()]);
    let verdict: Vec<Verdict> = column.cells.iter().map(|cell| cell.verdict).collect();
    assert_eq!(verdict, [Verdict::Reference, Verdict::Better, Verdict::Better]);
    assert!(column.cells[1].p.is_some_and(|p| p < 0.01) && column.cells[0].p.is_none());
    assert!(column.cells[1].ratio.is_some_and(|ratio| (ratio.median - 10.0 / 12.0).abs() < 0.01));
}

#[test]
fn each_figure_has_its_load() {
    let comparison = comparison(|_| 10.0);
    let shape = |figure| column(&comparison, figure).shape;
    assert_eq!(shape(Figure::CpuAtSaturation), Some(1), "the one with the most in flight");
    assert_eq!((shape(Figure::CpuAtRate), shape(Figure::TailLatency)), (Some(2), Some(2)));
    assert_eq!((shape(Figure::Isolation), shape(Figure::Memory)), (Some(3), None));
}

#[test]
fn isolation_has_the_ratio_to_the_tail_without_hostile_clients() {
    let column = column(&comparison(|_| 10.0), Figure::Isolation);
    for cell in &column.cells {
        let factor = cell.isolation_ratio.unwrap();
        assert!((factor.median - 3.0).abs() < 0.01 && factor.rounds == 13, "{factor:?}");
    }
    assert!(matches!(column.cells[1].verdict, Verdict::Same { .. }));
}

#[test]
fn one_pass_over_the_memory_gives_no_verdict() {
    let mut comparison = comparison(|_| 10.0);
    let sample = |pass: usize, subject: usize, connections: usize| {
        let each = 1000 * (subject + 1) + pass;
        let bytes = (1_000_000 + connections * each) as u64;
        MemorySample { subject, pass, connections, bytes, ..MemorySample::default() }
    };
    let mut passes = |passes: usize| {
        let all = (0..passes).flat_map(|pass| (0..3).map(move |subject| (pass, subject)));
        let counts = all.flat_map(|(pass, subject)| [0, 500].map(|count| sample(pass, subject, count)));
        comparison.memory = counts.collect();
        column(&comparison, Figure::Memory)
    };
    let one = passes(1);
    assert_eq!(one.cells[1].verdict, Verdict::Undecided(Why::OnePass));
    assert!(one.cells[1].level.is_some_and(|level| (level.median - 2000.0).abs() < 1.0));
    assert!(matches!(passes(5).cells[1].verdict, Verdict::Undecided(Why::FewRounds { .. })));
    assert_eq!(passes(9).cells[1].verdict, Verdict::Worse);
}

#[test]
fn differences_below_a_step_of_the_staircase_have_no_verdict() {
    let mut comparison = comparison(|_| 10.0);
    for subject in 0..4 {
        let mut probes = Vec::new();
        for round in 0..25 {
            // The grids of the three lie 2 % apart, and the threshold of all of them at 1000.
            let rate = crate::staircase::next(&probes, 1000.0 * 1.02_f64.powi(subject as i32 % 3));
            let pass = rate <= 1000.0;
            probes.push(crate::Probe { round, subject, rate, pass, ..crate::Probe::default() });
        }
        comparison.probes.extend(probes);
    }
    let column = column(&comparison, Figure::HighestRate);
    assert!(column.noise.band >= 0.06 - 1e-9, "{column:?}");
    assert!(column.cells.iter().all(|cell| !cell.verdict.is_difference()), "{column:?}");
    assert!(
        column.cells.iter().all(|cell| cell.level.is_some_and(|of| (of.median / 1e3 - 1.0).abs() < 0.06))
    );
}

#[test]
fn the_highest_rate_is_within_the_probed_rates() {
    let mut comparison = comparison(|_| 10.0);
    // A subject that becomes faster: its outcomes hardly depend on the rate.
    let passes = [0, 0, 1, 1, 0, 0, 1, 1, 1, 1, 1, 0, 1].map(|pass| pass == 1);
    for subject in 0..4 {
        let mut probes = Vec::new();
        for (round, pass) in passes.into_iter().enumerate() {
            let rate = crate::staircase::next(&probes, 1000.0);
            probes.push(crate::Probe { round, subject, rate, pass, ..crate::Probe::default() });
        }
        comparison.probes.extend(probes);
    }
    let column = column(&comparison, Figure::HighestRate);
    for cell in &column.cells {
        let level = cell.level.unwrap();
        assert!((880.0..1200.0).contains(&level.median), "{level:?}");
        assert!(level.interval.is_some_and(|interval| interval.contains(level.median)), "{level:?}");
    }
}

#[test]
fn a_subject_limited_by_the_generator_is_not_among_the_best() {
    let mut comparison = comparison(|subject| 10.0 + 0.01 * subject as f64);
    for sample in &mut comparison.samples {
        sample.generator_limited = sample.subject == 1 && sample.round > 2;
    }
    let column = column(&comparison, Figure::CpuAtSaturation);
    let limited = column.cells.iter().find(|cell| cell.verdict == Verdict::Undecided(Why::GeneratorLimited));
    let limited = limited.expect("one was limited").subject;
    assert!(column.leader != Some(limited) && !column.tied.contains(&limited), "{column:?}");
}

/// Four backends and a control that are nearly the same, seven rounds.
fn alike() -> Comparison {
    let named = |n: usize| Subject { name: n.to_string(), ..Subject::default() };
    let mut comparison = Comparison {
        shapes: vec![Shape { rate: Some(1e4), ..Shape::default() }],
        subjects: (0..5).map(named).collect(),
        ..Comparison::default()
    };
    comparison.subjects[4].control_of = Some("0".to_owned());
    for round in 0..7 {
        for subject in 0..5 {
            let cpu_user = 10.0 + (round * 3 + subject * 2) as f64 % 7.0 / 50.0;
            comparison.samples.push(Sample { round, subject, cpu_user, ..Sample::default() });
        }
    }
    comparison
}

#[test]
fn an_assessment_is_reproducible() {
    let assessment = assess(&alike());
    assert_eq!(assess(&alike()), assessment);
    assert_eq!((assessment.reference, assessment.control), (Some(0), Some(4)));
    assert_eq!((assessment.ranked.as_slice(), assessment.rounds), (&[0, 1, 2, 3][..], 7));
    assert!(!assessment.screening);
    let figures: Vec<_> = assessment.columns.iter().map(|column| column.figure).collect();
    assert_eq!(figures, Figure::USUAL);
}

#[test]
fn a_comparison_without_data_has_no_verdicts() {
    let assessment = assess(&Comparison::default());
    assert_eq!((assessment.reference, assessment.columns.len(), assessment.screening), (None, 6, true));
    let mut comparison = alike();
    comparison.samples.iter_mut().for_each(|sample| sample.cpu_user = f64::NAN);
    let assessment = assess(&comparison);
    let column = assessment.column(Figure::CpuAtRate).unwrap();
    assert_eq!((column.leader, column.cells.len()), (None, 4));
    assert!(column.cells.iter().all(|cell| cell.verdict == Verdict::Undecided(Why::NotMeasured)));
    assert!(assessment.details.is_empty());
}

#[test]
fn failed_subjects_are_not_ranked_and_the_next_one_is_the_reference() {
    let mut comparison = alike();
    comparison.samples[0].bad = 1;
    comparison.subjects[2].failed = Some("it did not start".to_owned());
    comparison.subjects[3].kind = Kind::Build { of: "1".to_owned() };
    let assessment = assess(&comparison);
    assert_eq!((assessment.ranked.as_slice(), assessment.reference), (&[1][..], Some(1)));
    assert_eq!(assessment.control, None);
    assert_eq!(assessment.failed[1], (2, "it did not start".to_owned()));
    let noise = &assessment.column(Figure::CpuAtRate).unwrap().noise;
    assert!(noise.estimate.is_none(), "the reference failed");
}

#[test]
fn five_rounds_are_screening() {
    let mut comparison = alike();
    comparison.samples.retain(|sample| sample.round < 5);
    comparison.samples.iter_mut().filter(|sample| sample.subject == 1).for_each(|of| of.cpu_user *= 9.0);
    let assessment = assess(&comparison);
    assert!(assessment.screening);
    let cell = &assessment.column(Figure::CpuAtRate).unwrap().cells[1];
    assert!(matches!(cell.verdict, Verdict::Undecided(Why::FewRounds { needed }) if needed > 6), "{cell:?}");
    assert!(cell.ratio.is_some_and(|ratio| ratio.median > 8.0), "the figure is shown nevertheless");
}

#[test]
fn an_absent_column_says_which_flag_it_needs() {
    let absent = |comparison: &Comparison, figure| assess(comparison).column(figure).unwrap().absent;
    let mut comparison = alike();
    assert_eq!(absent(&comparison, Figure::CpuAtRate), None);
    assert_eq!(absent(&comparison, Figure::CpuAtSaturation), Some(Absent::NotMeasured));
    assert_eq!(absent(&comparison, Figure::HighestRate), Some(Absent::NeedsSlo));
    assert_eq!(absent(&comparison, Figure::Isolation), Some(Absent::NeedsFull));
    comparison.conditions.slos = vec!["p99=5ms".to_owned()];
    comparison.conditions.tier = "full".to_owned();
    assert_eq!(absent(&comparison, Figure::HighestRate), Some(Absent::NotMeasured));
    assert_eq!(absent(&comparison, Figure::Isolation), Some(Absent::NotMeasured));
}
