//! PROXY headers: from a proxy, from somebody else, and from HAProxy.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use tempfile::tempdir;

use crate::haproxy::Haproxy;
use crate::process::{BOUND, Process, anyloop, run};
use crate::server::{Server, backends, command};

/// A header of version 2 with these bytes after its signature.
fn binary(rest: &[u8]) -> Vec<u8> {
    [&b"\r\n\r\n\0\r\nQUIT\n"[..], rest].concat()
}

/// All that a server says to a client that sends this and no more.
fn converse(mut socket: impl Read + Write, sent: &[u8], end: impl Fn()) -> String {
    socket.write_all(sent).unwrap();
    end();
    let mut heard = String::new();
    socket.read_to_string(&mut heard).unwrap();
    heard
}

fn say(server: &Server, sent: &[u8]) -> String {
    let socket = TcpStream::connect(server.address).unwrap();
    socket.set_read_timeout(Some(BOUND)).unwrap();
    converse(&socket, sent, || socket.shutdown(Shutdown::Write).unwrap())
}

/// The clients that the log names at its debug level.
fn clients(log: &str) -> Vec<&str> {
    let words = log.lines().filter(|line| line.contains(" ended ")).flat_map(str::split_whitespace);
    words.filter_map(|word| word.strip_prefix("client=")).collect()
}

#[test]
fn every_backend_takes_the_address_from_a_header() {
    for backend in backends() {
        let server = Server::start(&format!(
            "--backend {backend} --handler echo --proxy-from 10.0.0.0/8,127.0.0.1 --log-level debug"
        ));
        assert_eq!(
            say(&server, b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\none\n"),
            "one\n",
            "{backend}"
        );
        let v4 = b"\x21\x11\0\x0c\xc0\0\x02\x08\xc6\x33\x64\x01\x12\x67\x01\xbb";
        assert_eq!(say(&server, &[&binary(v4)[..], b"two\n"].concat()), "two\n", "{backend}");
        assert_eq!(say(&server, &[&binary(b"\x20\0\0\0")[..], b"three\n"].concat()), "three\n", "{backend}");
        assert_eq!(say(&server, b"PROXY UNKNOWN\r\nfour\n"), "four\n", "{backend}");
        assert_eq!(say(&server, b"five\n"), "ERR malformed PROXY header: there is none\n", "{backend}");
        assert_eq!(say(&server, b"PROXY TCP4 192.0.2.7"), "ERR incomplete\n", "{backend}");
        let ended = server.stop();
        assert_eq!(
            (&ended.receipt["messages"], &ended.receipt["failed"]),
            (&4.into(), &2.into()),
            "{backend}"
        );
        let clients = clients(&ended.log);
        for peer in ["192.0.2.7:4711", "192.0.2.8:4711"] {
            assert!(clients.contains(&peer), "{backend}: {clients:?}\n{}", ended.log);
        }
        assert!(ended.log.contains("a proxy has sent no valid PROXY header"), "{}", ended.log);
    }
}

#[test]
fn others_are_served_without_a_header() {
    for backend in backends() {
        let server = Server::start(&format!("--backend {backend} --proxy-from 10.0.0.0/8"));
        // They are greeted at once, since what they are is told by their address alone.
        let mut client = server.connect();
        assert_eq!(client.hear(), "連接成功!", "{backend}");
        client.say("exit\n");
        assert_eq!(client.hear_all(), "", "{backend}");
        drop(client);
        for header in [&b"PROXY TCP4 192.0.2.7 198.51.100.1 1 2\r\none\n"[..], &binary(b"\x20\0\0\0one\n")] {
            let expected = "連接成功!\nERR malformed PROXY header: it is not accepted from this address\n";
            assert_eq!(say(&server, header), expected, "{backend}");
        }
        let ended = server.stop();
        assert_eq!(ended.receipt["reasons"]["handshake_failed"], 2, "{backend}");
        assert!(
            ended.log.contains("an address that is no known proxy has sent a PROXY header"),
            "{}",
            ended.log
        );
    }
}

#[test]
fn without_the_flag_a_header_is_served_and_warned_about() {
    let server = Server::start("--handler echo");
    let header = "PROXY TCP4 192.0.2.7 198.51.100.1 1 2\r\n";
    assert_eq!(say(&server, header.as_bytes()), header.replace('\r', ""));
    assert_eq!(say(&server, b"PROXIES\n"), "PROXIES\n");
    let ended = server.stop();
    let warnings = ended.log.matches("a client has begun with a PROXY header").count();
    assert!(warnings == 1 && ended.log.contains("add --proxy-from with its address"), "{}", ended.log);
}

#[test]
fn clients_of_a_unix_socket_may_be_proxies() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("socket");
    let mut command = command(&format!("--listen unix:{} --handler echo --proxy-from unix", path.display()));
    let mut server =
        Process::start_as_is(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()));
    server.line();
    let socket = UnixStream::connect(&path).unwrap();
    socket.set_read_timeout(Some(BOUND)).unwrap();
    let header = b"PROXY TCP6 2001:db8::1 ::1 1 2\r\none\n";
    assert_eq!(converse(&socket, header, || socket.shutdown(Shutdown::Write).unwrap()), "one\n");
    server.signal(Signal::TERM);
    assert_eq!(server.end().code, Some(0));
}

