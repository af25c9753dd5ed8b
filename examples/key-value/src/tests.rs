use std::time::Instant;

use common::{CloseReason, Connection, Next, Service};

use super::*;

/// What a client is told who sends these pieces and then no more, and how the conversation ended.
fn converse(application: Arc<KeyValue>, max: usize, pieces: &[&[u8]]) -> (String, CloseReason) {
    let limits = Limits { max_message: max, ..Limits::default() };
    let service = Arc::new(Service::new(application).with_limits(limits));
    let (now, mut out, mut said) = (Instant::now(), Outbox::new(), Vec::new());
    let mut connection = Connection::new(service, ([127, 0, 0, 1], 1).into(), now);
    let mut pieces = pieces.iter();
    loop {
        match connection.what_now(&mut out) {
            Next::Run => connection.run(&mut out, || now),
            Next::Read => match pieces.next() {
                Some(piece) => connection.receive(piece, &mut out, || now),
                None => connection.end_of_input(&mut out, || now),
            },
            Next::Write => {
                let bytes = connection.output(&out).to_vec();
                said.extend_from_slice(&bytes);
                connection.wrote(bytes.len(), &mut out, now);
            }
            Next::Done(reason) => return (String::from_utf8(said).unwrap(), reason),
        }
    }
}

/// What is said to these lines.
fn say(lines: &str) -> String {
    converse(Arc::default(), 1000, &[lines.as_bytes()]).0
}

#[test]
fn every_command_is_answered() {
    for (lines, expected) in [
        ("PING\r\nping hello\r\n", "+PONG\r\n$5\r\nhello\r\n"),
        ("ECHO hi\r\n", "$2\r\nhi\r\n"),
        ("SET k v\r\nGET k\r\nGET none\r\n", "+OK\r\n$1\r\nv\r\n$-1\r\n"),
        ("SET k 1 XX\r\nSET k 2 nx\r\nSET k 3 NX\r\nGET k\r\n", "$-1\r\n+OK\r\n$-1\r\n$1\r\n2\r\n"),
        ("SET k v EX 10\r\n", "-ERR syntax error\r\n"),
        ("SET k v\r\nDEL k k none\r\nEXISTS k\r\n", "+OK\r\n:1\r\n:0\r\n"),
        ("SET a 1\r\nEXISTS a a b\r\nDBSIZE\r\n", "+OK\r\n:2\r\n:1\r\n"),
        ("INCR n\r\nINCR n\r\nGET n\r\n", ":1\r\n:2\r\n$1\r\n2\r\n"),
        ("SET n -1\r\nINCR n\r\n", "+OK\r\n:0\r\n"),
        ("SET n x\r\nINCR n\r\n", "+OK\r\n-ERR value is not an integer or out of range\r\n"),
        (
            "SET n 9223372036854775807\r\nINCR n\r\n",
            "+OK\r\n-ERR value is not an integer or out of range\r\n",
        ),
        ("MSET a 1 b 2\r\nMGET a b c\r\n", "+OK\r\n*3\r\n$1\r\n1\r\n$1\r\n2\r\n$-1\r\n"),
        ("MSET a 1 b\r\n", "-ERR wrong number of arguments for 'mset' command\r\n"),
        ("GET\r\n", "-ERR wrong number of arguments for 'get' command\r\n"),
        ("SELECT 0\r\nSELECT 1\r\n", "+OK\r\n-ERR DB index is out of range\r\n"),
        ("COMMAND DOCS\r\nCONFIG GET save\r\n", "*0\r\n*2\r\n$4\r\nsave\r\n$0\r\n\r\n"),
        ("HELLO 3\r\n", "-NOPROTO only version 2 of the protocol is spoken\r\n"),
        ("Fly to\x1bme\r\n", "-ERR unknown command 'Fly'\r\n"),
        ("\x1b[2J\r\n", "-ERR unknown command '\\x1b[2J'\r\n"),
    ] {
        assert_eq!(say(lines), expected, "{lines}");
    }
}

#[test]
fn quit_ends_the_conversation() {
    let (said, reason) = converse(Arc::default(), 1000, &[b"QUIT\r\nPING\r\n"]);
    assert_eq!((said.as_str(), reason), ("+OK\r\n", CloseReason::Exit));
}

#[test]
fn what_is_said_does_not_depend_on_how_it_comes() {
    let commands =
        b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4\r\na\r\nb\r\n\r\n\r\n*2\r\n$3\r\nget\r\n$1\r\nk\r\nPING\r\n";
    let expected = "+OK\r\n$4\r\na\r\nb\r\n+PONG\r\n";
    for split in 0..=commands.len() {
        let (said, reason) = converse(Arc::default(), 1000, &[&commands[..split], &commands[split..]]);
        assert_eq!((said.as_str(), reason), (expected, CloseReason::EndOfInput), "{split}");
    }
    let bytes: Vec<&[u8]> = commands.chunks(1).collect();
    assert_eq!(converse(Arc::default(), 1000, &bytes).0, expected);
}

#[test]
fn errors_are_told_in_the_protocols_way() {
    for (input, expected, reason) in [
        (&b"*1\r\n$4\r\nPI"[..], "-ERR incomplete\r\n", CloseReason::Incomplete),
        (b"*1\r\nPING\r\n", "-ERR malformed no length of an argument\r\n", CloseReason::Malformed),
        (b"SET k 12345678901\r\n", "-ERR too-long max=18\r\n", CloseReason::TooLong),
        (b"SET k 1234567890\r\n", "+OK\r\n", CloseReason::EndOfInput),
        (b"SET k 123456789\r\n", "+OK\r\n", CloseReason::EndOfInput),
    ] {
        let (said, why) = converse(Arc::default(), 18, &[input]);
        assert_eq!((said.as_str(), why), (expected, reason), "{input:?}");
    }
    let mut out = Outbox::new();
    KeyValue::default().refuse(&ErrorReply::Busy, &Limits::default(), &mut out);
    assert_eq!(out.bytes(), b"-ERR busy\r\n");
}

#[test]
fn clients_share_the_store_and_it_has_an_end() {
    let application = Arc::new(KeyValue { store: Arc::new(Store::with_room(100)) });
    assert_eq!(converse(Arc::clone(&application), 1000, &[b"SET k v\r\n"]).0, "+OK\r\n");
    assert_eq!(converse(Arc::clone(&application), 1000, &[b"GET k\r\n"]).0, "$1\r\nv\r\n");
    for command in ["SET other v\r\n", "MSET k w other v\r\n", "INCR n\r\n"] {
        assert!(
            converse(Arc::clone(&application), 1000, &[command.as_bytes()])
                .0
                .ends_with("-OOM the store is full\r\n")
        );
    }
}
