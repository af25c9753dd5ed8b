use super::*;
use crate::{MemorySample, Sample, Shape, Subject};

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
    super::column(comparison, figure, &[0, 1, 2], Some(0))
}

#[test]
fn the_leader_is_named_with_those_that_equal_it() {
    let comparison = comparison(|subject| if subject == 0 || subject == 3 { 12.0 } else { 10.0 });
    let column = column(&comparison, Figure::CpuAtRate);
    assert!(column.leader == Some(1) || column.leader == Some(2), "{column:?}");
    assert_eq!(column.equals, [3 - column.leader.unwrap()]);
    let told: Vec<Told> = column.cells.iter().map(|cell| cell.told).collect();
    assert_eq!(told, [Told::Reference, Told::Better, Told::Better]);
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
fn isolation_tells_how_many_times_longer_the_tail_is() {
    let column = column(&comparison(|_| 10.0), Figure::Isolation);
    for cell in &column.cells {
        let factor = cell.over_alone.unwrap();
        assert!((factor.median - 3.0).abs() < 0.01 && factor.rounds == 13, "{factor:?}");
    }
    assert!(matches!(column.cells[1].told, Told::Same { .. }));
}

#[test]
fn of_one_pass_over_the_memory_nothing_is_told() {
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
    assert_eq!(one.cells[1].told, Told::NotTold(Why::OnePass));
    assert!(one.cells[1].level.is_some_and(|level| (level.median - 2000.0).abs() < 1.0));
    assert!(matches!(passes(5).cells[1].told, Told::NotTold(Why::FewRounds { .. })));
    assert_eq!(passes(9).cells[1].told, Told::Worse);
}

#[test]
fn nothing_is_told_of_differences_below_a_step_of_the_staircase() {
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
    assert!(column.cells.iter().all(|cell| !cell.told.is_difference()), "{column:?}");
    assert!(
        column.cells.iter().all(|cell| cell.level.is_some_and(|of| (of.median / 1e3 - 1.0).abs() < 0.06))
    );
}
