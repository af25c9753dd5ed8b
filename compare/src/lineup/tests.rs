use super::*;

/// Candidates by name and how many connections they can hold.
fn settings(candidates: &[(&str, Option<usize>)]) -> Settings {
    let candidate = |&(name, max_connections): &(&str, Option<usize>)| Candidate {
        name: name.to_owned(),
        max_connections,
        ..Candidate::default()
    };
    Settings::new(candidates.iter().map(candidate).collect())
}

fn names(lineup: &Lineup) -> Vec<&str> {
    lineup.subjects.iter().map(|subject| subject.name.as_str()).collect()
}

/// The names of the loads that each subject runs.
fn loads(lineup: &Lineup) -> Vec<Vec<&str>> {
    let name = |&shape: &usize| lineup.shapes[shape].name.as_str();
    (0..lineup.subjects.len()).map(|subject| lineup.shapes_of(subject).iter().map(name).collect()).collect()
}

#[test]
fn the_reference_is_the_first_that_holds_the_clients_and_runs_twice() {
    let settings = settings(&[("one", Some(1)), ("a", None), ("b", Some(500))]);
    let lineup = Lineup::new(&settings, &[], 9000.0);
    assert_eq!(names(&lineup), ["a", "a (again)", "one", "b"]);
    assert_eq!(lineup.subjects[1].control_of.as_deref(), Some("a"));
    assert_eq!((lineup.candidate(0), lineup.candidate(1), lineup.candidate(2)), (1, 1, 0));
    let (main, single) = (["64 × 16", "64 at 9000/s"], ["1 × 1", "1 × 16"]);
    let all = [main, single].concat();
    assert_eq!(loads(&lineup), [all.clone(), all, single.to_vec(), main.to_vec()]);
    assert_eq!(lineup.shapes[1].rate, Some(9000.0));
    assert_eq!(lineup.drawn(), [0, 2, 3]);
}

#[test]
fn closed_loops_that_were_asked_for_are_all_there_is() {
    let candidates = settings(&[("a", None), ("one", Some(1)), ("few", Some(100))]);
    let settings = Settings { closed_loops: vec![(64, 1), (64, 16), (500, 1)], ..candidates };
    let lineup = Lineup::new(&settings, &[], 1.0);
    let all = vec!["64 × 1", "64 × 16", "500 × 1"];
    assert_eq!(loads(&lineup), [all.clone(), all, vec![], vec!["64 × 1", "64 × 16"]]);
    assert!(lineup.shapes.iter().all(|shape| shape.rate.is_none()));
}

#[test]
fn without_limited_ones_nobody_runs_one_connection() {
    let lineup = Lineup::new(&settings(&[("a", None), ("b", None)]), &[], 1.0);
    assert_eq!(loads(&lineup), vec![vec!["64 × 16", "64 at 1/s"]; 3]);
}

#[test]
fn limited_ones_alone_have_a_reference_too() {
    let lineup = Lineup::new(&settings(&[("one", Some(1)), ("two", Some(2))]), &[], 1.0);
    assert_eq!(names(&lineup), ["one", "one (again)", "two"]);
    assert_eq!(loads(&lineup), vec![vec!["1 × 1", "1 × 16"]; 3]);
    assert!(lineup.idle(0).is_empty() && !lineup.has_isolation(0));
}

#[test]
fn one_client_is_held_by_everybody() {
    let settings = Settings { clients: 1, depth: 1, ..settings(&[("one", Some(1)), ("a", None)]) };
    assert_eq!(loads(&Lineup::new(&settings, &[], 5.0)), vec![vec!["1 × 1", "1 at 5/s"]; 3]);
}

#[test]
fn who_has_failed_is_listed_and_runs_nothing() {
    let failed = [Some("it ended".to_owned()), None, None];
    let lineup = Lineup::new(&settings(&[("a", None), ("b", None), ("one", Some(1))]), &failed, 1.0);
    assert_eq!(names(&lineup), ["b", "b (again)", "a", "one"]);
    assert_eq!(lineup.subjects[2].failed.as_deref(), Some("it ended"));
    assert!(lineup.shapes_of(2).is_empty());
    assert_eq!(lineup.active(), [0, 1, 3]);

    let all = vec![Some("it ended".to_owned()); 3];
    let lineup = Lineup::new(&settings(&[("a", None), ("b", None), ("one", Some(1))]), &all, 1.0);
    assert_eq!(names(&lineup), ["a", "b", "one"]);
    assert!(lineup.active().is_empty());
}

#[test]
fn the_curves_keep_to_what_a_subject_holds() {
    let settings = settings(&[("a", None), ("b", Some(600)), ("one", Some(1))]);
    let lineup = Lineup::new(&settings, &[], 1.0);
    assert_eq!(lineup.idle(0), IDLE);
    assert_eq!(lineup.idle(2), [0, 500], "b");
    assert_eq!(lineup.connections(0, &settings), [1, 64, 1000]);
    assert_eq!(lineup.connections(2, &settings), [1, 64]);
    assert_eq!(lineup.connections(3, &settings), [1]);
    assert!(lineup.has_isolation(2) && !lineup.has_isolation(3));
    assert!(lineup.has_rates(2, &settings) && !lineup.has_rates(3, &settings));
}

#[test]
fn the_work_is_counted() {
    let settings = settings(&[("a", None), ("b", None), ("one", Some(1))]);
    let lineup = Lineup::new(&settings, &[], 1.0);
    assert_eq!(lineup.round(), Work { starts: 4, measurements: 4 + 4 + 2 + 2, memories: 0 });
    // Each of a and b: five rates, three counts of connections, three hostile shares, memory; one: a count.
    assert_eq!(lineup.pass(&settings), Work { starts: 4 + 4 + 1, measurements: 11 + 11 + 1, memories: 2 });
}

#[test]
fn who_can_not_run_here_is_listed_and_runs_nothing() {
    let mut settings = settings(&[("a", None), ("b", None)]);
    settings.candidates[0].unavailable = Some("no such kernel".to_owned());
    let lineup = Lineup::new(&settings, &[], 1.0);
    assert_eq!(names(&lineup), ["b", "b (again)", "a"]);
    assert_eq!(lineup.subjects[2].unavailable.as_deref(), Some("no such kernel"));
    assert_eq!((lineup.subjects[2].failed.as_deref(), lineup.active()), (None, vec![0, 1]));
}
