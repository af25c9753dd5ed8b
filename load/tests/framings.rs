//! The generator in other framings than lines: against a good server, and against one with a known fault.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Duration;

use common::Length;
use load::engine;
use load::framing::Framing;
use load::measurement::Measurement;
use load::plan::{Expect, Hostile, Messages, Plan, Sizes};

/// What a server says to the message of this number.
type Answer = fn(u64, Vec<u8>) -> Vec<u8>;

/// A server of messages that stand behind their length, which greets if there is a greeting.
fn server(greeting: Option<&'static [u8]>, answer: Answer) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    thread::spawn(move || {
        for socket in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || converse(socket, greeting, answer));
        }
    });
    address
}

fn converse(mut socket: TcpStream, greeting: Option<&[u8]>, answer: Answer) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let frame = |payload: &[u8]| [&(payload.len() as u32).to_be_bytes()[..], payload].concat();
    greeting.map_or(Ok(()), |greeting| socket.write_all(&frame(greeting)))?;
    for number in 0.. {
        let mut length = [0; 4];
        socket.read_exact(&mut length)?;
        let mut payload = vec![0; u32::from_be_bytes(length) as usize];
        socket.read_exact(&mut payload)?;
        // In two pieces, so that replies come apart.
        let reply = frame(&answer(number, payload));
        let (head, tail) = reply.split_at(reply.len() / 2);
        socket.write_all(head)?;
        socket.write_all(tail)?;
    }
    Ok(())
}

fn plan(address: SocketAddr) -> Plan {
    Plan {
        connections: 2,
        depth: 4,
        duration: Duration::from_millis(200),
        warmup: Duration::from_millis(50),
        patience: Duration::from_secs(2),
        framing: Framing::of::<Length>("length"),
        ..Plan::new(address)
    }
}

fn run(plan: &Plan) -> Measurement {
    engine::run(plan, &AtomicBool::new(false), None).expect("the load is made")
}

fn echo(_: u64, message: Vec<u8>) -> Vec<u8> {
    message
}

#[test]
fn a_good_server_is_found_good() {
    let address = server(None, echo);
    for sizes in [Sizes::Fixed(2), Sizes::Uniform(2, 5000), Sizes::List(vec![10, 16, 17, 200_000])] {
        let m = run(&Plan { messages: Messages::Made(sizes), ..plan(address) });
        assert_eq!((m.verification.bad(), m.failures.ended), (0, 0), "{m:?}");
        assert!(m.verification.replies > 0);
    }
}

#[test]
fn what_a_server_says_is_found_out() {
    let framing = Framing::of::<Length>("length");
    let ask = |address| engine::expectation(address, framing, &AtomicBool::new(false));
    assert_eq!(ask(server(None, echo)).expect("it is known"), Expect::Echo);
    let acknowledge: Answer = |_, _| b"17:ACK!".to_vec();
    let address = server(Some(b"Hello World!"), acknowledge);
    assert_eq!(ask(address).expect("it is known"), Expect::Ack);
}

#[test]
fn any_greeting_is_no_reply() {
    let address = server(Some(b"Good morning"), |number, _| number.to_string().into_bytes());
    let m = run(&Plan { expect: Expect::Greeted, ..plan(address) });
    assert_eq!(m.verification.bad(), 0, "{m:?}");
    assert!(m.verification.replies > 0);
}

#[test]
fn a_wrong_reply_is_found() {
    let spoil: Answer = |number, message| if number == 100 { b"?".to_vec() } else { message };
    let m = run(&plan(server(None, spoil)));
    assert_eq!(m.verification.wrong, 2, "one on each connection: {m:?}");
}

#[test]
fn a_reply_that_is_none_ends_the_connection() {
    let address = server(None, |number, message| if number == 100 { vec![0; 2 << 20] } else { message });
    let m = run(&plan(address));
    assert_eq!(m.failures.ended, 2, "{m:?}");
    assert!(m.failures.examples[0].contains("ERR too-long"), "{m:?}");
}

#[test]
fn hostile_clients_speak_the_same_framing() {
    let hostile = Hostile { idle: 1, slow_readers: 1, slow_writers: 1 };
    let m = run(&Plan { hostile, ..plan(server(None, echo)) });
    assert_eq!((m.verification.bad(), m.failures.ended), (0, 0), "{m:?}");
}
