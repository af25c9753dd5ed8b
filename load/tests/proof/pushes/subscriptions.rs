//! Subscriptions that are refused, and connections of subscribers that end.

use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyloop_load::engine;
use anyloop_load::plan::{Expect, Plan};

use super::super::{LAST, run, transport};
use super::fanout::{Fanout, Subscriber};
use super::{assert_faults, plan, pushes, with_fault};

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
    let (listener, place) = transport::listen();
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
fn an_interruption_ends_the_wait_for_subscriptions() {
    let (listener, place) = transport::listen();
    let stop = AtomicBool::new(true);
    let plan = Plan::new(place.0.clone()).with_subscribers(2);
    let error = engine::run(&plan, &stop, None).expect_err("nobody answers");
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    drop(listener);
}
