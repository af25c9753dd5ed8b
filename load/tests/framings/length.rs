use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use anyloop_load::engine;
use anyloop_load::framing::Framing;
use anyloop_load::plan::{Expect, Hostile, MessageHook, Messages, Plan, ReplyHook, Sizes};
use common::Address;
use common::Length;

use crate::{assert_good, own, run, serve};

/// The reply of a server to the message of this number.
type Answer = fn(u64, Vec<u8>) -> Vec<u8>;

/// A server that pushes each message to the connections that said `subscribe`, `push` with that of this number.
fn fanout(push: Answer) -> Address {
    let subscribers = Mutex::new(Vec::new());
    serve(move |mut socket| {
        loop {
            let message = receive(&mut socket)?;
            let mut subscribers = subscribers.lock().expect("nobody panics");
            match message == b"subscribe" {
                true => subscribers.push((socket.try_clone()?, 0)),
                false => subscribers.iter_mut().for_each(|(subscriber, count)| {
                    *count += 1;
                    // It may be gone.
                    let _ = subscriber.write_all(&frame(&push(*count - 1, message.clone())));
                }),
            }
            socket.write_all(&frame(b"ok"))?;
        }
    })
}

/// A server of length-prefixed messages, which sends a greeting if one is given.
fn server(greeting: Option<&'static [u8]>, answer: Answer) -> Address {
    serve(move |socket| converse(socket, greeting, answer))
}

fn converse(mut socket: TcpStream, greeting: Option<&[u8]>, answer: Answer) -> io::Result<()> {
    greeting.map_or(Ok(()), |greeting| socket.write_all(&frame(greeting)))?;
    for number in 0.. {
        let payload = receive(&mut socket)?;
        // In two pieces, so that replies are split.
        let reply = frame(&answer(number, payload));
        let (head, tail) = reply.split_at(reply.len() / 2);
        socket.write_all(head)?;
        socket.write_all(tail)?;
    }
    Ok(())
}

fn frame(payload: &[u8]) -> Vec<u8> {
    [&(payload.len() as u32).to_be_bytes()[..], payload].concat()
}

fn receive(socket: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    socket.read_exact(&mut length)?;
    let mut payload = vec![0; u32::from_be_bytes(length) as usize];
    socket.read_exact(&mut payload)?;
    Ok(payload)
}

fn framing() -> Framing {
    Framing::of("length", Length::new)
}

fn plan(address: Address) -> Plan {
    crate::plan(address, framing())
}

fn echo(_: u64, message: Vec<u8>) -> Vec<u8> {
    message
}

#[test]
fn a_correct_server_has_no_faults() {
    let address = server(None, echo);
    for sizes in [Sizes::Fixed(2), Sizes::Uniform(2, 5000), Sizes::List(vec![10, 16, 17, 200_000])] {
        assert_good(&run(&Plan { messages: Messages::Made(sizes), ..plan(address.clone()) }));
    }
}

#[test]
fn the_expected_replies_are_detected() {
    let ask = |address: &Address| engine::expectation(&plan(address.clone()), &AtomicBool::new(false));
    assert_eq!(ask(&server(None, echo)).expect("it is known"), Expect::Echo);
    let acknowledge: Answer = |_, _| b"17:ACK!".to_vec();
    let address = server(Some(b"Hello World!"), acknowledge);
    assert_eq!(ask(&address).expect("it is known"), Expect::Ack);
}

#[test]
fn a_greeting_does_not_count_as_a_reply() {
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
fn an_invalid_reply_ends_the_connection() {
    let address = server(None, |number, message| if number == 100 { vec![0; 2 << 20] } else { message });
    let m = run(&plan(address));
    assert_eq!(m.failures.ended, 2, "{:?}", m.failures);
    assert!(m.failures.examples[0].contains("ERR too-long"), "{:?}", m.failures);
}

#[test]
fn hostile_clients_use_the_same_framing() {
    let hostile = Hostile { idle: 1, slow_readers: 1, slow_writers: 1 };
    for messages in [Messages::default(), own(framing(), &["hello"])] {
        assert_good(&run(&Plan { hostile, messages, ..plan(server(None, echo)) }));
    }
}

#[test]
fn a_server_of_another_framing_is_told_by_its_own_words() {
    let address = serve(|mut socket| {
        socket.read_exact(&mut [0; 4])?;
        socket.write_all(b"ERR timeout message: no line end\n")
    });
    let m = run(&plan(address));
    let expected = ": the server says `ERR timeout message: no line end`, in another framing than that of the messages; \
                    say by --framing which one it has";
    assert_eq!(m.failures.ended, 2, "{m:?}");
    assert!(m.failures.examples.iter().all(|example| example.ends_with(expected)), "{:?}", m.failures);
}

#[test]
fn custom_messages_are_verified() {
    // The first one looks like the greeting, and all lengths differ.
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
        // The same with a server that echoes one message unchanged.
        let spoil: Answer =
            |number, message| if number == 3 { b"?".to_vec() } else { message.to_ascii_uppercase() };
        let m = run(&Plan { address: server(greeting, spoil), ..good.clone() });
        assert_eq!((m.verification.wrong, m.verification.bad()), (2, 2), "{}: {:?}", m.load, m.verification);
        // And with one that echoes them all.
        let echoed = Plan { address: server(greeting, echo), expect: Expect::Echo, ..good };
        if greeting.is_none() {
            assert_good(&run(&echoed));
        }
    }
}

#[test]
fn pushes_are_verified() {
    let address = fanout(|_, message| message);
    for sizes in [Sizes::Fixed(31), Sizes::Uniform(31, 5000), Sizes::Fixed(200_000)] {
        let plan = plan(address.clone()).with_subscribers(3);
        let m = run(&Plan { messages: Messages::Made(sizes), ..plan });
        assert_good(&m);
        let pushes = m.pushes.expect("there are subscribers");
        assert_eq!((pushes.delivered, pushes.bad()), (3 * m.verification.replies, 0), "{pushes:?}");
    }
    let cut: Answer = |number, message| message[usize::from(number == 0)..].to_vec();
    let m = run(&plan(fanout(cut)).with_subscribers(3));
    let pushes = m.pushes.expect("there are subscribers");
    assert_eq!((pushes.wrong, pushes.missed, pushes.bad()), (3, 3, 3), "{pushes:?}");
}
