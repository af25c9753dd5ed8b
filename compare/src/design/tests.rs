use super::*;
use crate::Tier;
use crate::{Care, Kind};

/// Settings with candidates, each by its name and how many connections it can hold.
fn settings(candidates: &[(&str, Option<usize>)]) -> Settings {
    let candidate = |&(name, max_connections): &(&str, Option<usize>)| Candidate {
        name: name.to_owned(),
        max_connections,
        ..Candidate::default()
    };
    Settings::new(candidates.iter().map(candidate).collect())
}

fn design(settings: &Settings, rate: f64) -> Design {
    Design::new(settings, Pinning::default(), &[], rate)
}

fn failed(why: &str) -> Calibrated {
    Calibrated { failed: Some(why.to_owned()), ..Calibrated::default() }
}

fn pinned(settings: &Settings, calibrated: &[Calibrated]) -> Design {
    Design::new(settings, Pinning::new(settings, &[0, 1]).unwrap(), calibrated, 100.0)
}

fn names(design: &Design) -> Vec<&str> {
    design.subjects.iter().map(|subject| subject.name.as_str()).collect()
}

/// The names of the loads of each subject.
fn loads(design: &Design) -> Vec<Vec<&str>> {
    let name = |&shape: &usize| design.shapes[shape].name.as_str();
    (0..design.subjects.len())
        .map(|subject| {
            design.instances(subject, true).iter().flat_map(|instance| &instance.shapes).map(name).collect()
        })
        .collect()
}

#[test]
fn the_reference_is_the_first_that_can_hold_the_clients_and_runs_twice() {
    let settings = settings(&[("one", Some(1)), ("a", None), ("b", Some(500))]);
    let design = design(&settings, 9000.0);
    assert_eq!(names(&design), ["a", "a (again)", "one", "b"]);
    assert_eq!(design.subjects[1].control_of.as_deref(), Some("a"));
    assert_eq!((design.candidate(0), design.candidate(1), design.candidate(2)), (1, 1, 0));
    let (main, single) = (["64 × 16", "64 at 9k/s"], ["1 × 1"]);
    let all = [&main[..], &single].concat();
    assert_eq!(loads(&design), [all.clone(), all, single.to_vec(), main.to_vec()]);
    assert_eq!(design.shapes[1].rate, Some(9000.0));
    assert_eq!(design.drawn(), [0, 2, 3]);
}

#[test]
fn chosen_closed_loops_replace_the_usual_one() {
    let candidates = settings(&[("a", None), ("one", Some(1)), ("few", Some(100))]);
    let settings = Settings { closed_loops: vec![(64, 1), (64, 16), (500, 1)], ..candidates };
    let design = design(&settings, 1.0);
    let all = vec!["64 × 1", "64 × 16", "500 × 1", "64 at 1/s"];
    assert_eq!(loads(&design), [all.clone(), all, vec![], vec!["64 × 1", "64 × 16", "64 at 1/s"]]);
}

#[test]
fn loads_with_subscribers_replace_all_others() {
    let candidates = settings(&[("one", Some(1)), ("few", Some(70)), ("a", None), ("some", Some(500))]);
    let settings = Settings { subscribers: vec![5, 100, 10_000], tier: Tier::Full, ..candidates };
    let design = design(&settings, 6600.0);
    assert_eq!(names(&design), ["few", "few (again)", "one", "a", "some"]);
    let (five, hundred, most) = ("64 at 1.3k/s to 5", "64 at 66/s to 100", "64 at 2/s to 10000");
    assert_eq!(
        loads(&design),
        [vec![five], vec![five], vec![], vec![five, hundred, most], vec![five, hundred]]
    );
    let rates: Vec<_> = design.shapes.iter().map(|shape| (shape.subscribers, shape.rate)).collect();
    assert_eq!(rates, [(5, Some(1300.0)), (100, Some(66.0)), (10_000, Some(2.0))]);
    let why = |subject: usize| {
        let not_held = design.subjects[subject].not_held.iter();
        not_held.map(|of| (of.shape, of.why.as_str())).collect::<Vec<_>>()
    };
    let alone = "it serves one client at a time, and a push takes a sender and a subscriber";
    assert_eq!(why(2), [(0, alone), (1, alone), (2, alone)]);
    assert_eq!(why(3), []);
    assert_eq!(why(4), [(2, "it holds at most 500 connections, and this load has 10064")]);
    assert_eq!(design.active(), [0, 1, 3, 4]);
}

#[test]
fn one_connection_is_measured_only_if_a_candidate_is_limited() {
    let design = design(&settings(&[("a", None), ("b", None)]), 1.0);
    assert_eq!(loads(&design), vec![vec!["64 × 16", "64 at 1/s"]; 3]);
}

#[test]
fn limited_candidates_alone_have_a_reference_too() {
    let design = design(&settings(&[("one", Some(1)), ("two", Some(2))]), 1.0);
    assert_eq!(names(&design), ["one", "one (again)", "two"]);
    assert_eq!(loads(&design), vec![vec!["1 × 1"]; 3]);
    assert!(design.idle(0).is_empty());
}

#[test]
fn every_candidate_can_hold_one_client() {
    let settings = Settings { clients: 1, depth: 1, ..settings(&[("one", Some(1)), ("a", None)]) };
    assert_eq!(loads(&design(&settings, 5.0)), vec![vec!["1 × 1", "1 at 5/s"]; 3]);
}

