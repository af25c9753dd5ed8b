//! Proof that the measuring is right: against servers with a known fault, the fault is found.

mod faulty;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use faulty::Faulty;
use load::engine::{self, Progress};
use load::framing::Framing;
use load::measurement::Measurement;
use load::plan::{Arrivals, Expect, Hostile, Pace, Plan, Sizes};

const LAST: u64 = 200;

/// A plan for as long as it takes to see a fault.
fn plan(server: &Faulty) -> Plan {
    Plan {
        connections: 2,
        depth: 4,
        duration: Duration::from_millis(400),
        warmup: Duration::from_millis(100),
        patience: Duration::from_secs(2),
        ..Plan::new(server.address())
    }
}

fn run(plan: &Plan) -> Measurement {
    engine::run(plan, &AtomicBool::new(false), &|_| ()).expect("the load is made")
}

fn open(rate: f64) -> Pace {
    Pace::Open { rate, arrivals: Arrivals::Constant }
}

#[test]
fn a_good_server_is_found_good_in_every_way_of_loading_it() {
    let server = Faulty::good();
    for pace in [Pace::Closed, open(1000.0), Pace::Open { rate: 1000.0, arrivals: Arrivals::Poisson }] {
        for sizes in [Sizes::Fixed(2), Sizes::Uniform(2, 5000), Sizes::List(vec![16, 17, 18, 70_000])] {
            for messages_per_connection in [None, Some(3)] {
                for threads in [1, 2] {
                    let sizes = sizes.clone();
                    let duration = Duration::from_millis(150);
                    let plan =
                        Plan { pace, sizes, messages_per_connection, threads, duration, ..plan(&server) };
                    let m = run(&plan);
                    assert_eq!((m.verification.bad(), m.failures.ended), (0, 0), "{plan}: {m:?}");
                    assert!(m.verification.replies > 0, "{plan}");
                    assert!(messages_per_connection.is_some() || m.connect.count == 0, "{plan}");
                }
            }
        }
    }
}

#[test]
fn connections_are_made_anew_after_their_messages() {
    let server = Faulty::good();
    let m =
        run(&Plan { messages_per_connection: Some(3), duration: Duration::from_secs(1), ..plan(&server) });
    assert!(m.connect.count > 0 && server.connections() as u64 >= m.verification.replies / 3, "{m:?}");
    assert_eq!((m.verification.bad(), m.failures.connect + m.failures.ended), (0, 0), "{m:?}");
}

#[test]
fn a_lost_reply_is_found() {
    let m = run(&plan(&Faulty::each_connection(|replies, _| {
        if replies.count() == LAST {
            replies.skip();
        }
    })));
    assert_eq!(m.verification.lost, 2, "{m:?}");
    assert_eq!(m.verification.bad(), 2, "{m:?}");
}

#[test]
fn replies_that_all_stop_coming_are_lost() {
    let server = Faulty::each_connection(|replies, _| {
        if replies.count() >= LAST {
            replies.skip();
        }
    });
    let m = run(&Plan { depth: 1, ..plan(&server) });
    assert_eq!((m.verification.lost, m.verification.bad()), (2, 2), "{m:?}");
}

#[test]
fn a_doubled_reply_is_found() {
    let m = run(&plan(&Faulty::each_connection(|replies, line| {
        if replies.count() == LAST {
            replies.say(line);
        }
    })));
    assert_eq!((m.verification.doubled, m.verification.bad()), (2, 2), "{m:?}");
}

#[test]
fn reordered_replies_are_found() {
    let m = run(&plan(&Faulty::each_connection(|replies, line| {
        if replies.count() == LAST {
            replies.hold(line);
        }
    })));
    assert_eq!((m.verification.reordered, m.verification.bad()), (2, 2), "{m:?}");
}

#[test]
fn a_corrupted_reply_is_found_wherever_the_error_is() {
    for at in [0, 9, 20, 30] {
        let m = run(&plan(&Faulty::each_connection(move |replies, line| {
            if replies.count() == LAST {
                let mut line = line.to_vec();
                line[at] = b'#';
                replies.say(&line);
                replies.skip();
            }
        })));
        assert_eq!((m.verification.wrong, m.verification.bad()), (2, 2), "at {at}: {m:?}");
    }
}

#[test]
fn a_reply_of_another_length_is_found() {
    let m = run(&plan(&Faulty::each_connection(|replies, line| {
        if replies.count() == LAST {
            replies.say(&line[..line.len() - 1]);
            replies.skip();
        }
    })));
    assert_eq!((m.verification.wrong, m.verification.bad()), (2, 2), "{m:?}");
}

#[test]
fn a_foreign_reply_is_found() {
    let m = run(&plan(&Faulty::each_connection(|replies, line| {
        if replies.count() == LAST {
            let mut line = line.to_vec();
            line[8] = if line[8] == b'7' { b'8' } else { b'7' };
            replies.say(&line);
        }
    })));
    assert_eq!((m.verification.foreign, m.verification.bad()), (2, 2), "{m:?}");
    assert!(m.verification.examples[0].starts_with("foreign: connection "), "{m:?}");
}

#[test]
fn a_connection_that_is_ended_is_a_failure_and_no_loss() {
    let m = run(&plan(&Faulty::each_connection(|replies, _| {
        if replies.count() == LAST {
            replies.end();
        }
    })));
    assert_eq!((m.failures.ended, m.verification.bad()), (2, 0), "{m:?}");
    assert!(m.failures.unanswered >= 2, "{m:?}");
}