#[test]
fn an_invalid_network_is_a_usage_error() {
    for (networks, expected) in [
        ("10.0.0.1/8", "has bits beyond its prefix; write 10.0.0.0/8"),
        ("proxy.example.org", "is no network; write one such as 10.0.0.0/8"),
    ] {
        let ended = run(&mut anyloop(&["serve", "--proxy-from", networks]), "");
        assert!(ended.code == Some(2) && ended.stderr.contains(expected), "{ended:?}");
    }
}

#[test]
fn a_header_that_trickles_is_timed_out() {
    let server = Server::start("--handler echo --proxy-from 127.0.0.1 --message-timeout 300ms");
    let socket = TcpStream::connect(server.address).unwrap();
    socket.set_read_timeout(Some(BOUND)).unwrap();
    let mut writer = socket.try_clone().unwrap();
    let trickle = thread::spawn(move || {
        // More time than the server gives, whatever it is busy with.
        while writer.write_all(b"\r").is_ok() && writer.flush().is_ok() {
            thread::sleep(Duration::from_millis(20));
        }
    });
    let mut heard = String::new();
    (&socket).read_to_string(&mut heard).unwrap();
    socket.shutdown(Shutdown::Both).unwrap();
    trickle.join().unwrap();
    assert!(heard.starts_with("ERR "), "{heard}");
    assert_eq!(server.stop().receipt["failed"], 1);
}

#[test]
fn haproxy_tells_the_address_of_its_client() {
    if !Haproxy::is_installed() {
        return;
    }
    let crc = "send-proxy-v2 proxy-v2-options crc32c,unique-id,authority";
    for options in [
        "send-proxy",
        "send-proxy-v2",
        crc,
        "send-proxy check inter 100ms",
        "send-proxy-v2 check inter 100ms",
    ] {
        let server = Server::start("--handler echo --proxy-from 127.0.0.1 --log-level debug");
        let haproxy = Haproxy::start(&[server.address], options);
        let socket = TcpStream::connect(&haproxy.address).unwrap();
        socket.set_read_timeout(Some(BOUND)).unwrap();
        let local = socket.local_addr().unwrap().to_string();
        assert_eq!(
            converse(&socket, b"one\n", || socket.shutdown(Shutdown::Write).unwrap()),
            "one\n",
            "{options}"
        );
        drop(haproxy);
        let ended = server.stop();
        assert!(clients(&ended.log).contains(&local.as_str()), "{options}: {local}\n{}", ended.log);
        // HAProxy resets the connections of its checks.
        let reasons = &ended.receipt["reasons"];
        assert_eq!(reasons.get("handshake_failed"), None, "{options}: {reasons}\n{}", ended.log);
    }
}