#[test]
fn a_failed_candidate_is_listed_and_not_measured() {
    let settings = settings(&[("a", None), ("b", None), ("one", Some(1))]);
    let design = Design::new(&settings, Pinning::default(), &[failed("it ended")], 1.0);
    assert_eq!(names(&design), ["b", "b (again)", "a", "one"]);
    assert_eq!(design.subjects[2].failed.as_deref(), Some("it ended"));
    assert!(design.instances(2, false).is_empty());
    assert_eq!(design.active(), [0, 1, 3]);

    let design = Design::new(&settings, Pinning::default(), &vec![failed("it ended"); 3], 1.0);
    assert_eq!(names(&design), ["a", "b", "one"]);
    assert!(design.active().is_empty());
}

#[test]
fn the_curves_stay_within_what_a_subject_can_hold() {
    let settings =
        Settings { tier: Tier::Full, ..settings(&[("a", None), ("b", Some(600)), ("one", Some(1))]) };
    let design = design(&settings, 1.0);
    assert_eq!(design.idle(0), IDLE);
    assert_eq!(design.idle(2), [0, 500], "b");
    assert_eq!(design.connections(0, &settings), [1, 64, 1000]);
    assert_eq!(design.connections(2, &settings), [1, 64]);
    assert_eq!(design.connections(3, &settings), [1]);
    assert_eq!((design.rates(2, &settings), design.rates(3, &settings)), (RATES, 0));
}

#[test]
fn the_work_is_counted() {
    let settings = settings(&[("a", None), ("b", None), ("one", Some(1))]);
    let design = design(&settings, 1.0);
    assert_eq!(design.round(), Work { starts: 4, measurements: 3 + 3 + 2 + 1, memories: 0 });
    // For a and for b: rates and memory.
    assert_eq!(design.pass(&settings), Work { starts: 4, measurements: 2 * RATES, memories: 2 });
    // In addition: three counts of connections for a and b each, one for `one`, and a load beside hostile clients.
    let full = Settings { tier: Tier::Full, ..settings };
    let design = self::design(&full, 1.0);
    assert_eq!(design.pass(&full), Work { starts: 7, measurements: 2 * RATES + 7, memories: 2 });
    assert_eq!(design.round(), Work { starts: 4, measurements: 4 + 4 + 3 + 1, memories: 0 });
}

#[test]
fn the_full_tier_has_a_load_beside_hostile_clients() {
    let settings = Settings { tier: Tier::Full, ..settings(&[("a", None), ("b", Some(100))]) };
    let design = design(&settings, 5.0);
    let main = ["64 × 16", "64 at 5/s"];
    let all = [&main[..], &["64 at 5/s beside 64 hostile"]].concat();
    assert_eq!(loads(&design), [all.clone(), all, main.to_vec()], "b has no room for them");
    assert_eq!(design.shapes[2].hostile, 64);
}

#[test]
fn with_few_cores_a_subject_has_two_processes_in_a_round() {
    let candidates = settings(&[("a", None), ("one", Some(1))]);
    let begin = Calibrated { begin: Some(50.0), ..Calibrated::default() };
    let design = pinned(&candidates, &[begin.clone(), Calibrated::default()]);
    let on_one_core = Instance { cpus: vec![1], shapes: vec![0, 2], has_probe: true };
    let usual = Instance { cpus: vec![], shapes: vec![1], has_probe: false };
    assert_eq!(design.instances(0, false), [on_one_core.clone(), usual]);
    assert_eq!(design.instances(2, false), [Instance { shapes: vec![2], has_probe: false, ..on_one_core }]);
    assert_eq!(design.round(), Work { starts: 5, measurements: 4 + 4 + 1, memories: 0 });

    let chosen = Settings { cpus_server: vec![0], ..candidates };
    let everything = Instance { cpus: vec![0], shapes: vec![0, 1, 2], has_probe: true };
    assert_eq!(pinned(&chosen, &[begin]).instances(0, false), [everything]);
}

#[test]
fn a_subject_that_the_common_rate_overloads_is_measured_there_once() {
    let settings = settings(&[("a", None), ("slow", None)]);
    let slow = Calibrated { is_overloaded: true, ..Calibrated::default() };
    let design = Design::new(&settings, Pinning::default(), &[Calibrated::default(), slow], 1.0);
    assert_eq!(design.instances(2, false)[0].shapes, [0, 1]);
    assert_eq!(design.instances(2, true)[0].shapes, [0]);
    assert_eq!(design.instances(0, true)[0].shapes, [0, 1]);
}

#[test]
fn a_server_that_is_not_ranked_is_the_reference_only_if_there_is_no_other() {
    let mut settings = settings(&[("raw", None), ("a", None)]);
    settings.candidates[0].kind = Kind::Handwritten { of: None, care: Care::Raw };
    assert_eq!(names(&design(&settings, 1.0)), ["a", "a (again)", "raw"]);
    settings.candidates.truncate(1);
    assert_eq!(names(&design(&settings, 1.0)), ["raw", "raw (again)"], "there is no other");
}

#[test]
fn an_unavailable_candidate_is_listed_and_not_measured() {
    let mut settings = settings(&[("a", None), ("b", None)]);
    settings.candidates[0].unavailable = Some("no such kernel".to_owned());
    let design = design(&settings, 1.0);
    assert_eq!(names(&design), ["b", "b (again)", "a"]);
    assert_eq!(design.subjects[2].unavailable.as_deref(), Some("no such kernel"));
    assert_eq!((design.subjects[2].failed.as_deref(), design.active()), (None, vec![0, 1]));
}
