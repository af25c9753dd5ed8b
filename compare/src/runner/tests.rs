use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;

use super::*;
use crate::candidate::Candidate;
use crate::laboratory::Ladder;
use crate::settings::{IDLE, Tier};
use crate::{Conditions, Kind};
use load::measurement::Failures;
use load::testing::{measurement, times};

/// No machine at all: time passes when it is said to, and servers do what their names say.
struct Fake {
    now: Duration,
    /// When it is interrupted.
    stop: Option<Duration>,
    /// What starting a server and a measurement take beside the load.
    overhead: Duration,
    /// How busy the generator is.
    busy: f64,
    /// The cores that there are, and what the load average is.
    cores: Vec<usize>,
    load_average: f64,
    /// Of each server that was started, the cores, and of each measurement, the server's and the generator's.
    started_on: Vec<Vec<usize>>,
    measured_on: Vec<(Option<f64>, Vec<usize>, Vec<usize>)>,
    /// The name of the server that runs, and how often each was started.
    started: Vec<String>,
    running: Rc<Cell<usize>>,
}

struct FakeServer {
    running: Rc<Cell<usize>>,
    ended: bool,
}

impl Running for FakeServer {
    fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], 1).into()
    }

    fn process(&self) -> u32 {
        1
    }

    fn failure(&mut self) -> Option<String> {
        self.ended.then(|| "the server ended".to_owned())
    }
}

impl Drop for FakeServer {
    fn drop(&mut self) {
        self.running.set(self.running.get() - 1);
    }
}

impl Fake {
    fn new() -> Self {
        let overhead = Duration::from_millis(100);
        let (started, running) = (Vec::new(), Rc::default());
        Self {
            now: Duration::ZERO,
            stop: None,
            overhead,
            busy: 0.3,
            cores: vec![0, 1, 2, 3],
            load_average: 0.0,
            started_on: Vec::new(),
            measured_on: Vec::new(),
            started,
            running,
        }
    }

    /// How often the current server's program was started, this time included.
    fn lives(&self) -> usize {
        self.started.iter().filter(|name| Some(*name) == self.started.last()).count()
    }
}

impl Laboratory for Fake {
    fn cores(&self) -> Vec<usize> {
        self.cores.clone()
    }

    fn load_average(&self) -> Option<f64> {
        Some(self.load_average)
    }

    fn start(&mut self, candidate: &Candidate, cpus: &[usize]) -> io::Result<Box<dyn Running>> {
        self.started_on.push(cpus.to_vec());
        assert_eq!(self.running.get(), 0, "one server at a time");
        if candidate.name == "absent" {
            return Err(io::ErrorKind::NotFound.into());
        }
        self.now += self.overhead;
        self.started.push(candidate.name.clone());
        self.running.set(1);
        let ended = candidate.name == "crashes" && self.lives() == 3;
        Ok(Box::new(FakeServer { running: Rc::clone(&self.running), ended }))
    }

    fn measure(&mut self, plan: &Plan) -> io::Result<Measurement> {
        assert_eq!(self.running.get(), 1);
        let server = self.started_on.last().unwrap().clone();
        self.measured_on.push((plan.rate(), server, plan.cpus.clone()));
        self.now += self.overhead + plan.warmup + plan.duration;
        let capacity = match self.started.last().map(String::as_str) {
            Some("slow") => 13_345.0,
            Some("snail") => 100.0,
            Some("crashes") if self.lives() == 3 => return Err(io::ErrorKind::ConnectionReset.into()),
            _ => 50_000.0,
        };
        let offered = match plan.pace {
            Pace::Open { rate, .. } => Some(rate),
            Pace::Closed => None,
        };
        let mut made = Measurement {
            load: plan.to_string(),
            offered_rate: offered,
            achieved_rate: offered.unwrap_or(capacity).min(capacity),
            generator_busy: self.busy,
            // As slow as anything, where it falls behind.
            latency: times(&[(if offered.is_some_and(|rate| rate > capacity) { 1e6 } else { 100.0 }, 5000)]),
            ..measurement()
        };
        match self.started.last().map(String::as_str) {
            Some("liar") if self.lives() == 3 => made.verification.wrong = 7,
            Some("refuses") => {
                made.verification.refused = 1000;
                made.verification.refusal = Some("ERR busy".to_owned());
            }
            Some("limits") if offered.is_some_and(|rate| rate > 20_000.0) => made.generator_limited = true,
            Some("breaks") if self.lives() == 2 => {
                made.failures = Failures { ended: 1, ..Failures::default() }
            }
            _ => {}
        }
        Ok(made)
    }

