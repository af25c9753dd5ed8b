use super::*;
use crate::statistics::baseline::check;
use crate::{Conditions, Sample, Shape, Subject};

fn run(cpu: f64, cores: &str) -> Comparison {
    let control =
        Subject { name: "again".to_owned(), control_of: Some("a".to_owned()), ..Subject::default() };
    let sample = |round, subject| Sample {
        round,
        subject,
        cpu_user: cpu * (1.0 + (round * 7 % 5 + subject) as f64 / 100.0),
        ..Sample::default()
    };
    let machine = [("cores", cores), ("commit", cores), ("load average", cores)];
    Comparison {
        conditions: Conditions {
            machine: machine.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
            ..Conditions::default()
        },
        subjects: vec![Subject { name: "a".to_owned(), ..Subject::default() }, control],
        shapes: vec![Shape { name: cores.to_owned(), connections: 1, depth: 1, ..Shape::default() }],
        samples: (0..13).flat_map(|round| [sample(round, 0), sample(round, 1)]).collect(),
        ..Comparison::default()
    }
}

#[test]
fn a_change_larger_than_the_noise_of_both_is_detected() {
    let drift = |now| {
        let changes = against(&run(10.0, "2"), &run(now, "2"), false).unwrap();
        assert_eq!(changes.changes.len(), 1, "only the CPU time has values");
        assert!(changes.smallest().is_some_and(|smallest| smallest < 0.06), "{changes:?}");
        (changes.changes[0].drift, changes.outcome())
    };
    assert_eq!(drift(10.0), (Drift::Unchanged, Outcome::Passed));
    assert_eq!(drift(10.4), (Drift::Unchanged, Outcome::Passed));
    assert_eq!(drift(13.0), (Drift::Regressed, Outcome::Regressed));
    assert_eq!(drift(7.0), (Drift::Improved, Outcome::Passed));
}

#[test]
fn a_change_that_could_not_be_detected_is_undecided() {
    let few = |mut comparison: Comparison| {
        comparison.samples.retain(|sample| sample.round < 5);
        comparison
    };
    let changes = against(&run(10.0, "2"), &few(run(20.0, "2")), false).unwrap();
    assert_eq!((changes.changes[0].drift, changes.outcome()), (Drift::Undecided, Outcome::Undecided));
    assert_eq!((changes.smallest(), changes.changes[0].interval), (None, None));
    let mut noisy = run(10.0, "2");
    noisy.samples.iter_mut().for_each(|sample| sample.cpu_user *= 1.0 + (sample.round % 3) as f64 / 2.0);
    let changes = against(&noisy, &noisy, false).unwrap();
    assert_eq!(changes.outcome(), Outcome::Undecided);
    assert!(changes.smallest().is_some_and(|smallest| smallest > 0.10), "{changes:?}");
}

#[test]
fn a_change_must_not_depend_on_flagged_rounds() {
    let mut now = run(13.0, "2");
    let flag = |now: &mut Comparison, rounds| {
        for sample in now.samples.iter_mut().filter(|sample| sample.round < rounds) {
            sample.flags = vec!["steal 9 %".to_owned()];
        }
    };
    flag(&mut now, 2);
    assert_eq!(against(&run(10.0, "2"), &now, false).unwrap().outcome(), Outcome::Regressed);
    flag(&mut now, 5);
    assert_eq!(against(&run(10.0, "2"), &now, false).unwrap().outcome(), Outcome::Undecided);
}

#[test]
fn a_subject_that_only_the_baseline_has_is_a_gap_and_undecided() {
    let mut before = run(10.0, "2");
    before.subjects.push(named("b"));
    before.samples.push(Sample { subject: 2, cpu_user: 1.0, ..Sample::default() });
    let changes = against(&before, &run(10.0, "2"), false).unwrap();
    assert_eq!(changes.gaps[0].to_string(), "b was not measured this time");
    assert_eq!(changes.outcome(), Outcome::Undecided);
}

#[test]
fn another_machine_is_refused_unless_forced() {
    let refusal = against(&run(10.0, "2"), &run(10.0, "64"), false).unwrap_err();
    let facts = vec![("cores".to_owned(), "2".to_owned(), "64".to_owned())];
    assert_eq!(refusal, Incomparable::Machine(facts), "the commit and the load average may differ");
    assert!(refusal.to_string().contains("cores was \"2\", is \"64\""));
    let changes = against(&run(10.0, "2"), &run(10.0, "64"), true).unwrap();
    assert_eq!(changes.machine.len(), 1, "{changes:?}");
}

#[test]
fn other_work_cannot_be_compared() {
    let mut other = run(10.0, "2");
    other.conditions.handler = "echo".to_owned();
    assert!(matches!(against(&other, &run(10.0, "2"), true), Err(Incomparable::Work(..))));
    other = run(10.0, "2");
    other.shapes[0].connections = 9;
    let refusal = against(&other, &run(10.0, "2"), true).unwrap_err();
    assert!(matches!(refusal, Incomparable::NothingInCommon(..)), "{refusal}");
}

#[test]
fn the_check_before_measuring_finds_what_cannot_be_compared() {
    let baseline = run(10.0, "2");
    let planned = Comparison { samples: Vec::new(), ..run(10.0, "2") };
    assert_eq!(check(&baseline, &planned, false), Ok(()));
    let other = Comparison { samples: Vec::new(), ..run(10.0, "64") };
    assert!(matches!(check(&baseline, &other, false), Err(Incomparable::Machine(_))));
    assert_eq!(check(&baseline, &other, true), Ok(()));
    let nobody = Comparison { subjects: vec![named("b")], ..planned.clone() };
    let text = check(&baseline, &nobody, false).unwrap_err().to_string();
    assert!(
        text.contains(
            "it has a under 1 connection, closed loop, and this comparison has b under 1 connection, closed loop"
        ),
        "{text}"
    );
    let empty = Comparison { samples: Vec::new(), ..run(10.0, "2") };
    let text = check(&empty, &planned, false).unwrap_err().to_string();
    assert!(text.contains("it has nothing"), "{text}");
}

fn named(name: &str) -> Subject {
    Subject { name: name.to_owned(), ..Subject::default() }
}
