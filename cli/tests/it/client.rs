//! The client at a pipe.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::thread::{self, JoinHandle};

use crate::process::{Process, anyloop, run, through};
use crate::server::Server;

/// A server for one client that runs the given function. Returns its address.
pub(crate) fn one_client(serve: impl FnOnce(TcpStream) + Send + 'static) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (address, thread::spawn(move || serve(listener.accept().unwrap().0)))
}

/// Output of a malicious server, and what a client shows of it.
pub(crate) const EVIL: [(&[u8], &str); 6] = [
    (b"\x1b]52;c;cm0gLXJmIH4=\x07", r"\x1b]52;c;cm0gLXJmIH4=\x07"),
    (b"\x1b[2J\x1b[H", r"\x1b[2J\x1b[H"),
    (b"\x1b]8;;http://evil.example\x1b\\ok", r"\x1b]8;;http://evil.example\x1b\ok"),
    ("\u{202e}gnp.exe\u{2066}".as_bytes(), r"\u{202e}gnp.exe\u{2066}"),
    ("\u{9b}31m\u{9d}0;x".as_bytes(), r"\u{9b}31m\u{9d}0;x"),
    (b"\x9b2J\xff\x08\x00\x7f", r"\x9b2J\xff\x08\x00\x7f"),
];

#[test]
fn many_large_lines_and_replies_do_not_deadlock() {
    let server = Server::start("--handler echo");
    for framing in ["line", "length"] {
        let server =
            if framing == "line" { &server } else { &Server::start("--handler echo --framing length") };
        let line = format!("{}\n", "你好 hello ".repeat(500));
        let input = line.repeat(3000);
        let ended =
            run(&mut anyloop(&["client", &server.address.to_string(), "--framing", framing]), input.clone());
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
        assert!(ended.stdout == input, "{framing}: {} of {} bytes", ended.stdout.len(), input.len());
    }
}

#[test]
fn each_line_is_sent_when_it_is_there() {
    let server = Server::start("");
    let mut client = Process::start(&mut anyloop(&["client", &server.address.to_string()]));
    assert_eq!(client.line(), "連接成功!\n");
    client.say("one\n");
    assert_eq!(client.line(), "第1條信息:one\n");
    client.say("two\r\nlast, without an end");
    assert_eq!(client.line(), "第2條信息:two\n");
    let ended = client.end();
    assert!(ended.stdout.ends_with("第3條信息:last, without an end\n"), "{}", ended.stdout);
    assert_eq!(ended.code, Some(0));
}

#[test]
fn it_ends_with_the_server_even_if_stdin_is_open() {
    let server = Server::start("");
    let mut client = Process::start(&mut anyloop(&["client", &server.address.to_string()]));
    client.say("hello\nexit\n");
    assert_eq!((client.line(), client.line()), ("連接成功!\n".into(), "第1條信息:hello\n".into()));
    assert_eq!(client.end_with_open_input().code, Some(0));
}

#[test]
fn a_pipe_gets_the_bytes_as_they_came() {
    let said = [EVIL.map(|(evil, _)| evil).concat(), b"a\tb\r\\c\xff".to_vec()].concat();
    let in_length = |bytes: &[u8]| [&(bytes.len() as u32).to_be_bytes(), bytes].concat();
    let with_line_ends = [b"one\ntwo\r\n\n", &said[..]].concat();
    for (framing, sent, expected) in [
        ("line", [&said[..], b"\r\n\n"].concat(), [&said[..], b"\r\n\n"].concat()),
        (
            "length",
            [in_length(&with_line_ends), in_length(b"")].concat(),
            [&with_line_ends[..], b"\n\n"].concat(),
        ),
        ("raw", said.clone(), [&said[..], b"\n"].concat()),
    ] {
        let (address, server) = one_client(move |mut socket| socket.write_all(&sent).unwrap());
        let mut command = anyloop(&["client", &address, "--framing", framing]);
        let output = command.stdin(Stdio::null()).output().unwrap();
        assert_eq!(output.stdout, expected, "{framing}: {output:?}");
        assert_eq!(output.status.code(), Some(0), "{framing}: {output:?}");
        server.join().unwrap();
    }
}

