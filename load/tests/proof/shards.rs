//! Shards: together they make what one generator makes.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use anyloop_load::engine;
use anyloop_load::measurement::Measurement;
use anyloop_load::plan::{Hostile, Plan, Shard};

use super::faulty::Faulty;
use super::{open, plan, run};

/// A server that keeps what it receives.
fn keeping() -> (Faulty, Arc<Mutex<Vec<Vec<u8>>>>) {
    let all = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&all);
    let server =
        Faulty::each_connection(move |_, line| kept.lock().expect("nobody panics").push(line.to_vec()));
    (server, all)
}

/// What a server receives of these shards, in order of content, and how many connections come.
fn received(shards: usize, threads: usize) -> (Vec<Vec<u8>>, usize, Measurement) {
    let (server, all) = keeping();
    let part = |number| {
        run(&Plan {
            connections: 7,
            depth: 16,
            pace: open(700.0),
            duration: Duration::from_millis(200),
            warmup: Duration::from_millis(100),
            threads,
            shard: Shard::new(number, shards).expect("there is one"),
            ..plan(&server)
        })
    };
    let measurements: Vec<_> = (1..=shards).map(part).collect();
    let mut all = std::mem::take(&mut *all.lock().expect("nobody panics"));
    all.sort_unstable();
    let mut merged = Measurement::merged(&measurements).expect("there is one");
    merged.plan.remove("address"); // each server has its own
    (all, server.connections(), merged)
}

#[test]
fn shards_send_the_messages_of_one_generator() {
    let (expected, connections, one) = received(1, 1);
    assert_eq!((expected.len(), connections), (210, 7));
    for (shards, threads) in [(3, 1), (2, 2), (7, 1)] {
        let (all, connections, merged) = received(shards, threads);
        assert_eq!(connections, 7, "{shards} shards");
        assert!(all == expected, "{shards} shards sent {} messages, others than one", all.len());
        assert_eq!(merged.verification.replies, one.verification.replies);
        assert_eq!((merged.connections, merged.in_flight_limit), (one.connections, one.in_flight_limit));
        assert_eq!(
            (merged.latency.count, merged.plan, merged.load),
            (140, one.plan.clone(), one.load.clone())
        );
        assert_eq!(merged.offered_rate.map(f64::round), Some(700.0));
    }
}

#[test]
fn hostile_clients_are_divided_as_well() {
    let server = Faulty::good();
    let hostile = Hostile { idle: 5, ..Hostile::default() };
    for (number, own) in [(1, 1 + 3), (2, 1 + 2)] {
        let before = server.connections();
        let shard = Shard::new(number, 2).expect("there is one");
        let m = run(&Plan { hostile, shard, ..plan(&server) });
        assert_eq!(server.connections() - before, own, "shard {shard}");
        assert_eq!(m.hostile.map(|hostile| hostile.idle.clients), Some(own as u64 - 1), "shard {shard}");
    }
}

#[test]
fn a_load_begins_at_its_time() {
    let server = Faulty::good();
    let mut lead = Duration::from_millis(100);
    // A machine that is busy may need more time to connect.
    let (start, m) = loop {
        let start = SystemTime::now() + lead;
        let plan = Plan { start_at: Some(start), duration: Duration::from_millis(50), ..plan(&server) };
        match engine::run(&plan, &false.into(), None) {
            Ok(m) => break (start, m),
            Err(error) => assert!(error.to_string().contains("--start-at"), "{error}"),
        }
        lead *= 2;
    };
    let start = start.duration_since(SystemTime::UNIX_EPOCH).expect("it is after 1970").as_secs_f64();
    let window = m.window.expect("it is known");
    // Unless the clock is set meanwhile.
    assert!((window.start - start - 0.1).abs() < 0.01 && window.seconds() > 0.0, "{start} and {window:?}");
    let past = Plan { start_at: Some(SystemTime::UNIX_EPOCH), ..plan(&server) };
    let before = server.connections();
    let error = engine::run(&past, &false.into(), None).expect_err("it has passed").to_string();
    assert!(error.contains("ms ago") && error.contains("choose a later --start-at"), "{error}");
    assert_eq!(server.connections(), before, "nothing connects");
}

#[test]
fn a_plan_has_a_connection_for_each_shard() {
    let server = Faulty::good();
    let shard = Shard::new(1, 3).expect("there is one");
    let error = Plan { shard, ..plan(&server) }.check().expect_err("there are two connections");
    assert!(error.contains("3 shards are more than the 2 --connections"), "{error}");
    let error = Plan { shard, connections: 3, ..plan(&server) }.with_subscribers(3).check();
    assert!(error.expect_err("it has no time").contains("--subscribe needs --start-at"));
}
