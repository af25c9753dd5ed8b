//! Proof that the measuring is right: against servers with a known fault, the fault is found. `tests/proof_unix.rs`
//! proves the same over Unix sockets.

mod connections;
mod faulty;
mod reconnecting;
mod refusals;
mod replies;
mod stale;
mod stalls;
mod threads;
pub(crate) mod transport;

use std::io;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Duration;

use anyloop_load::engine;
use anyloop_load::framing::Framing;
use anyloop_load::measurement::Measurement;
use anyloop_load::plan::{Arrivals, Dispatch, Expect, Messages, Pace, Plan, Sizes};
use faulty::Faulty;

/// Which message of a connection something is done wrong with.
const LAST: u64 = 50;

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
    engine::run(plan, &AtomicBool::new(false), None).expect("the load is made")
}

/// Asks a server what it says.
fn ask(server: &Faulty) -> io::Result<Expect> {
    engine::expectation(&server.address(), Framing::Line, &AtomicBool::new(false))
}

fn open(rate: f64) -> Pace {
    Pace::Open { rate, arrivals: Arrivals::Constant, dispatch: Dispatch::Each }
}

#[test]
fn a_good_server_is_found_good_in_every_way_of_loading_it() {
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
