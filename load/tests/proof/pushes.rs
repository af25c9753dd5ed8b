//! Pushes to subscribers: correct ones, and each fault.

use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyloop_load::engine::{self, Progress};
use anyloop_load::export::table;
use anyloop_load::framing::Framing;
use anyloop_load::measurement::{Measurement, Pushes};
use anyloop_load::plan::{Arrivals, Dispatch, Expect, Messages, Pace, Plan, Sizes};

use super::fanout::{Fanout, Subscriber};
use super::{LAST, open, run};

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
    let expect = engine::expectation(&server.address(), Framing::Line, &AtomicBool::new(false));
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
fn a_doubled_push_is_found() {
    let m = with_fault(|subscriber, line| {
        subscriber.push(line);
        if subscriber.count() == LAST {
            subscriber.push(line);
        }
    });
    assert_faults(&m, [0, 3, 0, 0]);
    let example = &pushes(&m).examples[0];
    assert!(example.starts_with("doubled: subscriber ") && example.contains(" of connection "), "{example}");
}

#[test]
fn a_push_that_is_doubled_after_the_last_one_is_found() {
    let server = Fanout::pushing(|subscriber, line| {
        subscriber.push(line);
        subscriber.push(line);
    });
    // One message on each connection.
    let m = run(&Plan { pace: open(4.0), ..plan(&server) });
    let p = pushes(&m);
    assert_eq!((p.doubled, p.delivered > 0), (p.delivered, true), "{m:?}");
}

#[test]
fn reordered_pushes_of_a_connection_are_found() {
    let m = run(&Plan {
        connections: 1,
        ..plan(&Fanout::pushing(|subscriber, line| match subscriber.count() {
            LAST => drop(subscriber.hold(line)),
            count => {
                subscriber.push(line);
                if count == LAST + 1 {
                    let held = subscriber.hold(b"");
                    subscriber.push(&held);
                }
            }
        }))
    });
    assert_faults(&m, [0, 0, 3, 0]);
    assert!(pushes(&m).examples[0].starts_with("reordered: subscriber "), "{m:?}");
}

#[test]
fn the_order_of_different_connections_is_free() {
    // The connection's number follows the message's.
    let m = with_fault(|subscriber, line| {
        if line[8] == b'0' {
            return subscriber.push(line);
        }
        let held = subscriber.hold(line);
        if !held.is_empty() {
            subscriber.push(&held);
        }
    });
    // The last one of the second connection stays behind.
    assert_faults(&m, [0, 0, 0, 3]);
}

#[test]
fn an_altered_push_is_found_wherever_the_error_is() {
    for at in [0, 9, 17, 25, 28, 31, 40, 62] {
        let server = Fanout::pushing(move |subscriber, line| {
            let mut line = line.to_vec();
            if subscriber.count() == LAST {
                line[at] = b'#';
            }
            subscriber.push(&line);
        });
        let m = run(&Plan { messages: Messages::Made(Sizes::Fixed(64)), ..plan(&server) });
        assert_faults(&m, [3, 0, 0, 3]);
        assert!(pushes(&m).examples[0].starts_with("wrong: subscriber "), "{m:?}");
    }
}

#[test]
fn a_push_that_is_not_whole_is_found() {
    let m = with_fault(|subscriber, line| match subscriber.count() {
        LAST => subscriber.push(&line[..line.len() - 1]),
        _ => subscriber.push(line),
    });
    assert_faults(&m, [3, 0, 0, 3]);
}

#[test]
fn mixed_pushes_are_found() {
    let server = Fanout::pushing(|subscriber, line| {
        let held = subscriber.hold(line);
        match subscriber.count() {
            LAST => subscriber.push(&[&line[..40], &held[40..]].concat()),
            _ => subscriber.push(line),
        }
    });
    let m = run(&Plan { messages: Messages::Made(Sizes::Fixed(64)), ..plan(&server) });
    assert_faults(&m, [3, 0, 0, 3]);
}