#[test]
fn a_reply_without_end_is_limited() {
    for (framing, start, expected) in [
        ("line", &b""[..], "a reply has not ended after 1MiB; write a larger --max-reply"),
        ("length", b"\x00\x20\x00\x00", "over the limit of 1MiB; write --max-reply 2097152 or more"),
        ("length", b"\xff\xff\xff\xff", "the server may not speak `length`, so choose another --framing"),
    ] {
        let (address, server) = one_client(move |mut socket| {
            let _ = socket.write_all(start);
            while socket.write_all(&[b'x'; 65_536]).is_ok() {}
        });
        let ended = run(&mut anyloop(&["client", &address, "--framing", framing, "--max-reply", "1MiB"]), "");
        assert_eq!(ended.code, Some(1));
        assert!(ended.stderr.contains(expected) && ended.stderr.lines().count() == 1, "{ended:?}");
        server.join().unwrap();
    }
}

#[test]
fn the_limit_that_a_reply_needs_is_enough() {
    let server = Server::start("--handler echo --framing length");
    let line = format!("{}\n", "x".repeat(1000));
    let client = |limit: &str| {
        let flags = ["client", &server.address.to_string(), "--framing", "length", "--max-reply", limit];
        run(&mut anyloop(&flags), line.clone())
    };
    let ended = client("999");
    assert!(ended.code == Some(1) && ended.stderr.contains("write --max-reply 1000 or more"), "{ended:?}");
    for limit in ["1000", "1001"] {
        let ended = client(limit);
        assert_eq!((ended.code, &ended.stdout), (Some(0), &line), "{limit}: {}", ended.stderr);
    }
}

#[test]
fn an_unwritable_stdout_is_a_failure_and_a_closed_one_is_not() {
    for (redirection, code, said) in [
        (">/dev/full", 1, "error: can't write to standard output: No space left on device"),
        (">/dev/full 2>&-", 1, ""),
        (">&-", 0, ""),
        (">/dev/null 2>&-", 0, ""),
    ] {
        for framing in ["line", "raw"] {
            let server = Server::start(&format!("--framing {framing}"));
            let command = anyloop(&["client", &server.address.to_string(), "--framing", framing]);
            let shell = ["sh", "-c", &format!("exec \"$0\" \"$@\" {redirection}")];
            let ended = run(&mut through(&shell, &command), "hello\nexit\n");
            assert_eq!(ended.code, Some(code), "{redirection} {framing}: {ended:?}");
            assert!(ended.stderr.starts_with(said), "{redirection} {framing}: {ended:?}");
        }
    }
}

#[test]
fn a_server_that_ends_within_a_reply_has_failed() {
    let (address, server) = one_client(|mut socket| socket.write_all(b"whole\npart").unwrap());
    let ended = run(&mut anyloop(&["client", &address]), "");
    assert_eq!(ended.stdout, "whole\npart\n");
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(1), "error: the server ended within a reply\n"));
    server.join().unwrap();
}

#[test]
fn a_refused_connection_is_reported_in_one_line() {
    // A port that was just free.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    for framing in ["line", "length", "raw"] {
        let ended = run(&mut anyloop(&["client", &address, "--framing", framing]), "hello\n");
        assert_eq!(ended.code, Some(1));
        assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
        assert!(ended.stderr.contains(&format!("no server answers at {address}")), "{}", ended.stderr);
    }
}

#[test]
fn a_lost_server_is_reported_in_one_line() {
    for framing in ["line", "raw"] {
        let (address, server) = one_client(|mut socket| {
            // What is unread when a socket is closed resets the connection.
            socket.write_all(b"hello\n").unwrap();
            let mut byte = [0];
            socket.read_exact(&mut byte).unwrap();
        });
        let mut client = Process::start(&mut anyloop(&["client", &address, "--framing", framing]));
        client.line();
        client.say("two bytes at least\n");
        let ended = client.end_with_open_input();
        assert_eq!(ended.code, Some(1), "{framing}: {ended:?}");
        assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
        assert!(ended.stderr.contains("the server has vanished"), "{}", ended.stderr);
        server.join().unwrap();
    }
}

#[test]
fn a_closed_stdout_is_no_failure_of_the_client() {
    let server = Server::start("--handler echo");
    let mut client = Process::start(&mut anyloop(&["client", &server.address.to_string()]));
    client.stop_listening();
    client.say_last(b"hello\n".repeat(1_000_000));
    let ended = client.end();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
}

#[test]
fn no_greeting_is_expected_in_raw() {
    let server = Server::start("--handler echo --framing raw");
    let ended =
        run(&mut anyloop(&["client", &server.address.to_string(), "--framing", "raw"]), "one\n\ntwo\n");
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "one\ntwo\n"));
}
