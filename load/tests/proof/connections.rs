//! Failures of connections, and of the whole run.

use std::io::{ErrorKind, Write};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use anyloop_load::engine::{self, Progress};
use anyloop_load::plan::Plan;

use super::faulty::Faulty;
use super::transport::{Place, listen};
use super::{LAST, ask, plan, run};

#[test]
fn connections_are_re_established_after_their_messages() {
    let server = Faulty::good();
    let m =
        run(&Plan { messages_per_connection: Some(3), duration: Duration::from_secs(1), ..plan(&server) });
    assert!(m.connect.count > 0 && server.connections() as u64 >= m.verification.replies / 3, "{m:?}");
    assert_eq!((m.verification.bad(), m.failures.connect + m.failures.ended), (0, 0), "{m:?}");
}

#[test]
// The kernel completes the handshake, but the server does not accept them.
fn unserved_connections_are_distinguished_from_lost_replies() {
    let (_listener, place) = listen();
    let reply_timeout = Duration::from_millis(100);
    let m = run(&Plan {
        connections: 3,
        depth: 4,
        reply_timeout,
        duration: Duration::from_millis(50),
        ..Plan::new(place.0.clone())
    });
    assert_eq!((m.failures.unserved, m.failures.unanswered, m.verification.bad()), (3, 12, 0), "{m:?}");
    for (number, example) in m.failures.examples.iter().enumerate() {
        assert!(example.starts_with(&format!("connection {number} was made and never served")), "{m:?}");
    }
    assert_eq!(m.failures.examples.len(), 3);
}

#[test]
fn a_closed_connection_is_a_failure_and_not_a_loss() {
    let m = run(&plan(&Faulty::each_connection(|replies, _| {
        if replies.count() == LAST {
            replies.end();
        }
    })));
    assert_eq!((m.failures.ended, m.verification.bad()), (2, 0), "{m:?}");
    assert!(m.failures.unanswered >= 2, "{m:?}");
    assert!(m.stopped_early.is_some() && !m.interrupted, "no connection was left: {m:?}");
    let example = &m.failures.examples[0];
    assert!(
        example.contains(" s after the start, after ") && example.contains(" of them unanswered"),
        "{m:?}"
    );
    let table = anyloop_load::export::table(&m);
    assert!(table.contains("2 connections ended early") && table.contains("stopped early"), "{table}");
    assert!(!table.contains("as they should be"), "{table}");
}

#[test]
fn a_farewell_is_not_a_wrong_reply() {
    let m = run(&plan(&Faulty::each_connection(|replies, _| {
        if replies.count() == LAST {
            replies.say(b"ERR shutting-down");
            replies.end();
        }
    })));
    assert_eq!((m.failures.ended, m.verification.bad()), (2, 0), "{m:?}");
    assert!(m.failures.examples[0].ends_with("the server says `ERR shutting-down`"), "{m:?}");
}

#[test]
fn a_run_continues_with_the_remaining_connections() {
    let server = Faulty::each_connection({
        let ended = AtomicBool::new(false);
        move |replies, _| {
            if replies.count() == LAST && !ended.swap(true, Ordering::SeqCst) {
                replies.end();
            }
        }
    });
    let m = run(&plan(&server));
    assert_eq!((m.failures.ended, m.stopped_early.is_some(), m.verification.bad()), (1, false, 0), "{m:?}");
}

#[test]
fn the_end_of_a_monitored_process_is_reported() {
    let server = Faulty::good();
    let watched = Command::new("sleep").arg("600").spawn().expect("it is started");
    let plan = Plan { server: Some(watched.id()), ..plan(&server) };
    let m = run(&plan);
    assert_eq!((m.server.is_some(), m.server_ended), (true, false), "{m:?}");
    let watched = Mutex::new(watched);
    let end = |progress: Progress| {
        if !progress.warming_up {
            let mut watched = watched.lock().expect("nobody panics");
            watched.kill().expect("it has been started");
            watched.wait().expect("it has been started");
        }
    };
    let m = engine::run(&plan, &AtomicBool::new(false), Some(&end)).expect("the load is made");
    assert_eq!((m.server, m.server_ended), (None, true), "{m:?}");
    assert!(anyloop_load::export::table(&m).contains("its process ended before the end of the run"), "{m:?}");
}

#[test]
fn a_refusal_is_a_failed_connection() {
    let server = Faulty::greeting("ERR busy", |replies, _| replies.skip());
    let error = ask(&server).expect_err("it refuses");
    assert!(error.to_string().contains("the server refuses: ERR busy"), "{error}");
}

#[test]
fn a_missing_server_is_an_error() {
    let go_on = AtomicBool::new(false);
    let (place, other) = (nobody(), nobody());
    let error = engine::run(&Plan::new(place.0.clone()), &go_on, None).expect_err("nobody is there");
    assert!(error.to_string().contains(&format!("can't connect to {}", place.0)), "{error}");
    let addresses = [place.0.clone(), other.0.clone()];
    let error = engine::reachable(&addresses, &go_on).expect_err("nobody is at either");
    for address in addresses {
        assert!(
            error.to_string().contains(&format!("can't connect to {address}: Connection refused")),
            "{error}"
        );
    }
}

#[test]
fn the_first_reachable_address_is_used() {
    let server = Faulty::good();
    let nobody = [nobody(), nobody()];
    let addresses = [nobody[0].0.clone(), server.address(), nobody[1].0.clone()];
    let found = engine::reachable(&addresses, &AtomicBool::new(false)).expect("one is there");
    assert_eq!(found, server.address());
}

/// An address without a listener.
fn nobody() -> Place {
    listen().1
}

#[test]
fn stop_ends_every_wait() {
    let (_listener, place) = listen();
    let stop = AtomicBool::new(true);
    let kinds = [
        engine::expectation(&Plan::new(place.0.clone()), &stop).map(drop).map_err(|error| error.kind()),
        engine::run(&Plan::new(place.0.clone()), &stop, None).map(drop).map_err(|error| error.kind()),
    ];
    assert_eq!(kinds, [Err(ErrorKind::Interrupted); 2]);
}

#[test]
fn a_server_that_sends_without_end_does_not_delay_the_end() {
    let (listener, place) = listen();
    let stop = Arc::new(AtomicBool::new(false));
    let its_stop = Arc::clone(&stop);
    let said = thread::spawn(move || {
        let mut socket = listener.accept().expect("it comes").0;
        let mut said = 0;
        // There is no line end.
        while said < 2000 && socket.write_all(b"no").is_ok() {
            said += 1;
            its_stop.fetch_or(said == 10, Ordering::Relaxed);
            thread::sleep(Duration::from_millis(1));
        }
        said
    });
    let error = engine::expectation(&Plan::new(place.0.clone()), &stop).expect_err("it has no reply");
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    let said = said.join().expect("it ends");
    assert!((10..1000).contains(&said), "{said}");
}

#[test]
fn an_interruption_keeps_the_results_so_far() {
    let server = Faulty::good();
    let stop = AtomicBool::new(false);
    let seen = Mutex::new(Progress::default());
    let plan = Plan { duration: Duration::from_secs(600), ..plan(&server) };
    let tell = |progress: Progress| {
        if !progress.warming_up && progress.replies > 100 {
            stop.store(true, Ordering::Relaxed);
        }
        *seen.lock().expect("nobody panics") = progress;
    };
    let m = engine::run(&plan, &stop, Some(&tell)).expect("the load is made");
    assert!(m.interrupted && m.seconds < 500.0 && m.verification.replies > 100, "{m:?}");
    assert_eq!(seen.into_inner().expect("nobody panics").total, plan.warmup + plan.duration);
}
