mod fanout;
mod loads;
mod subjects;
mod time;

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;

use super::*;
use crate::candidate::Candidate;
use crate::idle::IdlePlan;
use crate::server::Written;
use crate::settings::IDLE;
use crate::{Conditions, Kind, MemorySample};
use crate::{Step, Tier};
use load::measurement::{Failures, Pushes, Usage};
use load::testing::{measurement, times};

/// A simulated machine. Its clock advances only by the operations, and servers behave as their names say.
struct Fake {
    now: Duration,
    /// The time of an interruption.
    stop: Option<Duration>,
    /// The time that starting a server takes, and a measurement in addition to the load.
    overhead: Duration,
    /// How busy the generator is at a rate; in a closed loop the rate is 0.
    busy: fn(f64) -> f64,
    /// The cores, and the load average.
    cores: Vec<usize>,
    load_average: f64,
    /// The cores of each server that was started; and for each measurement its rate, the server's cores, and the
    /// generator's.
    started_on: Vec<Vec<usize>>,
    measured_on: Vec<(Option<f64>, Vec<usize>, Vec<usize>)>,
    /// The names of the servers in the order in which they were started, and how many are running.
    started: Vec<String>,
    running: Rc<Cell<usize>>,
}

struct FakeServer {
    running: Rc<Cell<usize>>,
    ended: bool,
    panicked: bool,
}

impl RunningServer for FakeServer {
    fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], 1).into()
    }

    fn root(&self) -> u32 {
        1
    }

    fn memory(&self) -> Option<u64> {
        None
    }

    fn failure(&mut self, _timeout: Duration) -> Option<String> {
        self.ended.then(|| "the server ended".to_owned())
    }

    fn panic_message(&self) -> Option<String> {
        self.panicked.then(|| "a thread panicked at x.rs:1: no".to_owned())
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
            busy: |_| 0.3,
            cores: vec![0, 1, 2, 3],
            load_average: 0.0,
            started_on: Vec::new(),
            measured_on: Vec::new(),
            started,
            running,
        }
    }

    /// How often the current server was started, including this time.
    fn starts(&self) -> usize {
        self.started.iter().filter(|name| Some(*name) == self.started.last()).count()
    }
}

impl Testbed for Fake {
    fn cores(&self) -> Vec<usize> {
        self.cores.clone()
    }

    fn load_average(&self) -> Option<f64> {
        Some(self.load_average)
    }

    fn start(&mut self, candidate: &Candidate, cpus: &[usize]) -> io::Result<Box<dyn RunningServer>> {
        self.started_on.push(cpus.to_vec());
        assert_eq!(self.running.get(), 0, "one server at a time");
        if candidate.name == "absent" {
            return Err(io::ErrorKind::NotFound.into());
        }
        self.now += self.overhead;
        self.started.push(candidate.name.clone());
        self.running.set(1);
        let starts = self.starts();
        let ended = (candidate.name == "crashes" && starts == 3) || (candidate.name == "dies" && starts == 1);
        let panicked = candidate.name == "panics";
        Ok(Box::new(FakeServer { running: Rc::clone(&self.running), ended, panicked }))
    }

    fn measure(&mut self, plan: &Plan) -> io::Result<Measurement> {
        assert_eq!(self.running.get(), 1);
        let server = self.started_on.last().unwrap().clone();
        self.measured_on.push((plan.rate(), server, plan.cpus.clone()));
        self.now += self.overhead + plan.warmup + plan.duration;
        let capacity = match self.started.last().map(String::as_str) {
            Some("slow") => 13_345.0,
            Some("snail") => 100.0,
            Some("stumbles") if self.starts() == 1 => 100.0,
            Some("errs") if plan.rate().is_some_and(|rate| rate > 10_000.0) => {
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            Some("crashes") if self.starts() == 3 => return Err(io::ErrorKind::ConnectionReset.into()),
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
            generator_busy: (self.busy)(offered.unwrap_or(0.0)),
            // Very slow above its capacity.
            latency: times(&[(if offered.is_some_and(|rate| rate > capacity) { 1e6 } else { 100.0 }, 5000)]),
            ..measurement()
        };
        if let count @ 1.. = plan.subscribers.count {
            let delivered = 1000 * count as u64;
            let (rate, delay) = (made.achieved_rate * count as f64, times(&[(300.0, delivered)]));
            made.pushes = Some(Pushes { subscribers: count, delivered, rate, delay, ..Pushes::default() });
            made.server = made.server.map(|usage| Usage { deliveries: delivered, ..usage });
        }
        match self.started.last().map(String::as_str) {
            Some("panics") if self.starts() == 3 => {
                made.failures = Failures { ended: 1, ..Failures::default() }
            }
            Some("liar") if self.starts() == 3 => made.verification.wrong = 7,
            Some("refuses") => {
                made.verification.refused = 1000;
                made.verification.refusal = Some("ERR busy".to_owned());
            }
            Some("limited") if offered.is_some_and(|rate| rate > 10_000.0) => made.verification.refused = 100,
            // At a low rate a measurement has too few messages for a percentile.
            Some("sparse") if offered.is_some_and(|rate| rate < 30_000.0) => {
                made.latency = times(&[(100.0, 5)])
            }
            // In every second measurement.
            Some("stalls") if offered.is_some() && self.measured_on.len().is_multiple_of(2) => {
                made.latency = times(&[(1e6, 5000)]);
            }
            Some("limits") if offered.is_some_and(|rate| rate > 20_000.0) => made.generator_limited = true,
            Some("small") if plan.subscribers.count > 50 => {
                made.failures = Failures { connect: 3, ..Failures::default() }
            }
            Some("repeats") if plan.subscribers.count > 50 && self.starts() == 2 => {
                if let Some(pushes) = &mut made.pushes {
                    pushes.doubled = 7;
                }
            }
            Some("late") => {
                if let Some(pushes) = made.pushes.as_mut().filter(|pushes| pushes.subscribers > 50) {
                    pushes.rate /= 2.0;
                }
            }
            Some("dies") => made.failures = Failures { ended: 1, ..Failures::default() },
            Some("breaks") if self.starts() == 2 => {
                made.failures = Failures { ended: 1, ..Failures::default() }
            }
            _ => {}
        }
        Ok(made)
    }

    fn memory(
        &mut self,
        _server: &dyn RunningServer,
        plan: &IdlePlan<'_>,
    ) -> (Vec<MemorySample>, io::Result<()>) {
        self.now += Duration::from_secs(1);
        let sample = |&connections: &usize| {
            let bytes = 1_000_000 + 2000 * connections as u64;
            MemorySample { connections, bytes, ..MemorySample::default() }
        };
        (plan.counts.iter().map(sample).collect(), Ok(()))
    }

    fn written(&mut self) -> Written {
        Written::default()
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
    let mut on_event = |event: &Event| events.push(event.clone());
    let comparison = run_comparison(settings, &mut fake, &mut on_event).unwrap();
    assert_eq!(fake.running.get(), 0, "no server is left running");
    (comparison, events, fake.now)
}

fn steps(events: &[Event]) -> impl Iterator<Item = &Step> {
    events.iter().filter_map(|event| match event {
        Event::Step(step) => Some(step),
        Event::Note(_) | Event::Wrote { .. } => None,
    })
}

const FIVE: [&str; 5] = ["one", "a", "slow", "b", "c"];
