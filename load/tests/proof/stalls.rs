//! Servers that stall, freeze or fall behind: an open loop must show it, wherever it happens.

use std::thread;
use std::time::Duration;

use anyloop_load::measurement::{Measurement, Tick};
use anyloop_load::plan::{Arrivals, Dispatch, Pace, Plan};

use super::faulty::Faulty;
use super::{open, plan, run};

/// The number of the message before which one connection stalls.
const STALLED: u64 = 200;

/// A server that stalls on connections with such a digit for this time, before it answers the message of this number.
fn stalling(whom: impl Fn(u8) -> bool + Send + Sync + 'static, number: u64, time: Duration) -> Faulty {
    Faulty::each_connection(move |replies, line| {
        // The lowest digit of the connection's number follows the message's number.
        if replies.count() == number && whom(line[8]) {
            thread::sleep(time);
        }
    })
}

#[test]
fn a_stall_of_a_second_shows_in_the_latency_from_the_schedule() {
    let server = stalling(|_| true, STALLED, Duration::from_secs(1));
    let m = run(&Plan {
        connections: 1,
        depth: 1,
        pace: open(500.0),
        duration: Duration::from_secs(3),
        ..plan(&server)
    });
    // 500 messages are due within the second, a third of all; by service time, only one took long.
    assert!(m.latency.value_at(99.0) > 900_000.0, "{:?}", m.latency.percentiles);
    assert!(m.latency.value_at(80.0) > 300_000.0, "{:?}", m.latency.percentiles);
    assert!(m.service.value_at(99.0) < m.latency.value_at(99.0) / 3.0, "{:?}", m.service.percentiles);
    assert!(m.send_lag.value_at(99.0) < m.latency.value_at(99.0) / 3.0, "it was not the generator: {m:?}");
    assert_eq!((m.verification.bad(), m.unfinished), (0, 0));
}

/// Half of eight connections stall for a second.
fn half_stalls(dispatch: Dispatch) -> Measurement {
    let server = stalling(|digit| digit >= b'4', 50, Duration::from_secs(1));
    let pace = Pace::Open { rate: 800.0, arrivals: Arrivals::Constant, dispatch };
    let m = run(&Plan { connections: 8, depth: 1, pace, duration: Duration::from_secs(2), ..plan(&server) });
    assert_eq!((m.verification.bad(), m.dropped, m.unfinished), (0, 0, 0), "{m:?}");
    m
}

#[test]
fn messages_of_a_stalled_connection_wait_for_it() {
    // 4 of 8 connections stall for half of the time: a quarter of the messages waited.
    let m = half_stalls(Dispatch::Each);
    assert!(m.latency.value_at(85.0) > 250_000.0, "{:?}", m.latency.percentiles);
}

#[test]
fn a_shared_queue_avoids_stalled_connections() {
    let m = half_stalls(Dispatch::Any);
    assert!(m.latency.value_at(85.0) < 250_000.0, "{:?}", m.latency.percentiles);
    assert!(m.latency.max > 900_000.0, "{:?}", m.latency.percentiles);
}

/// One connection at 1000 messages in a second, for two seconds after a tenth of one.
fn to_the_end(server: &Faulty) -> Plan {
    Plan {
        connections: 1,
        pace: open(1000.0),
        duration: Duration::from_secs(2),
        reply_timeout: Duration::from_millis(900),
        ..plan(server)
    }
}

/// The number of the message that is due when 2 % of the time are left.
const NEAR_THE_END: u64 = 100 + 1960;

#[test]
fn a_freeze_shortly_before_the_end_shows_in_p99() {
    let m = run(&to_the_end(&stalling(|_| true, NEAR_THE_END, Duration::from_millis(500))));
    assert!(m.latency.percentile(99.0).is_some_and(|p99| p99 > 400_000.0), "{:?}", m.latency.percentiles);
    assert_eq!((m.verification.bad(), m.dropped, m.unfinished), (0, 0, 0), "{m:?}");
}

#[test]
fn a_freeze_without_end_counts_with_the_time_waited() {
    let m = run(&to_the_end(&stalling(|_| true, NEAR_THE_END, Duration::from_secs(30))));
    assert!(m.latency.percentile(99.0).is_some_and(|p99| p99 > 800_000.0), "{:?}", m.latency.percentiles);
    assert!((35..=45).contains(&m.unfinished), "those of the last 40 ms: {m:?}");
    assert_eq!((m.dropped, m.verification.lost > 0), (0, true), "{m:?}");
}

#[test]
fn messages_of_the_warm_up_are_not_counted() {
    // The backlog of a stall in the warm-up is answered in the measured time.
    let server = stalling(|_| true, 10, Duration::from_millis(600));
    let warmup = Duration::from_millis(300);
    let m = run(&Plan { connections: 1, depth: 1000, pace: open(1000.0), warmup, ..plan(&server) });
    let replies = (m.achieved_rate * m.seconds).round() as u64;
    assert!(m.verification.replies > 600, "those of the warm-up were verified: {m:?}");
    assert_eq!(m.offered_rate.map(|rate| (rate * m.seconds).round()), Some(400.0));
    assert_eq!((m.latency.count, m.service.count, m.send_lag.count), (400, 400, 400), "{m:?}");
    assert!(replies <= 400, "{replies} replies to 400 messages");
    assert!(m.timeline.iter().map(|tick| tick.replies).sum::<u64>() <= 400, "{m:?}");
}

