//! Conversations that a client reports as failed: there was no server, or messages stayed unanswered.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use crate::client::one_client;
use crate::process::{Ended, Process, anyloop, run};
use crate::server::Server;

const FRAMINGS: [&str; 3] = ["line", "length", "raw"];

#[track_caller]
fn check(ended: &Ended, code: i32, stderr: &str) {
    let expected = if stderr.is_empty() { String::new() } else { format!("{stderr}\n") };
    assert_eq!((ended.code, &ended.stderr), (Some(code), &expected), "{ended:?}");
}

/// Hears everything, so that the end of the conversation is no reset.
fn end_after_all(mut socket: &TcpStream) {
    socket.shutdown(Shutdown::Write).unwrap();
    socket.read_to_end(&mut Vec::new()).unwrap();
}

#[test]
fn a_server_that_ends_without_a_byte_is_reported_as_absent() {
    for framing in FRAMINGS {
        for input in ["", "hello\n", "exit\n"] {
            let (address, server) = one_client(|socket| end_after_all(&socket));
            let ended = run(&mut anyloop(&["client", &address, "--framing", framing]), input);
            check(&ended, 1, "error: the server has ended the conversation without any reply");
            server.join().unwrap();
        }
    }
}

/// Sends a greeting, answers each line until one is `last`, and then closes without a reply to that and to this number
/// of further lines.
fn ends_on(last: &'static str, more: usize) -> impl FnOnce(TcpStream) + Send {
    move |mut socket| {
        socket.write_all(b"hello\n").unwrap();
        let mut lines = BufReader::new(socket.try_clone().unwrap()).lines();
        while let Some(Ok(line)) = lines.next().filter(|line| line.as_ref().is_ok_and(|line| line != last)) {
            socket.write_all(format!("{line}\n").as_bytes()).unwrap();
        }
        assert_eq!(lines.by_ref().take(more).count(), more);
        end_after_all(&socket);
    }
}

#[test]
fn one_message_may_end_a_conversation_without_a_reply() {
    let note = "warning: the server has ended the conversation without a reply to the last message";
    for (last, more, rest, code, stderr) in [
        ("exit", 0, "exit\n", 0, ""),
        ("bye", 0, "bye\n", 0, note),
        (
            "b",
            1,
            "b\nexit\n",
            1,
            "error: the server has ended the conversation without a reply to the last 2 messages",
        ),
        (
            "b",
            2,
            "b\nc\nd\n",
            1,
            "error: the server has ended the conversation without a reply to the last 3 messages",
        ),
    ] {
        let (address, server) = one_client(ends_on(last, more));
        let mut client = Process::start(&mut anyloop(&["client", &address]));
        client.say("a\n");
        assert_eq!((client.line(), client.line()), ("hello\n".into(), "a\n".into()));
        client.say(rest);
        check(&client.end(), code, stderr);
        server.join().unwrap();
    }
}

#[test]
fn in_raw_one_message_may_end_it_as_well() {
    for (last, stderr) in [
        ("exit", ""),
        ("bye", "warning: the server has ended the conversation without a reply to the last message"),
    ] {
        let (address, server) = one_client(move |mut socket| {
            socket.write_all(b"hello").unwrap();
            socket.read_exact(&mut vec![0; last.len()]).unwrap();
            end_after_all(&socket);
        });
        check(&run(&mut anyloop(&["client", &address, "--framing", "raw"]), last), 0, stderr);
        server.join().unwrap();
    }
}

#[test]
fn messages_that_the_server_does_not_take_are_a_failure() {
    let (address, server) = one_client(|mut socket| {
        socket.write_all(b"hello\n").unwrap();
        socket.read_exact(&mut [0; 100]).unwrap();
    });
    let ended = run(&mut anyloop(&["client", &address]), "x\n".repeat(10_000_000));
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.starts_with("error: the server has "), "{ended:?}");
    server.join().unwrap();
}

