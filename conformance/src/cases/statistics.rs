//! Statistics of a server, while it runs and at its end.

use std::time::Duration;

use common::{CloseReason, Outcome, Overload};

use crate::gate::Gate;
use crate::handlers::{IntoService, Scripted};
use crate::subject::Subject;

/// A drain timeout that never expires.
const LONG: Duration = Duration::from_secs(3600);

pub(crate) fn statistics_are_current(subject: &Subject) {
    let server = subject.serve(Scripted::new().service());
    for before in 0..2 {
        let mut client = server.connect_greeted();
        server.wait_for_statistics("a client was greeted", |now| {
            (now.open(), now.accepted, now.messages) == (1, before + 1, 3 * before)
        });
        client.send("a\nb\n");
        client.expect_reply("1:a");
        client.expect_reply("2:b");
        server.wait_for_statistics("two messages were answered", |now| now.messages == 3 * before + 2);
        client.send("par");
        client.wait_until_read();
        let bytes_in = 13 * before + 7;
        server.wait_for_statistics("a part of a message was read", |now| now.bytes_in == bytes_in);
        client.send("t\npart");
        client.expect_reply("3:part");
        client.end_input();
        client.expect_last("ERR incomplete");
        server.wait_for_statistics("the client has left", |now| {
            (now.open(), now.reason(CloseReason::Incomplete)) == (0, before + 1)
        });
    }
}

pub(crate) fn statistics_count_each_byte(subject: &Subject) {
    let server = subject.serve(Scripted::new().service());
    let (mut sent, mut received) = (0, 0);
    for messages in ["a\nexit\n".into(), "b\n".repeat(5000), "big 1000000\n".repeat(3), "c\npart".into()] {
        let mut client = server.connect();
        client.send(&messages);
        client.end_input();
        sent += messages.len();
        received += client.read_to_end().len();
    }
    server.wait_for_statistics("every byte", |now| {
        (now.bytes_in, now.bytes_out) == (sent as u64, received as u64)
    });
    let report = server.stop();
    assert_eq!((report.bytes_in, report.bytes_out), (sent as u64, received as u64));
    assert_eq!(report.messages, 2 + 5000 + 3 + 1);
}

pub(crate) fn final_statistics_equal_the_report(subject: &Subject) {
    let script = Scripted::new();
    let log = script.log();
    let server = subject.serve(script.limited(|limits| {
        (limits.max_message, limits.drain_timeout) = (100, LONG);
        limits.overload = Overload::Queue;
    }));
    for messages in ["a\nexit\n".into(), "a\nb\npart".into(), "x".repeat(101), "a\npanic\n".into()] {
        let mut client = server.connect_greeted();
        client.send(messages);
        client.end_input();
        client.read_to_end();
    }
    server.connect_greeted().reset();
    log.wait_until(subject.timeout(), |sessions| sessions.closed.contains(&CloseReason::Lost));
    let mut last = server.connect_greeted();
    last.send("a\npart");
    last.expect_reply("1:a");
    last.wait_until_read();
    server.drain();
    last.expect_last("ERR shutting-down");
    drop(last);
    let (report, statistics) = server.report_and_statistics();
    assert_eq!(report, statistics);
    assert_eq!((report.accepted, report.open()), (6, 0));
}

pub(crate) fn statistics_count_refused_clients(subject: &Subject) {
    let server = subject.serve(Scripted::new().limited(|limits| limits.max_connections = 1));
    let mut client = server.connect_greeted();
    for _ in 0..3 {
        server.connect().expect_last("ERR busy");
    }
    server.wait_for_statistics("three clients were refused with an error reply", |now| {
        let received = "hello\n".len() + 3 * "ERR busy\n".len();
        (now.open(), now.outcome(Outcome::Refused), now.bytes_out) == (1, 3, received as u64)
    });
    client.send_message("exit");
    client.expect_end();
}

pub(crate) fn final_statistics_equal_the_report_when_cut_off(subject: &Subject) {
    let gate = Gate::default();
    let script = Scripted::new().blocking_at(&gate);
    let server = subject.serve(script.limited(|limits| limits.drain_timeout = Duration::from_millis(50)));
    let mut client = server.connect_greeted();
    client.send("a\n");
    client.expect_reply("1:a");
    client.send_message("wait");
    gate.wait_for(1, subject.timeout());
    server.drain();
    let (report, statistics) = server.report_and_statistics();
    assert_eq!(report, statistics);
    assert_eq!((report.reason(CloseReason::Cut), report.open(), report.messages), (1, 0, 1));
    assert_eq!((report.bytes_in, report.bytes_out), (7, 10));
    drop(gate);
}