#[test]
fn a_stall_of_a_second_shows_in_the_latency_from_the_schedule() {
    let server = Faulty::each_connection(|replies, _| {
        if replies.count() == LAST {
            std::thread::sleep(Duration::from_secs(1));
        }
    });
    let plan = Plan {
        connections: 1,
        depth: 1,
        pace: open(500.0),
        duration: Duration::from_secs(3),
        ..plan(&server)
    };
    let m = run(&plan);
    // 500 messages come due within the second, a third of all; from the sending, only one took long.
    assert!(m.latency.percentile(99.0) > 900_000.0, "{:?}", m.latency.percentiles);
    assert!(m.latency.percentile(80.0) > 300_000.0, "{:?}", m.latency.percentiles);
    assert!(m.service.percentile(99.0) < m.latency.percentile(99.0) / 3.0, "{:?}", m.service.percentiles);
    assert!(m.send_lag.max > 900_000.0, "{:?}", m.send_lag.percentiles);
    assert_eq!(m.verification.bad(), 0);
}

#[test]
fn a_server_that_is_slower_than_the_offered_rate_is_overloaded() {
    let server = Faulty::each_connection(|_, _| std::thread::sleep(Duration::from_millis(5)));
    let m = run(&Plan { pace: open(2000.0), ..plan(&server) });
    assert!(m.is_overloaded(), "{} of {:?}", m.achieved_rate, m.offered_rate);
    assert!(load::export::table(&m).contains("OVERLOADED"));
    assert!(m.dropped > 0);
    assert_eq!(m.verification.bad(), 0);
}

#[test]
fn in_a_closed_loop_littles_law_holds() {
    let server = Faulty::each_connection(|_, _| std::thread::sleep(Duration::from_millis(1)));
    let m = run(&Plan { duration: Duration::from_secs(1), ..plan(&server) });
    let error = m.littles_error().expect("the loop is closed");
    assert!(error < 0.2, "{error} at {} /s and {} µs", m.achieved_rate, m.latency.mean);
}

#[test]
fn replies_of_the_built_in_handlers_are_known() {
    let counter = |greeting: &'static str, before: &'static str, behind: &'static str| {
        Faulty::greeting(greeting, move |replies, line| {
            let number = replies.count();
            replies.say(format!("{before}{number}{behind}{}", String::from_utf8_lossy(line)).as_bytes());
            replies.skip();
        })
    };
    for (expect, server) in [
        (Expect::Counter, counter("連接成功!", "第", "條信息:")),
        (Expect::CounterEnglish, counter("Connected!", "Message ", ": ")),
        (
            Expect::Ack,
            Faulty::greeting("Hello World!", |replies, _| {
                replies.say(b"417:ACK!");
                replies.skip();
            }),
        ),
        (Expect::Echo, Faulty::good()),
    ] {
        assert_eq!(engine::expectation(server.address(), Framing::Line).expect("it is known"), expect);
        let m = run(&Plan { expect, ..plan(&server) });
        assert_eq!(m.verification.bad(), 0, "{expect:?}: {m:?}");
        assert!(m.achieved_rate > 0.0);
    }
}

#[test]
fn any_line_will_do_where_that_was_said() {
    let server = Faulty::each_connection(|replies, _| {
        replies.say(b"+PONG");
        replies.skip();
    });
    let error = engine::expectation(server.address(), Framing::Line).expect_err("nobody knows this");
    assert!(error.to_string().contains("`+PONG`") && error.to_string().contains("--expect any"), "{error}");
    assert_eq!(run(&Plan { expect: Expect::Any, ..plan(&server) }).verification.bad(), 0);
    assert!(run(&plan(&server)).verification.wrong > 0);
}

#[test]
fn a_refusal_is_a_failed_connection() {
    let server = Faulty::greeting("ERR busy", |replies, _| replies.skip());
    let error = engine::expectation(server.address(), Framing::Line).expect_err("it refuses");
    assert!(error.to_string().contains("the server refuses: ERR busy"), "{error}");
}

#[test]
fn nobody_there_is_an_error_that_says_so() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    drop(listener);
    let error =
        engine::run(&Plan::new(address), &AtomicBool::new(false), &|_| ()).expect_err("nobody is there");
    assert!(error.to_string().contains(&format!("can't connect to {address}")), "{error}");
}

#[test]
fn hostile_clients_are_there_beside_the_measured_ones() {
    let server = Faulty::good();
    let hostile = Hostile { idle: 3, slow_readers: 2, slow_writers: 2 };
    let m = run(&Plan { hostile, ..plan(&server) });
    assert_eq!((m.connections, m.verification.bad()), (2, 0));
    assert_eq!(server.connections(), 9);
}

#[test]
fn an_interruption_leaves_what_there_is() {
    let server = Faulty::good();
    let stop = AtomicBool::new(false);
    let seen = Mutex::new(Progress::default());
    let plan = Plan { duration: Duration::from_secs(600), ..plan(&server) };
    let m = engine::run(&plan, &stop, &|progress| {
        if !progress.warming_up && progress.replies > 100 {
            stop.store(true, Ordering::Relaxed);
        }
        *seen.lock().expect("nobody panics") = progress;
    })
    .expect("the load is made");
    assert!(m.interrupted && m.seconds < 500.0 && m.verification.replies > 100, "{m:?}");
    assert_eq!(seen.into_inner().expect("nobody panics").total, plan.warmup + plan.duration);
}
