use super::*;
use crate::{Shape, Subject};

fn sample(round: usize, subject: usize, cpu: f64) -> Sample {
    Sample { round, subject, cpu_user: cpu, ..Sample::default() }
}

fn comparison(samples: Vec<Sample>) -> Comparison {
    let named = |name: &str| Subject { name: name.to_owned(), ..Subject::default() };
    let control = Subject { control_of: Some("a".to_owned()), ..named("again") };
    Comparison {
        subjects: vec![named("a"), named("b"), control],
        shapes: vec![Shape::default()],
        samples,
        ..Comparison::default()
    }
}

#[test]
fn the_reference_is_the_mean_of_its_two_runs() {
    let comparison = comparison(vec![sample(0, 0, 1.0), sample(0, 1, 8.0), sample(0, 2, 4.0)]);
    let rounds = ratios(&comparison, 0, Metric::Cpu, 1, 0);
    assert!((rounds[0].logarithm.exp() - 4.0).abs() < 1e-12);
    let control = ratios(&comparison, 0, Metric::Cpu, 2, 0);
    assert!((control[0].logarithm.exp() - 4.0).abs() < 1e-12, "the control against the other run alone");
}

#[test]
fn rounds_without_a_partner_are_left_out() {
    let flagged = Sample { flags: vec!["steal".to_owned()], ..sample(2, 0, 1.0) };
    let samples = vec![sample(0, 0, 1.0), sample(1, 1, 2.0), flagged, sample(2, 1, 2.0), sample(3, 1, 0.0)];
    let rounds = ratios(&comparison(samples), 0, Metric::Cpu, 1, 0);
    assert_eq!(rounds.len(), 1);
    assert_eq!((rounds[0].round, rounds[0].flagged), (2, true));
    assert_eq!(ratios(&comparison(Vec::new()), 9, Metric::Cpu, 7, 8), []);
}

#[test]
fn bad_replies_are_a_failure() {
    let bad = Sample { bad: 3, ..sample(0, 1, 1.0) };
    let comparison = comparison(vec![sample(0, 0, 1.0), bad]);
    assert_eq!(why_failed(&comparison, 0), None);
    assert_eq!(why_failed(&comparison, 1).as_deref(), Some("3 replies were bad"));
    assert_eq!(why_failed(&comparison, 9), None);
}
