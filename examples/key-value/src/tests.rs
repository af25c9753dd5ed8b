use anyloop::testing::TestClient;
use anyloop::{CloseReason, Flow, Service};

use super::*;

/// The replies to a client that sends these pieces and then shuts down, and why the connection was closed.
fn converse(application: Arc<KeyValue>, max: usize, pieces: &[&[u8]]) -> (String, CloseReason) {
    let limits = Limits::default().with_max_message(max);
    let mut client = TestClient::connect(Service::new(application).with_limits(limits));
    pieces.iter().for_each(|piece| client.say(piece));
    client.end();
    (client.heard(), client.over().unwrap())
}

/// The replies to these lines.
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
        ("SET n 9223372036854775807\r\nINCR n\r\n", "+OK\r\n-ERR increment or decrement would overflow\r\n"),
        ("MSET a 1 b 2\r\nMGET a b c\r\n", "+OK\r\n*3\r\n$1\r\n1\r\n$1\r\n2\r\n$-1\r\n"),
        ("MSET a 1 b\r\n", "-ERR wrong number of arguments for 'mset' command\r\n"),
        ("GET\r\n", "-ERR wrong number of arguments for 'get' command\r\n"),
        ("SELECT 0\r\nSELECT 1\r\n", "+OK\r\n-ERR DB index is out of range; 0 is the only one\r\n"),
        ("CONFIG GET save\r\n", "*2\r\n$4\r\nsave\r\n$0\r\n\r\n"),
        ("INCRBY n 5\r\nINCRBY n -7\r\n", ":5\r\n:-2\r\n"),
        ("INCRBY n +5\r\n", "-ERR value is not an integer or out of range\r\n"),
        ("SET n 007\r\nINCR n\r\n", "+OK\r\n-ERR value is not an integer or out of range\r\n"),
        ("HELLO 4\r\n", "-NOPROTO unsupported protocol version; say 2 or 3\r\n"),
        ("CLIENT ID\r\nCLIENT SETNAME a\r\nCLIENT GETNAME\r\n", ":1\r\n+OK\r\n$1\r\na\r\n"),
        ("CLIENT SETINFO lib-name x\r\nCLIENT SETINFO LIB-VER 1\r\n", "+OK\r\n+OK\r\n"),
        ("CLIENT SETINFO name x\r\n", "-ERR Unrecognized option; say LIB-NAME or LIB-VER\r\n"),
        ("CLIENT KILL\r\n", "-ERR unknown subcommand 'KILL'. Try GETNAME, ID, SETINFO or SETNAME.\r\n"),
        ("COMMAND COUNT\r\n", ":18\r\n"),
        (
            "COMMAND INFO get no\r\n",
            "*2\r\n*6\r\n$3\r\nget\r\n:2\r\n*2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n$-1\r\n",
        ),
        ("SET \"a b\" 'c\\'d'\r\nGET \"a\\x20b\"\r\n", "+OK\r\n$3\r\nc'd\r\n"),
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
fn replies_do_not_depend_on_the_segmentation() {
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
fn errors_follow_the_protocol() {
    for (input, expected, reason) in [
        (&b"*1\r\n$4\r\nPI"[..], "-ERR incomplete\r\n", CloseReason::Incomplete),
        (
            b"*1\r\nPING\r\n",
            "-ERR Protocol error: expected '$' and the length of an argument\r\n",
            CloseReason::Malformed,
        ),
        (b"PING \"a\r\n", "-ERR Protocol error: unbalanced quotes in request\r\n", CloseReason::Malformed),
        (b"POST /\r\nPING\r\n", "", CloseReason::Malformed),
        (b"PING\r\nHost: a\r\nPING\r\n", "+PONG\r\n", CloseReason::Malformed),
        (b"PING\r\n\r", "+PONG\r\n", CloseReason::EndOfInput),
        (b"PING\r\n ", "+PONG\r\n-ERR incomplete\r\n", CloseReason::Incomplete),
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
    let application = Arc::new(KeyValue::new(100));
    assert_eq!(converse(Arc::clone(&application), 1000, &[b"SET k v\r\n"]).0, "+OK\r\n");
    assert_eq!(converse(Arc::clone(&application), 1000, &[b"GET k\r\n"]).0, "$1\r\nv\r\n");
    for command in ["SET other v\r\n", "MSET k w other v\r\n", "INCR n\r\n"] {
        assert!(
            converse(Arc::clone(&application), 1000, &[command.as_bytes()])
                .0
                .ends_with("-OOM the store is full; remove keys\r\n")
        );
    }
}

#[test]
fn imports_are_stored_and_errors_reported() {
    let store = Arc::new(KeyValue::new(200));
    assert_eq!(store.import("greeting hello, world\na 1\n"), Ok(()));
    assert_eq!(
        converse(Arc::clone(&store), 1000, &[b"MGET greeting a\r\n"]).0,
        "*2\r\n$12\r\nhello, world\r\n$1\r\n1\r\n"
    );
    for (text, expected) in [
        ("", "it is empty; write a key, a blank and a value on each line"),
        ("a 1\nb\n", "line 2 has no value; write a key, a blank and a value"),
        ("a 1\nb 2\n", "line 2 finds no room; allow more memory"),
    ] {
        assert_eq!(store.import(text), Err(expected.to_owned()));
    }
}

#[test]
fn an_empty_line_is_no_part_of_a_command() {
    let mut out = Outbox::new();
    let address = anyloop::Client::new(Address::Unknown);
    let mut client = KeyValue::default().open(address, &Limits::default(), &mut out);
    assert_eq!(client.receive(&mut b"\r".to_vec(), &mut out), Progress::More { used: 0, begun: false });
    assert_eq!(client.receive(&mut b"\r\n".to_vec(), &mut out), Progress::More { used: 2, begun: false });
    assert_eq!(
        client.receive(&mut b"\r\n*0\r\n \r\n".to_vec(), &mut out),
        Progress::More { used: 9, begun: false }
    );
    assert_eq!(client.receive(&mut b"\nP".to_vec(), &mut out), Progress::More { used: 1, begun: true });
}

#[test]
fn a_reply_over_the_limit_is_an_error_and_the_conversation_goes_on() {
    // The expected reply, and its length.
    for (command, length) in [
        ("ECHO abcdefghij", "$10\r\nabcdefghij\r\n".len()),
        ("GET k", "$10\r\nabcdefghij\r\n".len()),
        ("MGET k k none", 4 + 2 * "$10\r\nabcdefghij\r\n".len() + 5),
        ("COMMAND", say("COMMAND\r\n").len()),
        ("COMMAND DOCS", say("COMMAND DOCS\r\n").len()),
        ("COMMAND INFO get get get", say("COMMAND INFO get get get\r\n").len()),
        ("COMMAND DOCS get get", say("COMMAND DOCS get get\r\n").len()),
    ] {
        for (most, passes) in [(length + 1, true), (length, true), (length - 1, false)] {
            let application = Arc::default();
            converse(Arc::clone(&application), 1000, &[b"SET k abcdefghij\r\n"]);
            let mut out = Outbox::new();
            let limits = Limits::default().with_max_reply(most);
            let mut client = application.open(anyloop::Client::new(Address::Unknown), &limits, &mut out);
            let line = format!("{command}\r\n");
            let progress = client.receive(&mut line.as_bytes().to_vec(), &mut out);
            assert_eq!(progress, Progress::Message { used: line.len(), flow: Flow::Continue });
            let said = String::from_utf8_lossy(out.bytes());
            let error = format!(
                "-ERR the reply would be {length} bytes long, and may be {most}; ask for less at once\r\n"
            );
            assert_eq!(said == error, !passes, "{command} in {most}: {said}");
            assert!(!passes || said.len() == length, "{command} in {most}: {said}");
        }
    }
}

#[test]
fn a_name_has_a_limit() {
    for (length, passes) in [(255, true), (256, true), (257, false)] {
        let name = "n".repeat(length);
        for command in ["CLIENT SETNAME", "HELLO 2 SETNAME", "CLIENT SETINFO LIB-NAME"] {
            let said = say(&format!("{command} {name}\r\n"));
            let error = "-ERR a client's name may be 256 bytes long; say a shorter one\r\n";
            assert_eq!(said == error, !passes, "{command} {length}: {said}");
        }
    }
}
