//! The log: it never holds up the server, and never ends it.

use std::fs::OpenOptions;
use std::process::{Command, Stdio};

use rustix::process::Signal;
use serde_json::Value;

use crate::process::through;
use crate::server::{Server, backends, command};

/// Serves a few clients, which are all logged about, and ends well.
fn check(command: &mut Command, clients: usize) {
    let server = Server::start_as_is(command.stdin(Stdio::null()).stdout(Stdio::piped()));
    for _ in 0..clients {
        let mut client = server.connect();
        client.say("exit\n");
        assert_eq!(client.hear_all(), "連接成功!\n");
    }
    let ended = server.stop();
    assert_eq!(ended.code, Some(0));
    assert_eq!(ended.receipt["finished"], clients);
}

#[test]
fn a_full_disk_does_not_matter() {
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    check(command("--log-level debug").stderr(full), 10);
}

#[test]
fn a_broken_log_pipe_does_not_matter() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    check(command("--log-level debug").stderr(writer), 10);
}

#[test]
fn a_closed_standard_error_does_not_matter() {
    let shell = ["sh", "-c", "exec \"$0\" \"$@\" 2>&-"];
    check(&mut through(&shell, &command("--log-level debug")), 10);
}

#[test]
fn a_blocked_log_does_not_block_the_server() {
    let (reader, writer) = std::io::pipe().unwrap();
    // More than the pipe and the queue hold together.
    check(command("--log-level debug").stderr(writer), 3000);
    drop(reader);
}

#[test]
fn json_logs_are_json() {
    let server = Server::start("--log-format json --log-level debug --backend async-std");
    server.connect().hear();
    let ended = server.stop();
    let events: Vec<Value> = ended.log.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let serving = events.iter().find(|event| event["message"] == "serving").unwrap();
    assert_eq!(serving["backend"], "async-std");
    assert_eq!(serving["max_message"], 65_536);
    assert!(events.iter().any(|event| event["level"] == "WARN" && event["why"].is_string()), "legacy");
    assert!(events.iter().any(|event| event["message"] == "ended" && event["accepted"] == 1));
}

#[test]
fn the_log_can_be_turned_off() {
    assert_eq!(Server::start("--log-level off").stop().log, "");
}

/// The next statistics that a server logs as JSON.
fn statistics(server: &mut Server) -> Value {
    serde_json::from_str(&server.process.wait_for_log(r#""message":"statistics""#)).unwrap()
}

#[test]
fn statistics_are_logged_at_an_interval() {
    let mut server = Server::start("--log-format json --stats 10ms");
    let mut client = server.connect();
    client.say("hello\n");
    client.hear();
    client.hear();
    let now = loop {
        let now = statistics(&mut server);
        if now["messages"] == 1 {
            break now;
        }
    };
    assert_eq!(
        (&now["open"], &now["accepted"], &now["finished"]),
        (&1.into(), &1.into(), &0.into()),
        "{now}"
    );
    let said = "連接成功!\n第1條信息:hello\n".len();
    assert_eq!((&now["bytes_in"], &now["bytes_out"]), (&6.into(), &said.into()), "{now}");
    client.say("exit\n");
    client.hear_all();
    while statistics(&mut server)["finished"] != 1 {}
    let ended = server.stop();
    assert!(ended.log.lines().last().unwrap().contains(r#""message":"ended""#), "{}", ended.log);
    assert_eq!(
        (&ended.receipt["open"], &ended.receipt["bytes_in"]),
        (&0.into(), &11.into()),
        "{}",
        ended.receipt
    );
}

#[test]
fn a_signal_logs_the_statistics_and_stops_nothing() {
    for backend in backends() {
        let mut server = Server::start(&format!("--backend {backend} --log-format json"));
        let mut client = server.connect();
        client.hear();
        // The statistics may be older than this client.
        loop {
            server.process.signal(Signal::USR1);
            if statistics(&mut server)["open"] == 1 {
                break;
            }
        }
        client.say("exit\n");
        assert_eq!(client.hear_all(), "", "{backend}");
        let ended = server.stop();
        assert_eq!(ended.code, Some(0), "{backend}: {}", ended.log);
    }
}

#[test]
fn statistics_are_not_logged_by_default() {
    for flags in ["", "--stats 0"] {
        let server = Server::start(flags);
        server.connect().hear();
        assert!(!server.stop().log.contains("statistics"), "{flags}");
    }
}
