use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;

use super::*;
use crate::candidate::Candidate;
use crate::laboratory::Ladder;
use crate::settings::{HOSTILE, IDLE, Tier};
use load::measurement::Failures;
use load::testing::measurement;

/// No machine at all: time passes when it is said to, and servers do what their names say.
struct Fake {
    now: Duration,
    /// When it is interrupted.
    stop: Option<Duration>,
    /// What starting a server and a measurement take beside the load.
    overhead: Duration,
    /// How busy the generator is.
    busy: f64,
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
        Self { now: Duration::ZERO, stop: None, overhead, busy: 0.3, started, running }
    }

    /// How often the current server's program was started, this time included.
    fn lives(&self) -> usize {
        self.started.iter().filter(|name| Some(*name) == self.started.last()).count()
    }
}

impl Laboratory for Fake {
    fn start(&mut self, candidate: &Candidate) -> io::Result<Box<dyn Running>> {
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
        self.now += self.overhead + plan.warmup + plan.duration;
        let capacity = match self.started.last().map(String::as_str) {
            Some("slow") => 12_345.0,
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
            ..measurement()
        };
        match self.started.last().map(String::as_str) {
            Some("liar") if self.lives() == 3 => made.verification.wrong = 7,
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
    let comparison = Runner::new(settings, &mut fake, &mut tell).run();
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
    assert_eq!(comparison.samples.len(), 7 * (5 * 2 + 3 * 2));
    for subject in 0..6 {
        for round in 0..7 {
            let its = comparison.samples.iter().filter(|one| (one.subject, one.round) == (subject, round));
            assert_eq!(its.count(), if subject < 2 { 4 } else { 2 });
        }
    }
    // Twelve thousand and some in a closed loop: half of that for all.
    assert_eq!(comparison.shapes[1].rate, Some(6100.0));
    let common = comparison.samples.iter().filter(|sample| sample.shape == 1);
    assert!(common.clone().all(|sample| sample.rate == 6100.0) && common.count() == 35);

    assert_eq!(comparison.memory.len(), 4 * IDLE.len());
    assert_eq!(comparison.connection_sweep.len(), 4 * 3 + 1);
    assert_eq!(comparison.isolation.len(), 4 * HOSTILE.len());
    let last = |subject| comparison.rate_sweep.iter().rfind(|point| point.subject == subject).unwrap();
    assert!(comparison.rate_sweep.iter().all(|point| point.subject != 1), "the control is no curve");
    assert!(last(3).overloaded && last(3).offered < 20_000.0, "what is too much ends the curve");
    assert!(last(0).offered > 50_000.0);
    assert!(!comparison.interrupted);
    assert_eq!((comparison.conditions.tier.as_str(), comparison.conditions.rounds), ("default", 7));
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
                assert!((0.85..1.05).contains(&share), "{tier:?}, {count}, {overhead:?}: {share}");
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
    let more = run(&Settings { rounds: Some(14), ..settings(&FIVE) }, Fake::new());
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
    assert_eq!((samples("a"), samples("a (again)"), samples("b")), (14, 14, 14));
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
    // Five ninths of 6,100.
    assert_eq!(comparison.shapes[1].rate, Some(3300.0));
    // Whether a server was overloaded is not known then.
    assert!(comparison.rate_sweep.iter().all(|point| !point.overloaded));
    let notes =
        events.iter().filter(|event| matches!(event, Event::Note(note) if note.contains("generator")));
    assert_eq!(notes.count(), 4);
}

#[test]
fn the_quick_tier_has_no_curves() {
    let (comparison, ..) = run(&Settings { tier: Tier::Quick, ..settings(&FIVE) }, Fake::new());
    assert_eq!(comparison.samples.len(), 5 * 16);
    assert!(comparison.memory.is_empty() && comparison.rate_sweep.is_empty());
    assert!(comparison.connection_sweep.is_empty() && comparison.isolation.is_empty());
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
    assert_eq!(comparison.samples.len(), 7 * 3 * 2);
    let curves = (comparison.memory.len(), comparison.rate_sweep.len(), comparison.isolation.len());
    assert_eq!(curves, (0, 0, 0));
    let told = |event: &Event| matches!(event, Event::Note(note) if note.starts_with("3 servers, 2 loads, 7 rounds"));
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
    let (planned, (made, ..)) = (planned(&settings), run(&settings, Fake::new()));
    assert_eq!((&planned.subjects, &planned.shapes), (&made.subjects, &made.shapes));
    let conditions = Conditions { seconds: 0.0, ..made.conditions };
    assert_eq!(Conditions { started: conditions.started, ..planned.conditions }, conditions);
    let unknown = Settings { rate: None, ..settings };
    assert!(super::planned(&unknown).shapes.iter().all(|shape| shape.rate.is_none()));
}
