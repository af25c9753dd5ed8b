//! The reply to a client at each limit, and how it is counted.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use crate::process::{BOUND, anyloop, run};
use crate::server::{STUCK, Server, backends, concurrent_backends, stuck};

/// Starts a server, has one client say something, and compares what it hears and the reason it is counted for.
#[track_caller]
fn check(flags: &str, sent: &str, expected: &str, reason: &str) {
    for backend in backends() {
        let server = Server::start(&format!("--backend {backend} {flags}"));
        let mut client = server.connect();
        client.say(sent);
        assert_eq!(client.hear_all(), format!("連接成功!\n{expected}\n"), "{backend}");
        drop(client);
        let ended = server.stop();
        assert_eq!(ended.receipt["reasons"][reason], 1, "{backend}: {}", ended.receipt);
        assert_eq!(ended.code, Some(0), "{backend}");
    }
}

#[test]
fn a_message_may_be_as_long_as_the_limit_and_no_longer() {
    let flags = "--max-message 8";
    check(flags, "12345678\n123456789\n", "第1條信息:12345678\nERR too-long max=8", "too_long");
}

#[test]
fn the_default_limit_is_64_kib() {
    check("", &"x".repeat(65_537), "ERR too-long max=65536", "too_long");
}

#[test]
fn a_message_has_to_be_ended_in_time() {
    check("--message-timeout 100ms", "x", "ERR timeout message: no line end", "message_timeout");
}

#[test]
fn an_idle_client_is_closed() {
    check("--idle-timeout 100ms", "", "ERR timeout idle", "idle_timeout");
}

#[test]
fn a_client_that_reads_no_reply_is_closed() {
    for backend in backends() {
        let flags = format!("--backend {backend} {STUCK} --write-timeout 100ms --log-level debug");
        let mut server = Server::start(&flags);
        let _client = stuck(&server);
        server.process.wait_for_log("reason=write_timeout");
        let ended = server.stop();
        assert_eq!(ended.receipt["reasons"]["write_timeout"], 1, "{backend}: {}", ended.receipt);
    }
}

#[test]
fn the_minimum_rate_is_set_by_a_flag() {
    let shown = |flags: &[&str]| {
        let ended = run(&mut anyloop(&[&["serve", "--show-config"], flags].concat()), "");
        let line = ended.stdout.lines().find(|line| line.starts_with("min-rate")).map(str::to_owned);
        line.unwrap_or_else(|| panic!("{ended:?}"))
    };
    assert_eq!(shown(&[]), "min-rate = 256");
    assert_eq!(shown(&["--min-rate", "4KiB"]), "min-rate = 4096 # --min-rate");
    assert_eq!(shown(&["--min-rate", "0"]), "min-rate = 0 # --min-rate");
}

#[test]
#[ignore = "takes 30 s: run by `.ci/full`, or with `--include-ignored`"]
fn a_client_that_reads_below_the_minimum_rate_is_closed() {
    thread::scope(|scope| {
        for backend in backends() {
            scope.spawn(move || {
                let flags = format!(
                    "--backend {backend} {STUCK} --write-timeout 1h --min-rate 64KiB --log-level debug"
                );
                let mut server = Server::start(&flags);
                let client = stuck(&server);
                let (ended, has_ended) = mpsc::channel::<()>();
                let reader = thread::spawn(move || {
                    // 8 KiB a second, far below the minimum.
                    while has_ended.recv_timeout(Duration::from_millis(125)) == Err(RecvTimeoutError::Timeout)
                    {
                        let _ = client.socket().read(&mut [0; 1024]);
                    }
                });
                server.process.wait_for_log("reason=write_timeout");
                drop(ended);
                reader.join().unwrap();
                assert_eq!(server.stop().receipt["reasons"]["write_timeout"], 1, "{backend}");
            });
        }
    });
}

#[test]
#[ignore = "takes 40 s: run by `.ci/full`, or with `--include-ignored`"]
fn a_client_that_reads_steadily_into_a_small_buffer_is_served() {
    thread::scope(|scope| {
        for backend in backends() {
            scope.spawn(move || {
                let server = Server::start(&format!("--backend {backend} {STUCK} --min-rate 0"));
                let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
                socket.set_recv_buffer_size(2304).unwrap(); // smaller than a segment on loopback
                socket.connect(&server.address.into()).unwrap();
                let mut client = TcpStream::from(socket);
                client.set_read_timeout(Some(BOUND)).unwrap();
                client.write_all(&vec![b'x'; 32 << 20]).unwrap();
                client.write_all(b"\n").unwrap();
                let until = Instant::now() + Duration::from_secs(40);
                while Instant::now() < until {
                    client.read_exact(&mut [0; 300]).unwrap_or_else(|error| panic!("{backend}: {error}"));
                    thread::sleep(Duration::from_millis(300));
                }
            });
        }
    });
}

#[test]
fn a_client_beyond_the_limit_is_refused() {
    for backend in concurrent_backends() {
        let server = Server::start(&format!("--backend {backend} --max-connections 2"));
        let mut clients = [server.connect(), server.connect()];
        clients.iter_mut().for_each(|client| assert_eq!(client.hear(), "連接成功!"));
        assert_eq!(server.connect().hear_all(), "ERR busy\n", "{backend}");
        clients[0].say("exit\n");
        assert_eq!(clients[0].hear_all(), "");
        assert_eq!(server.connect().hear(), "連接成功!", "{backend}");
        drop(clients);
        let ended = server.stop();
        assert_eq!(ended.receipt["refused"], 1, "{backend}");
        assert_eq!(ended.receipt["reasons"]["busy"], 1, "{backend}");
    }
}

#[test]
fn a_client_beyond_the_limit_is_queued() {
    for backend in backends() {
        // Where one client is all there can be, the others wait anyhow.
        let several = concurrent_backends().any(|several| several == backend);
        let one = if several { "--overload queue --max-connections 1" } else { "" };
        let server = Server::start(&format!("--backend {backend} {one}"));
        let mut first = server.connect();
        assert_eq!(first.hear(), "連接成功!");
        let mut second = server.connect();
        second.say("hello\n");
        first.say("exit\n");
        assert_eq!(first.hear_all(), "");
        assert_eq!(second.hear(), "連接成功!", "{backend}");
        assert_eq!(second.hear(), "第1條信息:hello", "{backend}");
        drop((first, second));
        assert_eq!(server.stop().receipt["refused"], 0, "{backend}");
    }
}

#[test]
fn a_message_of_any_allowed_length_is_answered() {
    let server = Server::start("--max-message 4MiB");
    let mut client = server.connect();
    let mut socket = client.socket().try_clone().unwrap();
    let writer = thread::spawn(move || {
        socket.set_write_timeout(Some(BOUND)).unwrap();
        socket.write_all(&[b"x".repeat(4 << 20), b"\n".to_vec()].concat()).unwrap();
    });
    assert_eq!(client.hear(), "連接成功!");
    assert_eq!(client.hear().len(), (4 << 20) + "第1條信息:".len());
    writer.join().unwrap();
}
