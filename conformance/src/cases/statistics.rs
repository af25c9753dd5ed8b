//! What a server has counted: at any time while it serves, and at its end.

use std::time::Duration;

use common::{CloseReason, Outcome, Overload};

use crate::gate::Gate;
use crate::handlers::Scripted;
use crate::subject::Subject;

/// A drain timeout that no case waits for.
const LONG: Duration = Duration::from_secs(3600);

pub(crate) fn statistics_tell_what_happens(subject: &Subject) {
    let server = subject.serve(Scripted::new().service());
    for before in 0..2 {
        let mut client = server.connect_greeted();
        server.has_counted("a client was greeted", |now| {
            (now.open(), now.accepted, now.messages) == (1, before + 1, 3 * before)
        });
        client.send("a\nb\n");
        client.hears("1:a");
        client.hears("2:b");
        server.has_counted("two messages were answered", |now| now.messages == 3 * before + 2);
        client.send("par");
        client.waits_for_reading();
        let bytes_in = 13 * before + 7;
        server.has_counted("a part of a message was read", |now| now.bytes_in == bytes_in);
        client.send("t\npart");
        client.hears("3:part");
        client.ends_input();
        client.hears_last("ERR incomplete");
        server.has_counted("the client has left", |now| {
            (now.open(), now.reason(CloseReason::Incomplete)) == (0, before + 1)
        });
    }
}

pub(crate) fn statistics_count_each_byte(subject: &Subject) {
    let server = subject.serve(Scripted::new().service());
    let (mut sent, mut heard) = (0, 0);
    for messages in ["a\nexit\n".into(), "b\n".repeat(5000), "big 1000000\n".repeat(3), "c\npart".into()] {
        let mut client = server.connect();
        client.send(&messages);
        client.ends_input();
        sent += messages.len();
        heard += client.hear_all().len();
    }
    server.has_counted("every byte", |now| (now.bytes_in, now.bytes_out) == (sent as u64, heard as u64));
    let report = server.stop();
    assert_eq!((report.bytes_in, report.bytes_out), (sent as u64, heard as u64));
    assert_eq!(report.messages, 2 + 5000 + 3 + 1);
}

pub(crate) fn statistics_become_the_report(subject: &Subject) {
    let script = Scripted::new();
    let journal = script.journal();
    let server = subject.serve(script.limited(|limits| {
        (limits.max_message, limits.drain_timeout) = (100, LONG);
        limits.overload = Overload::Queue;
    }));
    for messages in ["a\nexit\n".into(), "a\nb\npart".into(), "x".repeat(101), "a\npanic\n".into()] {
        let mut client = server.connect_greeted();
        client.send(messages);
        client.ends_input();
        client.hear_all();
    }
    server.connect_greeted().resets();
    journal.waits_until(subject.patience(), |entries| entries.closed.contains(&CloseReason::Lost));
    let mut last = server.connect_greeted();
    last.send("a\npart");
    last.hears("1:a");
    last.waits_for_reading();
    server.drain();
    last.hears_last("ERR shutting-down");
    drop(last);
    let (report, statistics) = server.report_and_statistics();
    assert_eq!(report, statistics);
    assert_eq!((report.accepted, report.open()), (6, 0));
}

pub(crate) fn statistics_count_who_is_refused(subject: &Subject) {
    let server = subject.serve(Scripted::new().limited(|limits| limits.max_connections = 1));
    let mut client = server.connect_greeted();
    for _ in 0..3 {
        server.connect().hears_last("ERR busy");
    }
    server.has_counted("three were refused, and told so", |now| {
        let heard = "hello\n".len() + 3 * "ERR busy\n".len();
        (now.open(), now.outcome(Outcome::Refused), now.bytes_out) == (1, 3, heard as u64)
    });
    client.say("exit");
    client.hears_end();
}

pub(crate) fn statistics_become_the_report_at_the_cut(subject: &Subject) {
    let gate = Gate::default();
    let script = Scripted::new().waiting_at(&gate);
    let server = subject.serve(script.limited(|limits| limits.drain_timeout = Duration::from_millis(50)));
    let mut client = server.connect_greeted();
    client.send("a\n");
    client.hears("1:a");
    client.say("wait");
    gate.waits_for(1, subject.patience());
    server.drain();
    let (report, statistics) = server.report_and_statistics();
    assert_eq!(report, statistics);
    assert_eq!((report.reason(CloseReason::Cut), report.open(), report.messages), (1, 0, 1));
    assert_eq!((report.bytes_in, report.bytes_out), (7, 10));
    drop(gate);
}