#[test]
fn an_error_for_the_last_reply_is_a_failure_that_names_it() {
    for framing in FRAMINGS {
        let server = Server::start(&format!("--framing {framing} --max-connections 1"));
        let held = server.connect();
        let client = |input: &str| {
            run(&mut anyloop(&["client", &server.address.to_string(), "--framing", framing]), input)
        };
        for input in ["", "hello\nexit\n"] {
            let ended = client(input);
            check(&ended, 1, "error: the server has ended the conversation: ERR busy");
            assert_eq!(ended.stdout, "ERR busy\n", "{framing}");
        }
        drop(held);
    }
    // One that the conversation goes on after is none.
    let server = Server::start("--max-message 8");
    let client = |input: &[u8]| run(&mut anyloop(&["client", &server.address.to_string()]), input.to_vec());
    check(&client(b"\xff\nhello\n"), 0, "");
    check(
        &client(b"hello\n123456789\n"),
        1,
        "error: the server has ended the conversation: ERR too-long max=8",
    );
}

#[test]
fn a_stopping_server_is_a_failure_in_the_middle_of_a_conversation() {
    let server = Server::start("--idle-timeout 50ms");
    let client = Process::start(&mut anyloop(&["client", &server.address.to_string()]));
    check(&client.end_with_open_input(), 1, "error: the server has ended the conversation: ERR timeout idle");
}

#[test]
fn a_silent_server_is_left_after_a_timeout() {
    let stderr = "error: the server has sent nothing for 100ms, and has not ended; raise --reply-timeout, or write 0 to \
                  wait forever";
    for framing in FRAMINGS {
        let (leave, left) = channel::<()>();
        let (address, server) = one_client(move |mut socket| {
            socket.write_all(if framing == "length" { b"\0\0\0\x02hi" } else { b"hi\n" }).unwrap();
            let _ = left.recv();
        });
        let flags = ["client", &address, "--framing", framing, "--reply-timeout", "100ms"];
        let ended = run(&mut anyloop(&flags), "hello\n");
        check(&ended, 1, stderr);
        assert!(ended.stdout.starts_with("hi\n"), "{ended:?}");
        drop(leave);
        server.join().unwrap();
    }
}

#[test]
fn a_server_that_neither_reads_nor_writes_is_left_after_a_timeout() {
    let (leave, left) = channel::<()>();
    let (address, server) = one_client(move |_socket| assert!(left.recv().is_err()));
    let flags = ["client", &address, "--reply-timeout", "100ms"];
    let ended = run(&mut anyloop(&flags), "x\n".repeat(10_000_000));
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.starts_with("error: the server has sent nothing for 100ms"), "{ended:?}");
    drop(leave);
    server.join().unwrap();
}

#[test]
fn the_timeout_limits_silence_and_not_the_conversation() {
    for timeout in ["3s", "0"] {
        let (address, server) = one_client(|mut socket| {
            for _ in 0..4 {
                thread::sleep(Duration::from_millis(800));
                socket.write_all(b"x\n").unwrap();
            }
            end_after_all(&socket);
        });
        let ended = run(&mut anyloop(&["client", &address, "--reply-timeout", timeout]), "hello\n");
        check(&ended, 0, "");
        assert_eq!(ended.stdout, "x\n".repeat(4), "{timeout}");
        server.join().unwrap();
    }
}

#[test]
fn there_is_no_timeout_while_stdin_is_open() {
    let (go_on, goes_on) = channel::<()>();
    let (address, server) = one_client(move |mut socket| {
        goes_on.recv().unwrap();
        socket.write_all(b"late\n").unwrap();
        end_after_all(&socket);
    });
    let mut client = Process::start(&mut anyloop(&["client", &address, "--reply-timeout", "1ms"]));
    client.say("hello\n");
    thread::sleep(Duration::from_millis(100)); // a hundred times as long
    go_on.send(()).unwrap();
    assert_eq!(client.line(), "late\n");
    check(&client.end_with_open_input(), 0, "");
    server.join().unwrap();
}