#[test]
fn a_stall_shows_in_the_ticks_in_which_it_happened() {
    // The message that stalls is due 0.3 s after the warm-up.
    let server = stalling(|_| true, STALLED, Duration::from_millis(500));
    let duration = Duration::from_millis(1450);
    let m = run(&Plan { connections: 1, pace: open(500.0), duration, ..plan(&server) });
    let ticks = &m.timeline;
    assert_eq!(ticks.len(), 15, "{ticks:?}");
    assert!(ticks.iter().enumerate().all(|(index, tick)| tick.at == index as f64 / 10.0), "{ticks:?}");
    // No replies arrive, and the waiting messages have waited longer with each tick. The machine may add its own
    // stalls.
    let is_stalled = |ticks: &[Tick]| {
        ticks.iter().all(|tick| tick.replies == 0) && ticks.windows(2).all(|pair| pair[0].max < pair[1].max)
    };
    assert!(ticks.windows(4).any(is_stalled), "{ticks:?}");
    // Replies after the end are in no tick.
    let replies = ticks.iter().map(|tick| tick.replies).sum::<u64>();
    assert!(replies > 0 && replies <= m.latency.count, "{ticks:?}");
}

#[test]
fn a_server_that_is_slower_than_the_offered_rate_is_overloaded() {
    let server = Faulty::each_connection(|_, _| thread::sleep(Duration::from_millis(5)));
    for dispatch in [Dispatch::Each, Dispatch::Any] {
        let pace = Pace::Open { rate: 2000.0, arrivals: Arrivals::Constant, dispatch };
        let m = run(&Plan { pace, ..plan(&server) });
        assert!(m.is_overloaded() && !m.generator_limited, "{} of {:?}", m.achieved_rate, m.offered_rate);
        assert!(anyloop_load::export::table(&m).contains("OVERLOADED"));
        assert!(m.unfinished > 0, "{m:?}");
        assert_eq!(m.verification.bad(), 0);
    }
}

#[test]
fn a_long_warm_up_does_not_lower_the_rate_of_an_overloaded_server() {
    // It takes 5 ms for each message, so that those of the warm-up keep it busy for five times as long.
    let server = Faulty::each_connection(|_, _| thread::sleep(Duration::from_millis(5)));
    let m = run(&Plan {
        connections: 1,
        depth: 1,
        pace: open(1000.0),
        warmup: Duration::from_millis(500),
        duration: Duration::from_millis(500),
        ..plan(&server)
    });
    // One message was always in flight, however long each of them took.
    let in_flight = m.achieved_rate * m.service.mean / 1e6;
    assert!((0.7..1.1).contains(&in_flight), "{in_flight} in flight at {} /s", m.achieved_rate);
    assert!(m.is_overloaded() && m.unfinished > 0, "{m:?}");
}

#[test]
fn messages_of_an_ended_connection_are_not_sent_on_another() {
    let server = Faulty::each_connection(|replies, line| {
        if replies.count() == 50 && line[8] == b'0' {
            replies.end();
        }
    });
    let m = run(&Plan { pace: open(500.0), ..plan(&server) });
    let (offered, achieved) = (m.offered_rate.unwrap_or_default() * m.seconds, m.achieved_rate * m.seconds);
    assert_eq!((m.failures.ended, m.verification.bad()), (1, 0), "{m:?}");
    assert!(m.dropped > 0 && achieved + m.dropped as f64 <= offered + 1.0, "{m:?}");
}

#[test]
fn a_stall_that_ends_in_a_reset_shows_in_p99() {
    let server = Faulty::each_connection(|replies, _| {
        if replies.count() == STALLED {
            thread::sleep(Duration::from_millis(300));
            replies.end();
        }
    });
    let m =
        run(&Plan { connections: 1, pace: open(1000.0), duration: Duration::from_secs(1), ..plan(&server) });
    assert_eq!((m.failures.ended, m.verification.bad()), (1, 0), "{m:?}");
    assert!(m.latency.percentile(95.0).is_some_and(|p95| p95 > 200_000.0), "{:?}", m.latency.percentiles);
    assert!(m.unfinished >= 250, "those that were sent, and those that waited to be: {m:?}");
}

#[test]
fn a_thread_without_connections_drops_the_rest_of_its_schedule() {
    let server = Faulty::each_connection(|replies, line| {
        if replies.count() == 50 && line[8] == b'0' {
            replies.end();
        }
    });
    let m = run(&Plan { pace: open(1000.0), threads: 2, duration: Duration::from_secs(1), ..plan(&server) });
    assert_eq!((m.failures.ended, m.stopped_early.as_deref(), m.seconds), (1, None, 1.0), "{m:?}");
    assert!(m.dropped > 300, "{m:?}");
    assert!(m.offered_rate.is_some_and(|rate| (rate - 1000.0).abs() <= 2.0), "{m:?}");
}

#[test]
fn replies_of_an_overloaded_server_are_awaited_from_the_last_message() {
    // It takes 5 ms for each message and is sent 1000 per second, so that messages still wait at the end.
    let server = Faulty::each_connection(|_, _| thread::sleep(Duration::from_millis(5)));
    let m = run(&Plan {
        connections: 1,
        depth: 1,
        pace: open(1000.0),
        // Shorter than messages are sent after the end.
        reply_timeout: Duration::from_millis(900),
        ..plan(&server)
    });
    assert!(m.unfinished > 0, "it is overloaded: {m:?}");
    assert_eq!(m.verification.bad(), 0, "{m:?}");
}
