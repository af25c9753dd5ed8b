//! Pushes to subscribers: correct ones, and those that do not come.

mod fanout;
mod faults;
mod subscriptions;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyloop_load::engine::{self, Progress};
use anyloop_load::export::table;
use anyloop_load::measurement::{Measurement, Pushes};
use anyloop_load::plan::{Arrivals, Dispatch, Expect, Messages, Pace, Plan, Sizes};

use super::{LAST, open, run};
use fanout::{Fanout, Subscriber};

/// A plan with three subscribers, that is long enough to detect a fault.
fn plan(server: &Fanout) -> Plan {
    Plan {
        connections: 2,
        depth: 4,
        pace: open(2000.0),
        duration: Duration::from_millis(300),
        warmup: Duration::from_millis(100),
        reply_timeout: Duration::from_secs(2),
        ..Plan::new(server.address()).with_subscribers(3)
    }
}

fn pushes(m: &Measurement) -> &Pushes {
    m.pushes.as_ref().expect("there are subscribers")
}

/// Measures a server that does something else with each push.
fn with_fault(fault: impl Fn(&mut Subscriber, &[u8]) + Send + Sync + 'static) -> Measurement {
    run(&plan(&Fanout::pushing(fault)))
}

/// Checks the number of wrong, doubled, reordered and missed pushes of a run whose replies are right.
#[track_caller]
fn assert_faults(m: &Measurement, [wrong, doubled, reordered, missed]: [u64; 4]) {
    let p = pushes(m);
    assert_eq!([p.wrong, p.doubled, p.reordered, p.missed], [wrong, doubled, reordered, missed], "{m:?}");
    assert_eq!((m.verification.bad(), m.failures.connections()), (0, 0), "{m:?}");
    assert_eq!(p.delivered + p.missed, m.verification.replies * p.subscribers as u64, "{m:?}");
    assert_eq!((p.bad(), m.bad()), (wrong + doubled + reordered, p.bad()));
    assert_eq!(table(m).contains("pushes   VERIFICATION FAILED"), p.bad() > 0, "{}", table(m));
}

#[test]
fn every_push_of_a_correct_server_is_delivered_under_any_load() {
    let server = Fanout::good();
    let poisson = Pace::Open { rate: 1000.0, arrivals: Arrivals::Poisson, dispatch: Dispatch::Any };
    for pace in [Pace::Closed, open(1000.0), poisson] {
        for sizes in [Sizes::Fixed(32), Sizes::Uniform(32, 5000), Sizes::List(vec![33, 40, 70_000])] {
            for (subscribers, threads) in [(1, 1), (1, 2), (5, 2), (5, 4)] {
                let plan = Plan {
                    pace,
                    messages: Messages::Made(sizes.clone()),
                    threads,
                    duration: Duration::from_millis(100),
                    warmup: Duration::ZERO,
                    ..plan(&server).with_subscribers(subscribers)
                };
                let m = run(&plan);
                assert_faults(&m, [0; 4]);
                let p = pushes(&m);
                assert_eq!((p.subscribers, m.connections), (subscribers, 2), "{plan}");
                assert!(p.delivered > 0 && p.rate > 0.0 && p.delay.max > 0.0, "{plan}: {p:?}");
                assert_eq!(p.delay.count, p.delivered, "{plan}: {p:?}");
            }
        }
    }
}

#[test]
fn many_subscribers_hear_every_message() {
    let server = Fanout::good();
    let m = run(&Plan { pace: open(200.0), ..plan(&server).with_subscribers(200) });
    assert_faults(&m, [0; 4]);
    assert_eq!(pushes(&m).subscribers, 200);
    let told = format!("pushes   {} delivered to 200 subscribers, ", pushes(&m).delivered);
    let table = table(&m);
    assert!(table.contains(&told), "{table}");
    assert!(table.starts_with("2 connections, depth 4, 200/s, 32 B, 200 subscribers; "), "{table}");
}

#[test]
fn the_delay_counts_from_the_sending() {
    let delay = Duration::from_millis(30);
    let server = Fanout::pushing(move |subscriber, line| {
        if subscriber.count() == LAST {
            std::thread::sleep(delay);
        }
        subscriber.push(line);
    });
    let m = run(&Plan { warmup: Duration::ZERO, ..plan(&server) });
    assert_faults(&m, [0; 4]);
    let p = pushes(&m);
    assert!(p.delay.max >= delay.as_secs_f64() * 1e6 && p.delay.count == p.delivered, "{p:?}");
    // With the warm-up before it, the others count only for the verification.
    let m = run(&Plan { warmup: Duration::from_millis(200), ..plan(&server) });
    assert!(pushes(&m).delay.count < pushes(&m).delivered, "{m:?}");
}

