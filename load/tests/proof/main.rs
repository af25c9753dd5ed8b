//! Tests of the measurement: a known fault of a server is detected. `tests/proof_unix.rs`
//! runs the same tests over Unix sockets.

mod connections;
mod faulty;
mod hostile;
mod pushes;
mod reconnecting;
mod refusals;
mod replies;
mod shards;
mod stale;
mod stalls;
mod threads;
pub(crate) mod transport;

use std::io;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Duration;

use anyloop_load::engine;
use anyloop_load::measurement::Measurement;
use anyloop_load::plan::{Arrivals, Dispatch, Expect, Messages, Pace, Plan, Sizes};
use faulty::Faulty;

/// The number of the message at which the fault occurs.
const LAST: u64 = 50;

/// A plan that is long enough to detect a fault.
fn plan(server: &Faulty) -> Plan {
    Plan {
        connections: 2,
        depth: 4,
        duration: Duration::from_millis(400),
        warmup: Duration::from_millis(100),
        reply_timeout: Duration::from_secs(2),
        ..Plan::new(server.address())
    }
}

fn run(plan: &Plan) -> Measurement {
    engine::run(plan, &AtomicBool::new(false), None).expect("the load is made")
}

/// Detects the replies of a server.
fn ask(server: &Faulty) -> io::Result<Expect> {
    engine::expectation(&Plan::new(server.address()), &AtomicBool::new(false))
}

fn open(rate: f64) -> Pace {
    Pace::Open { rate, arrivals: Arrivals::Constant, dispatch: Dispatch::Each }
}

#[test]
fn a_correct_server_has_no_faults_under_any_load() {
    let server = Faulty::good();
    for pace in [
        Pace::Closed,
        open(1000.0),
        Pace::Open { rate: 1000.0, arrivals: Arrivals::Poisson, dispatch: Dispatch::Each },
    ] {
        for sizes in [Sizes::Fixed(2), Sizes::Uniform(2, 5000), Sizes::List(vec![16, 17, 18, 70_000])] {
            for messages_per_connection in [None, Some(3)] {
                for threads in [1, 2] {
                    let messages = Messages::Made(sizes.clone());
                    let duration = Duration::from_millis(150);
                    let plan =
                        Plan { pace, messages, messages_per_connection, threads, duration, ..plan(&server) };
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
fn in_a_closed_loop_littles_law_holds() {
    let server = Faulty::each_connection(|_, _| thread::sleep(Duration::from_millis(1)));
    let m = run(&Plan { duration: Duration::from_secs(1), ..plan(&server) });
    let error = m.littles_error().expect("the loop is closed");
    assert!(error < 0.2, "{error} at {} /s and {} µs", m.achieved_rate, m.latency.mean);
}