    fn memory(&mut self, _server: &dyn Running, ladder: &Ladder<'_>) -> (Vec<(usize, u64)>, io::Result<()>) {
        self.now += Duration::from_secs(1);
        (ladder.counts.iter().map(|&count| (count, 1_000_000 + 2000 * count as u64)).collect(), Ok(()))
    }

    fn now(&self) -> Duration {
        self.now
    }

    fn is_stopped(&self) -> bool {
        self.stop.is_some_and(|stop| self.now >= stop)
    }
}

fn settings(names: &[&str]) -> Settings {
    let candidate = |name: &&str| Candidate {
        name: (*name).to_owned(),
        max_connections: (*name == "one").then_some(1),
        ..Candidate::default()
    };
    Settings::new(names.iter().map(candidate).collect())
}

fn run(settings: &Settings, mut fake: Fake) -> (Comparison, Vec<Event>, Duration) {
    let mut events = Vec::new();
    let mut tell = |event: &Event| events.push(event.clone());
    let comparison = carry_out(settings, &mut fake, &mut tell).unwrap();
    assert_eq!(fake.running.get(), 0, "no server is left");
    (comparison, events, fake.now)
}

fn steps(events: &[Event]) -> impl Iterator<Item = &Step> {
    events.iter().filter_map(|event| match event {
        Event::Step(step) => Some(step),
        Event::Note(_) => None,
    })
}

const FIVE: [&str; 5] = ["one", "a", "slow", "b", "c"];

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
    // Thirteen thousand and some in a closed loop: half of that for all.
    assert_eq!(comparison.shapes[1].rate, Some(6600.0));
    let common = comparison.samples.iter().filter(|sample| sample.shape == 1);
    assert!(common.clone().all(|sample| sample.rate == 6600.0) && common.count() == 5 * 13);

    assert_eq!(comparison.memory.len(), 4 * IDLE.len());
    assert!(
        comparison.connection_sweep.is_empty() && comparison.probes.is_empty(),
        "for that there is --full"
    );
    let last = |subject| comparison.rate_sweep.iter().rfind(|point| point.subject == subject).unwrap();
    assert!(comparison.rate_sweep.iter().all(|point| point.subject != 1), "the control is no curve");
    assert!(last(3).overloaded && last(3).offered < 20_000.0, "what is too much ends the curve");
    assert!(last(0).overloaded && last(0).offered > 50_000.0, "{:?}", last(0));
    assert!(!comparison.interrupted);
    assert_eq!((comparison.conditions.tier.as_str(), comparison.conditions.rounds), ("default", 13));
}