#[test]
fn a_message_of_an_earlier_run_is_wrong() {
    let first = std::sync::Mutex::new(Vec::new());
    let server = Fanout::pushing(move |subscriber, line| {
        let mut first = first.lock().expect("nobody panics");
        if first.is_empty() {
            *first = line.to_vec();
        } else if subscriber.number() == 3 && subscriber.count() == 1 {
            // The first subscriber of the second run.
            subscriber.push(&first);
        }
        subscriber.push(line);
    });
    assert_faults(&run(&plan(&server)), [0; 4]);
    assert_faults(&run(&plan(&server)), [1, 0, 0, 0]);
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
fn a_subscriber_that_ends_early_is_a_failure_and_misses_the_rest() {
    for farewell in [false, true] {
        let m = with_fault(move |subscriber, line| {
            if subscriber.number() != 1 || subscriber.count() < LAST {
                return subscriber.push(line);
            }
            if subscriber.count() == LAST {
                if farewell {
                    subscriber.push(b"ERR shutting-down");
                }
                subscriber.end();
            }
        });
        let p = pushes(&m);
        assert_eq!((m.failures.ended, m.failures.connect, m.bad()), (1, 0, 0), "{m:?}");
        assert_eq!((p.subscribers, p.missed), (3, m.verification.replies - LAST + 1), "{m:?}");
        let example = &m.failures.examples[0];
        let why = if farewell { "the server says `ERR shutting-down`" } else { "the server closed it" };
        assert!(example.contains(" s after the start, after 49 pushes: "), "{example}");
        assert!(example.starts_with("subscriber ") && example.ends_with(why), "{example}");
        assert!(m.stopped_early.is_none(), "the senders go on: {m:?}");
    }
}

#[test]
fn a_run_ends_when_only_subscribers_are_left() {
    let refuses = |line: &[u8]| if line == b"subscribe" { "ok" } else { "ERR busy" }.to_owned();
    let m = run(&plan(&Fanout::replying(refuses, Subscriber::push)));
    assert!(m.stopped_early.is_some_and(|why| why.contains("no connection was left")));
}

#[test]
fn a_refused_subscription_is_a_failed_connection() {
    let count = AtomicBool::new(false);
    let refuses_one = move |line: &[u8]| match line == b"subscribe" && !count.swap(true, Ordering::SeqCst) {
        true => "ERR full".to_owned(),
        false => "ok".to_owned(),
    };
    let m = run(&plan(&Fanout::replying(refuses_one, |subscriber, line| {
        // The refused one is subscriber 0 of the server, although it was told otherwise.
        if subscriber.number() > 0 {
            subscriber.push(line);
        }
    })));
    let p = pushes(&m);
    assert_eq!((m.failures.connect, m.failures.ended, p.subscribers), (1, 0, 2), "{m:?}");
    assert_eq!((p.delivered, p.missed, m.bad()), (2 * m.verification.replies, 0, 0), "{m:?}");
    let why = "could not subscribe: the server refuses: ERR full";
    assert!(
        m.failures.examples[0].starts_with("subscriber ") && m.failures.examples[0].ends_with(why),
        "{m:?}"
    );
}

#[test]
fn without_any_subscription_nothing_is_measured() {
    for (reply, expected) in [
        ("ERR full", "the server refuses: ERR full"),
        ("ERR busy", "the server refuses: ERR busy"),
        ("subscribe", "the server says `subscribe` to `subscribe`; is it one to which one can subscribe?"),
    ] {
        let server = Fanout::replying(|_| reply.to_owned(), Subscriber::push);
        let error = engine::run(&plan(&server), &AtomicBool::new(false), None).expect_err("none subscribes");
        let told = format!("can't subscribe to {}: subscriber ", server.address());
        assert!(error.to_string().starts_with(&told) && error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn a_subscription_without_a_reply_is_given_up() {
    let (listener, place) = super::transport::listen();
    let plan =
        Plan { reply_timeout: Duration::from_millis(100), ..Plan::new(place.0.clone()).with_subscribers(2) };
    let error = engine::run(&plan, &AtomicBool::new(false), None).expect_err("nobody answers");
    assert!(
        error.to_string().ends_with("could not subscribe: the server did not answer within 100ms"),
        "{error}"
    );
    drop(listener);
}

#[test]
fn a_server_may_greet_and_have_its_own_word_and_replies() {
    for (expect, greeting, reply) in [
        (Expect::Any, "", "+OK"),
        (Expect::Greeted, "good morning\n", "yes"),
        (Expect::Ack, "Hello World!\n", "7:ACK!"),
    ] {
        let server = Fanout::serve(greeting, "listen to all", |_| reply.to_owned(), Subscriber::push);
        let m = run(&Plan { expect, ..plan(&server).with_subscribe_message("listen to all") });
        assert_faults(&m, [0; 4]);
        assert!(pushes(&m).delivered > 0, "{m:?}");
    }
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
fn an_interruption_ends_the_wait_for_subscriptions() {
    let (listener, place) = super::transport::listen();
    let stop = AtomicBool::new(true);
    let plan = Plan::new(place.0.clone()).with_subscribers(2);
    let error = engine::run(&plan, &stop, None).expect_err("nobody answers");
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    drop(listener);
}

#[cfg(target_os = "linux")]
#[test]
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
