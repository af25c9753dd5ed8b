use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::atomic::AtomicBool;

use anyloop_load::engine;
use anyloop_load::export::table;
use anyloop_load::framing::Framing;
use anyloop_load::plan::{Expect, MessageHook, Messages, Plan, ReplyHook, Sizes};
use common::Address;

use crate::{assert_good, own, run, serve};

/// A server for a small part of the Redis protocol, in pieces of this many bytes.
fn server(piece: usize) -> Address {
    serve(move |socket| converse(socket, piece))
}

fn converse(mut socket: TcpStream, piece: usize) -> io::Result<()> {
    let mut input = BufReader::new(socket.try_clone()?);
    loop {
        let words = command(&mut input)?;
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        let bulk = |text: &[u8]| [format!("${}\r\n", text.len()).as_bytes(), text, b"\r\n"].concat();
        let reply = match *words {
            [b"PING"] => b"+PONG\r\n".to_vec(),
            [b"ECHO", text] => bulk(text),
            [b"GET", b"large"] => bulk(&vec![b'x'; 3 << 20]),
            [b"GET", b"nothing"] => b"$-1\r\n".to_vec(),
            [b"MAP"] => b"%2\r\n+a\r\n*2\r\n:1\r\n_\r\n+b\r\n#t\r\n".to_vec(),
            [b"PUSH"] => b">2\r\n+message\r\n+hi\r\n+OK\r\n".to_vec(),
            [b"BROKEN"] => b"OK\r\n".to_vec(),
            _ => b"-ERR unknown command\r\n".to_vec(),
        };
        if words == [b"BUSY"] {
            return socket.write_all(b"-ERR max number of clients reached\r\n");
        }
        reply.chunks(piece).try_for_each(|piece| socket.write_all(piece))?;
    }
}

/// The words of the next command.
fn command(input: &mut impl BufRead) -> io::Result<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    for _ in 0..count_of(input)? {
        let mut word = vec![0; count_of(input)? + 2];
        input.read_exact(&mut word)?;
        word.truncate(word.len() - 2);
        words.push(word);
    }
    Ok(words)
}

/// The number after the first byte of a line.
fn count_of(input: &mut impl BufRead) -> io::Result<usize> {
    let mut line = String::new();
    input.read_line(&mut line)?;
    line.get(1..).and_then(|text| text.trim().parse().ok()).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn plan(address: Address) -> Plan {
    crate::plan(address, Framing::Resp)
}

#[test]
fn generated_messages_are_echoed_and_verified() {
    let address = server(7);
    assert_eq!(
        engine::expectation(
            &Plan { framing: Framing::Resp, ..Plan::new(address.clone()) },
            &AtomicBool::new(false)
        )
        .expect("it echoes"),
        Expect::Echo
    );
    for sizes in [Sizes::Fixed(32), Sizes::Uniform(2, 3000)] {
        assert_good(&run(&Plan { messages: Messages::Made(sizes), ..plan(address.clone()) }));
    }
}

#[test]
fn replies_of_all_types_answer_one_message_each() {
    let messages = own(Framing::Resp, &["PING", "ECHO \"a b\\x00\\r\\n\"", "GET nothing", "MAP", "PUSH"]);
    for piece in [1, 5, 1000] {
        assert_good(&run(&Plan { messages: messages.clone(), expect: Expect::Any, ..plan(server(piece)) }));
    }
}

#[test]
fn large_replies_need_many_reads() {
    let messages = own(Framing::Resp, &["GET large", "PING"]);
    assert_good(&run(&Plan { messages, expect: Expect::Any, ..plan(server(100_000)) }));
}

#[test]
fn hooks_write_and_verify_messages_in_wire_format() {
    let messages = MessageHook::new(|connection, number, buffer| {
        let text = format!("{connection}-{number}");
        write!(buffer, "*2\r\n$4\r\nECHO\r\n${}\r\n{text}\r\n", text.len()).expect("memory takes it");
    });
    let expect = ReplyHook::new(|message, reply| message.ends_with(reply) && reply.starts_with(b"$"));
    let expect = Expect::By(expect);
    let m = run(&Plan { messages: Messages::By(messages), expect, ..plan(server(3)) });
    assert_good(&m);
    assert!(table(&m).contains("verified, all as they should be"), "{}", table(&m));
}

#[test]
fn errors_are_refusals() {
    let messages = own(Framing::Resp, &["PING", "FROB"]);
    let m = run(&Plan { messages, expect: Expect::Any, ..plan(server(100)) });
    assert!((m.refused_share() - 0.5).abs() < 0.05, "{:?}", m.verification);
    assert_eq!(m.verification.refusal.as_deref(), Some("-ERR unknown command"));
    assert_eq!((m.verification.bad(), m.failures.connections()), (0, 0), "{:?}", m.verification);
}

#[test]
fn a_full_server_refuses_the_connection() {
    let messages = own(Framing::Resp, &["BUSY"]);
    let m = run(&Plan { messages, expect: Expect::Any, ..plan(server(100)) });
    assert_eq!((m.failures.ended, m.verification.refused), (2, 0), "{:?}", m.failures);
    assert!(m.failures.examples[0].contains("the server refuses: -ERR max number"), "{:?}", m.failures);
}

#[test]
fn an_invalid_reply_ends_the_connection() {
    let messages = own(Framing::Resp, &["PING", "BROKEN"]);
    let m = run(&Plan { messages, expect: Expect::Any, ..plan(server(100)) });
    assert_eq!((m.failures.ended, m.verification.bad()), (2, 0), "{:?}", m.failures);
    assert!(m.failures.examples[0].contains("`O` begins no reply"), "{:?}", m.failures);
}