#[test]
fn the_time_that_was_promised_is_kept() {
    let names: Vec<String> = (0..12).map(|number| format!("server {number}")).collect();
    for tier in [Tier::Quick, Tier::Default, Tier::Full] {
        for count in [1, 2, 5, 12] {
            for overhead in [20, 100, 200] {
                let some: Vec<&str> = names.iter().take(count).map(String::as_str).collect();
                let settings = Settings { tier, ..settings(&some) };
                let overhead = Duration::from_millis(overhead);
                let (comparison, events, took) = run(&settings, Fake { overhead, ..Fake::new() });
                // Once it is known what starting costs here, it is known how long all takes.
                let told = steps(&events).find(|step| step.stage == Stage::Rounds).unwrap();
                let promised = (told.passed + told.left).as_secs_f64();
                let share = took.as_secs_f64() / promised;
                // Each curve goes on until its server is overloaded, which these are sooner than expected.
                assert!((0.8..1.05).contains(&share), "{tier:?}, {count}, {overhead:?}: {share}");
                // A dozen servers that are slow to start don't fit into the time, and that is told at once.
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
fn more_rounds_take_more_time_and_not_shorter_slots() {
    let usual = run(&settings(&FIVE), Fake::new());
    let more = run(&Settings { rounds: Some(26), ..settings(&FIVE) }, Fake::new());
    assert_eq!(more.0.samples.len(), 2 * usual.0.samples.len());
    assert!(more.2 > usual.2.mul_f64(1.5));
}

#[test]
fn what_is_left_is_told_and_reaches_nothing() {
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
fn who_fails_is_marked_and_the_rest_goes_on() {
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
    assert_eq!(comparison.samples.iter().filter(|sample| sample.bad > 0).count(), 1, "the proof is kept");
    assert_eq!(events.iter().filter(|event| matches!(event, Event::Note(_))).count(), 4);
}

#[test]
fn if_all_fail_there_is_nothing_to_measure() {
    let (comparison, ..) = run(&settings(&["absent"]), Fake::new());
    assert_eq!((comparison.subjects.len(), comparison.samples.len()), (1, 0));
    assert!(comparison.subjects[0].failed.is_some());
}

#[test]
fn an_interruption_leaves_what_there_is() {
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
fn a_generator_that_is_too_busy_has_the_rate_lowered() {
    let busy = 0.9;
    let (comparison, events, _) = run(&settings(&FIVE), Fake { busy, ..Fake::new() });
    // Five ninths of 6,600.
    assert_eq!(comparison.shapes[1].rate, Some(3600.0));
    // Whether a server was overloaded is not known then.
    assert!(comparison.rate_sweep.iter().all(|point| !point.overloaded));
    let notes =
        events.iter().filter(|event| matches!(event, Event::Note(note) if note.contains("generator")));
    assert_eq!(notes.count(), 4);
}

#[test]
fn the_quick_tier_has_no_curves() {
    let (comparison, ..) = run(&Settings { tier: Tier::Quick, ..settings(&FIVE) }, Fake::new());
    assert_eq!(comparison.samples.len(), 5 * 13);
    assert!(comparison.memory.is_empty() && comparison.rate_sweep.is_empty());
    assert!(comparison.connection_sweep.is_empty());
}

#[test]
fn settings_without_sense_are_refused() {
    let error = compare(&settings(&[]), &AtomicBool::new(false), &mut |_| ()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
}

#[test]
fn closed_loops_take_no_calibration_and_no_curves() {
    let settings = Settings { closed_loops: vec![(64, 1), (500, 1)], ..settings(&["a", "b"]) };
    let (comparison, events, _) = run(&settings, Fake::new());
    assert!(steps(&events).all(|step| step.stage == Stage::Rounds));
    assert_eq!(comparison.samples.len(), 13 * 3 * 2);
    let curves = (comparison.memory.len(), comparison.rate_sweep.len(), comparison.connection_sweep.len());
    assert_eq!(curves, (0, 0, 0));
    let told = |event: &Event| matches!(event, Event::Note(note) if note.starts_with("3 servers, 2 loads, 13 rounds"));
    assert!(events.iter().any(told), "{events:?}");
}

#[test]
fn who_can_not_run_here_is_told_and_never_started() {
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
fn what_is_planned_is_what_is_made() {
    let settings = Settings { rate: Some(900.0), ..settings(&FIVE) };
    let fake = Fake { cores: conditions::cores(), ..Fake::new() };
    let (planned, (made, ..)) = (planned(&settings), run(&settings, fake));
    assert_eq!((&planned.subjects, &planned.shapes), (&made.subjects, &made.shapes));
    let conditions = Conditions { seconds: 0.0, ..made.conditions };
    assert_eq!(Conditions { started: conditions.started, ..planned.conditions }, conditions);
    let unknown = Settings { rate: None, ..settings };
    assert!(super::planned(&unknown).shapes.iter().all(|shape| shape.rate.is_none()));
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
fn who_can_do_next_to_nothing_does_not_set_the_common_rate() {
    let (comparison, events, _) = run(&settings(&["a", "snail", "slow", "b"]), Fake::new());
    assert_eq!(comparison.shapes[1].rate, Some(6600.0), "half of what the next slowest does");
    let of = |name: &str| {
        let subject = comparison.subjects.iter().position(|subject| subject.name == name).unwrap();
        comparison.samples.iter().filter(move |sample| sample.subject == subject && sample.shape == 1)
    };
    assert_eq!(of("snail").map(|sample| sample.overloaded).collect::<Vec<_>>(), [true]);
    assert!(of("slow").all(|sample| !sample.overloaded) && of("slow").count() == 13);
    assert!(comparison.subjects.iter().all(|subject| subject.failed.is_none()));
    let told = |event: &Event| matches!(event, Event::Note(note) if note.starts_with("snail does 100/s, less than a quarter"));
    assert!(events.iter().any(told), "{events:?}");
}

#[test]
fn where_the_generator_is_the_limit_it_is_said() {
    let (comparison, events, _) =
        run(&Settings { rate: Some(30_000.0), ..settings(&["limits", "b"]) }, Fake::new());
    let limited = comparison.samples.iter().filter(|sample| sample.generator_limited);
    assert!(limited.clone().all(|sample| sample.subject < 2 && sample.shape == 1));
    assert_eq!(limited.count(), 26);
    assert!(comparison.rate_sweep.iter().all(|point| point.subject != 0 || point.offered <= 20_000.0));
    let told =
        |event: &Event| matches!(event, Event::Note(note) if note.contains("the generator was the limit"));
    assert!(events.iter().any(told), "{events:?}");
}

#[test]
fn where_cores_are_few_closed_loops_and_probes_are_pinned() {
    let slos = vec!["p99=1ms".parse().unwrap()];
    let settings = Settings { slos, rate: Some(777.0), ..settings(&["a", "b"]) };
    let mut fake = Fake { cores: vec![0, 1], ..Fake::new() };
    let comparison = carry_out(&settings, &mut fake, &mut |_| ()).unwrap();
    let pinned = (vec![1], vec![0]);
    // The calibration's closed loops are on all cores, since its rate is for all cores.
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
fn cores_that_were_chosen_are_used_for_all() {
    let settings = Settings { cpus_server: vec![2, 3], cpus_load: vec![0], ..settings(&["a", "b"]) };
    let mut fake = Fake::new();
    carry_out(&settings, &mut fake, &mut |_| ()).unwrap();
    assert!(fake.started_on.iter().all(|cpus| *cpus == [2, 3]));
    assert!(fake.measured_on.iter().all(|(_, _, load)| *load == [0]));
    let error = carry_out(&Settings { cpus_load: vec![4], ..settings }, &mut fake, &mut |_| ()).unwrap_err();
    assert!(error.contains("core 4"), "{error}");
}

#[test]
fn each_subject_climbs_to_the_highest_rate_that_keeps_the_objective() {
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
    assert!(probes("one").is_empty(), "it holds one connection");
    let limited = probes("limits");
    assert!(limited.iter().all(|probe| probe.generator_limited == (probe.rate > 20_000.0)), "{limited:?}");
    assert_eq!(comparison.conditions.slos, ["p99=1ms"]);
}

#[test]
fn refusals_are_told_once() {
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
    assert_eq!(notes(&refuses), 2, "of it and of its control");
    assert_eq!(notes(&Settings { allow_refusals: true, ..refuses }), 0);
}

#[test]
fn a_busy_machine_is_told_of_before_anything_is_measured() {
    let told = |load_average| {
        let (_, events, _) = run(&settings(&["a"]), Fake { load_average, ..Fake::new() });
        matches!(&events[0], Event::Note(note) if note.contains("the load average is") && note.contains("4 cores"))
    };
    assert!(told(4.5));
    assert!(!told(3.9));
}

#[test]
fn what_is_known_of_a_candidate_is_told_of_the_subject() {
    let mut settings = Settings { tier: Tier::Quick, ..settings(&["a", "b"]) };
    settings.candidates[1].kind = Kind::Server;
    settings.candidates[1].handler_runs = Some("worker".to_owned());
    let (comparison, ..) = run(&settings, Fake::new());
    assert_eq!(comparison.subjects[2].kind, Kind::Server);
    assert_eq!(comparison.subjects[2].handler_runs.as_deref(), Some("worker"));
    assert_eq!(comparison.conditions.message, "32 B");
}
