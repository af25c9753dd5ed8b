use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::AtomicBool;

use anyloop_load::engine;
use anyloop_load::framing::Framing;
use anyloop_load::plan::{Expect, Hostile, MessageHook, Messages, Plan, ReplyHook, Sizes};
use common::Length;

use crate::{assert_good, own, run, serve};

/// What a server says to the message of this number.
type Answer = fn(u64, Vec<u8>) -> Vec<u8>;

/// A server of messages that stand behind their length, which greets if there is a greeting.
fn server(greeting: Option<&'static [u8]>, answer: Answer) -> SocketAddr {
    serve(move |socket| converse(socket, greeting, answer))
}

fn converse(mut socket: TcpStream, greeting: Option<&[u8]>, answer: Answer) -> io::Result<()> {
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

fn framing() -> Framing {
    Framing::of("length", Length::new)
}

fn plan(address: SocketAddr) -> Plan {
    crate::plan(address, framing())
}

fn echo(_: u64, message: Vec<u8>) -> Vec<u8> {
    message
}

#[test]
fn a_good_server_is_found_good() {
    let address = server(None, echo);
    for sizes in [Sizes::Fixed(2), Sizes::Uniform(2, 5000), Sizes::List(vec![10, 16, 17, 200_000])] {
        assert_good(&run(&Plan { messages: Messages::Made(sizes), ..plan(address) }));
    }
}

#[test]
fn the_expected_replies_are_detected() {
    let ask = |address| engine::expectation(address, framing(), &AtomicBool::new(false));
    assert_eq!(ask(server(None, echo)).expect("it is known"), Expect::Echo);
    let acknowledge: Answer = |_, _| b"17:ACK!".to_vec();
    let address = server(Some(b"Hello World!"), acknowledge);
    assert_eq!(ask(address).expect("it is known"), Expect::Ack);
}

#[test]
fn any_greeting_is_no_reply() {
    let address = server(Some(b"Good morning"), |number, _| number.to_string().into_bytes());
    assert_good(&run(&Plan { expect: Expect::Greeted, ..plan(address) }));
}

#[test]
fn a_wrong_reply_is_found() {
    let spoil: Answer = |number, message| if number == 100 { b"?".to_vec() } else { message };
    let m = run(&plan(server(None, spoil)));
    assert_eq!(m.verification.wrong, 2, "one on each connection: {:?}", m.verification);
}

#[test]
fn a_reply_that_is_none_ends_the_connection() {
    let address = server(None, |number, message| if number == 100 { vec![0; 2 << 20] } else { message });
    let m = run(&plan(address));
    assert_eq!(m.failures.ended, 2, "{:?}", m.failures);
    assert!(m.failures.examples[0].contains("ERR too-long"), "{:?}", m.failures);
}

#[test]
fn hostile_clients_speak_the_same_framing() {
    let hostile = Hostile { idle: 1, slow_readers: 1, slow_writers: 1 };
    for messages in [Messages::default(), own(framing(), &["hello"])] {
        assert_good(&run(&Plan { hostile, messages, ..plan(server(None, echo)) }));
    }
}

#[test]
fn own_messages_are_verified_as_one_says() {
    // The first in the greeting's way, and none of them as long as another.
    let hook = MessageHook::new(|connection, number, buffer| {
        write!(buffer, "{connection}:{}", "x".repeat(number as usize % 1000)).expect("memory takes it");
    });
    let judge = || ReplyHook::new(|message, reply| reply == message.to_ascii_uppercase());
    let shout: Answer = |_, message| message.to_ascii_uppercase();
    for (messages, greeting) in [
        (own(framing(), &["one", "", "three"]), None),
        (Messages::By(hook.clone()), None),
        (Messages::By(hook), Some(&b"HELLO"[..])),
        (Messages::Made(Sizes::Uniform(2, 100)), None),
    ] {
        let judge = if greeting.is_some() { judge().greeted() } else { judge() };
        let expect = Expect::By(judge);
        let good = Plan { messages, expect, ..plan(server(greeting, shout)) };
        assert_good(&run(&good));
        // The same of a server that says one message back as it was.
        let spoil: Answer =
            |number, message| if number == 3 { b"?".to_vec() } else { message.to_ascii_uppercase() };
        let m = run(&Plan { address: server(greeting, spoil), ..good.clone() });
        assert_eq!((m.verification.wrong, m.verification.bad()), (2, 2), "{}: {:?}", m.load, m.verification);
        // And of one that says them back as they were.
        let echoed = Plan { address: server(greeting, echo), expect: Expect::Echo, ..good };
        if greeting.is_none() {
            assert_good(&run(&echoed));
        }
    }
}
