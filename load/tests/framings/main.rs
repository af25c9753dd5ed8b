//! The generator in framings other than lines: with correct servers, and with servers that have a known fault.

mod http;
mod length;
mod resp;

use std::io;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Duration;

use anyloop_load::engine;
use anyloop_load::framing::Framing;
use anyloop_load::measurement::Measurement;
use anyloop_load::plan::{Messages, Plan};
use common::Address;

/// A server with a thread per client.
fn serve(converse: impl Fn(TcpStream) -> io::Result<()> + Send + Sync + 'static) -> Address {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    let converse = Arc::new(converse);
    thread::spawn(move || {
        for socket in listener.incoming().map_while(Result::ok) {
            let converse = Arc::clone(&converse);
            thread::spawn(move || socket.set_nodelay(true).and_then(|()| converse(socket)));
        }
    });
    address.into()
}

fn plan(address: Address, framing: Framing) -> Plan {
    Plan {
        connections: 2,
        depth: 4,
        duration: Duration::from_millis(200),
        warmup: Duration::from_millis(50),
        reply_timeout: Duration::from_secs(2),
        framing,
        ..Plan::new(address)
    }
}

/// These texts as messages.
fn own(framing: Framing, texts: &[&str]) -> Messages {
    Messages::Own(texts.iter().map(|text| framing.encode(text).expect("it is a message")).collect())
}

fn run(plan: &Plan) -> Measurement {
    engine::run(plan, &AtomicBool::new(false), None).expect("the load is made")
}

/// Checks that there were no problems.
fn assert_good(m: &Measurement) {
    let seen = (m.verification.bad(), m.failures.connections(), m.verification.refused);
    assert_eq!(seen, (0, 0, 0), "{}: {:?}, {:?}", m.load, m.verification, m.failures);
    assert!(m.verification.replies > 0, "{}", m.load);
}
