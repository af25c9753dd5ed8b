//! How a server ends: by a signal, by a second one, and with which code.

use std::io::Read;
use std::net::TcpListener;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::process::{Process, anyloop, through};
use crate::server::{Client, STUCK, Server, backends, command, stuck};

#[test]
fn a_signal_lets_the_clients_drain() {
    for backend in backends() {
        for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
            let server = Server::start(&format!("--backend {backend}"));
            let mut client = server.connect();
            client.say("hello\npart");
            assert_eq!((client.hear(), client.hear()), ("連接成功!".into(), "第1條信息:hello".into()));
            server.process.signal(signal);
            assert_eq!(client.hear_all(), "ERR shutting-down\n", "{backend}");
            drop(client);
            let ended = server.ended();
            assert_eq!(ended.code, Some(0), "{backend}: {}", ended.log);
            assert_eq!(ended.receipt["drained"], 1, "{backend}: {}", ended.receipt);
        }
    }
}

#[test]
fn clients_beyond_the_drain_timeout_are_cut_and_change_the_code() {
    for backend in backends() {
        let server = Server::start(&format!("--backend {backend} {STUCK} --drain-timeout 300ms"));
        let _client = stuck(&server);
        let ended = server.stop();
        assert_eq!(ended.code, Some(1), "{backend}: {}", ended.log);
        assert_eq!(ended.receipt["cut"], 1, "{backend}: {}", ended.receipt);
    }
}

/// A server on this backend with a client that is stuck in its drain, for as long as it takes.
fn draining(backend: &str) -> (Server, Client) {
    let flags = format!("--backend {backend} {STUCK} --drain-timeout 365d --write-timeout 365d --min-rate 0");
    let server = Server::start(&flags);
    let client = stuck(&server);
    (server, client)
}

#[test]
fn two_signals_at_once_are_one() {
    for backend in backends() {
        let (mut server, mut client) = draining(backend);
        signal_twice_at_once(&server.process);
        server.process.wait_for_log("still draining: this signal came within a second of the first");
        assert_eq!(client.hear_all().len(), 32 << 20, "{backend}: what it was owed, but for the first byte");
        drop(client);
        let ended = server.ended();
        assert_eq!(ended.code, Some(0), "{backend}: {}", ended.log);
        assert_eq!(ended.receipt["cut"], 0, "{backend}: {}", ended.receipt);
    }
}

/// Whatever the machine does meanwhile, there is no time between the two for a program that stands still.
fn signal_twice_at_once(process: &Process) {
    process.pause();
    process.signal(Signal::TERM);
    process.signal(Signal::INT);
    process.signal(Signal::CONT);
}

#[test]
fn two_signals_at_once_keep_the_results_of_a_load() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let flags =
        ["load", &address, "--expect", "any", "--connections", "1", "--duration", "1h", "--json", "-"];
    let mut load = Process::start(&mut anyloop(&flags));
    let (mut client, _) = listener.accept().unwrap();
    client.read_exact(&mut [0]).unwrap(); // it has begun
    signal_twice_at_once(&load);
    assert_eq!(load.line(), "{\n");
    drop(client);
    let ended = load.end();
    assert!(ended.stdout.contains("\"interrupted\": true"), "{ended:?}");
}

#[test]
fn a_second_signal_ends_at_once() {
    let mut all: Vec<_> = backends().map(|backend| (backend, draining(backend))).collect();
    for (_, (server, _)) in &mut all {
        server.process.signal(Signal::INT);
        server.process.wait_for_log("draining");
    }
    for (_, (server, _)) in &mut all {
        // Those that come within a second do nothing.
        while server.process.is_running() {
            server.process.signal(Signal::INT);
            thread::sleep(Duration::from_millis(20));
        }
    }
    for (backend, (server, _client)) in all {
        let ended = server.ended();
        assert_eq!(ended.code, Some(1), "{backend}: {}", ended.log);
        assert!(ended.log.contains("ending at once"), "{backend}: {}", ended.log);
        assert_eq!(ended.receipt["cut"], 1, "{backend}: {}", ended.receipt);
    }
}

#[test]
fn a_hangup_stays_ignored_if_it_was_before() {
    for backend in backends() {
        let mut command = through(&["nohup"], &command(&format!("--backend {backend}")));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let server = Server::start_as_is(&mut command);
        server.process.signal(Signal::HUP);
        let mut client = server.connect();
        client.say("hello\nexit\n");
        assert_eq!(client.hear_all(), "連接成功!\n第1條信息:hello\n", "{backend}");
        drop(client);
        let ended = server.stop();
        assert_eq!(ended.code, Some(0), "{backend}: {}", ended.log);
        assert!(!ended.log.contains("SIGHUP"), "{backend}: {}", ended.log);
        assert_eq!(ended.receipt["finished"], 1, "{backend}: {}", ended.receipt);
    }
}