#[test]
fn without_subscribers_there_are_no_pushes() {
    let server = Fanout::good();
    let m = run(&Plan { expect: Expect::Ok, ..plan(&server).with_subscribers(0) });
    assert_eq!((m.pushes.is_none(), m.verification.bad()), (true, 0), "{m:?}");
    assert!(!table(&m).contains("push"), "{}", table(&m));
    let expect = engine::expectation(&Plan::new(server.address()), &AtomicBool::new(false));
    assert_eq!(expect.expect("it says ok"), Expect::Ok);
}

#[test]
fn a_dropped_push_is_missed_and_no_fault() {
    let m = with_fault(|subscriber, line| {
        if subscriber.count() != LAST {
            subscriber.push(line);
        }
    });
    assert_faults(&m, [0, 0, 0, 3]);
    assert!(table(&m).contains("3 missed, and none was wrong"), "{}", table(&m));
}

#[test]
fn the_last_pushes_are_waited_for_and_then_missed() {
    let server = Fanout::pushing(|subscriber, line| {
        if subscriber.count() < LAST || subscriber.number() > 0 {
            subscriber.push(line);
        }
    });
    let m = run(&Plan { reply_timeout: Duration::from_millis(300), ..plan(&server) });
    assert_faults(&m, [0, 0, 0, m.verification.replies - LAST + 1]);
}

#[test]
fn a_server_that_never_pushes_delivers_nothing() {
    let server = Fanout::pushing(|_, _| ());
    let m = run(&Plan { reply_timeout: Duration::from_millis(300), ..plan(&server) });
    assert_faults(&m, [0, 0, 0, 3 * m.verification.replies]);
    assert_eq!((pushes(&m).delivered, pushes(&m).rate, pushes(&m).delay.count), (0, 0.0, 0));
}

#[test]
fn late_pushes_are_waited_for() {
    // The last one comes with the end of the connection.
    let late = |subscriber: &mut Subscriber, line: &[u8]| {
        let held = subscriber.hold(line);
        if !held.is_empty() {
            subscriber.push(&held);
        }
    };
    let server = Fanout::pushing(late);
    let m = run(&Plan { reply_timeout: Duration::from_millis(300), ..plan(&server) });
    assert_faults(&m, [0, 0, 0, 3]);
}

#[test]
fn a_refused_message_is_not_missed() {
    let refuses = |line: &[u8]| if line[0] == b'7' { "ERR limit" } else { "ok" }.to_owned();
    let m = run(&plan(&Fanout::replying(refuses, Subscriber::push)));
    let (v, p) = (&m.verification, pushes(&m));
    assert!(v.refused > 0 && v.bad() == 0, "{m:?}");
    assert_eq!((p.delivered, p.missed, p.bad()), (3 * (v.replies - v.refused), 0, 0), "{m:?}");
}

#[test]
fn an_interruption_keeps_what_was_delivered() {
    let server = Fanout::good();
    let stop = AtomicBool::new(false);
    let tell = |progress: Progress| {
        if !progress.warming_up && progress.deliveries > 100 {
            stop.store(true, Ordering::Relaxed);
        }
    };
    let plan = Plan { duration: Duration::from_secs(600), ..plan(&server) };
    let m = engine::run(&plan, &stop, Some(&tell)).expect("the load is made");
    assert!(m.interrupted && pushes(&m).delivered > 100 && m.bad() == 0, "{m:?}");
    assert_eq!(pushes(&m).missed, 0, "{m:?}");
}

#[test]
#[cfg(target_os = "linux")]
fn deliveries_are_counted_between_the_readings_of_the_clocks() {
    let server = Fanout::good();
    let m = run(&Plan { server: Some(std::process::id()), ..plan(&server) });
    let usage = m.server.expect("it lives");
    assert!(usage.deliveries > 0 && usage.deliveries < pushes(&m).delivered, "{m:?}");
    let (user, system) = m.cpu_per_delivery().expect("it is known");
    let all = (user + system) * usage.deliveries as f64 / 1e6;
    assert!((all - usage.user_seconds - usage.system_seconds).abs() < 1e-9, "{usage:?}");
    assert!(table(&m).contains(" µs of CPU time per push"), "{}", table(&m));
}
