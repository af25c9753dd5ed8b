//! A panic in a session ends only that session.

use common::{CloseReason, Overload};

use crate::cases::closing::cut_within_handlers;
use crate::cases::limits::assert_still_serves;
use crate::handlers::{Action, IntoService, Scripted, limited};
use crate::protocols::{Bytes, Callback};
use crate::server::Server;
use crate::subject::Subject;

pub(crate) fn panic_in_a_message(subject: &Subject) {
    for script in [Scripted::new(), Scripted::new().may_block()] {
        let server = subject.serve(script.service());
        let mut client = server.connect_greeted();
        client.send("a\npanic\nnever\n");
        client.expect_reply("1:a");
        client.expect_last("ERR internal");
        assert_still_serves(&server);
        assert_eq!(server.stop().reason(CloseReason::Panicked), 1);
    }
}

pub(crate) fn panic_in_open(subject: &Subject) {
    for script in [Scripted::new(), Scripted::new().may_block()] {
        let server = subject.serve(script.at_open(Action::Panic).service());
        for _ in 0..3 {
            server.connect().expect_last("ERR internal");
        }
        assert_eq!(server.stop().reason(CloseReason::Panicked), 3);
    }
}

pub(crate) fn panic_in_closed(subject: &Subject) {
    for script in [Scripted::new(), Scripted::new().may_block()] {
        let server = subject.serve(script.at_close(Action::Panic).service());
        for _ in 0..3 {
            assert_still_serves(&server);
        }
        assert_eq!(server.stop().reason(CloseReason::Exit), 3);
    }
}

pub(crate) fn panic_does_not_affect_other_clients(subject: &Subject) {
    let server = subject.serve(Scripted::new().service());
    let mut other = server.connect_greeted();
    for number in 1..=10 {
        let mut client = server.connect_greeted();
        client.send_message("panic");
        client.expect_last("ERR internal");
        other.send_message("message");
        other.expect_reply(format!("{number}:message"));
    }
}

pub(crate) fn a_thousand_panics(subject: &Subject) {
    // The limit is low, so that it would soon be reached if panicked sessions kept counting.
    let server = subject.serve(Scripted::new().limited(|limits| limits.max_connections = 4));
    for _ in 0..1000 {
        let mut client = server.connect();
        client.send_message("panic");
        client.expect_reply("hello");
        client.expect_last("ERR internal");
    }
    assert_still_serves(&server);
    let report = server.stop();
    assert_eq!((report.reason(CloseReason::Panicked), report.reason(CloseReason::Exit)), (1000, 1));
}

/// Checks that a client is greeted and answered.
fn assert_serves(server: &Server) {
    let mut client = server.connect_greeted();
    client.send("a");
    client.expect_reply("answer");
    client.end_input();
    client.expect_end();
}

pub(crate) fn panic_in_refuse(subject: &Subject) {
    let service = limited(Bytes::panicking_in(Callback::Refuse).service(), |limits| {
        limits.max_connections = 1;
        limits.overload = Overload::Refuse;
    });
    let server = subject.serve(service);
    let mut served = server.connect_greeted();
    for _ in 0..5 {
        server.connect().expect_end();
    }
    served.send("a");
    served.expect_reply("answer");
    served.end_input();
    served.expect_end();
    assert_serves(&server);
    assert_eq!(server.stop().reason(CloseReason::Busy), 5);
}

pub(crate) fn panic_in_open_and_refuse(subject: &Subject) {
    let server = subject.serve(Bytes::panicking_in(Callback::OpenAndRefuse).service());
    for _ in 0..20 {
        server.connect().expect_end();
    }
    assert_eq!(server.stop().reason(CloseReason::Panicked), 20);
}

pub(crate) fn panic_in_error(subject: &Subject) {
    let server = subject.serve(Bytes::panicking_in(Callback::Error).service());
    for _ in 0..3 {
        let mut client = server.connect_greeted();
        client.send(">");
        client.expect_end();
        assert_serves(&server);
    }
    assert_eq!(server.stop().reason(CloseReason::Panicked), 3);
}

pub(crate) fn panic_in_blocking(subject: &Subject) {
    let server = subject.serve(Bytes::panicking_in(Callback::Blocking).service());
    (0..3).for_each(|_| assert_serves(&server));
    assert_eq!(server.stop().reason(CloseReason::EndOfInput), 3);
}

pub(crate) fn panic_in_a_destructor(subject: &Subject) {
    let server = subject.serve(Bytes::panicking_in(Callback::Destructor).service());
    (0..3).for_each(|_| assert_serves(&server));
    let client = server.connect_greeted();
    server.stop_now();
    assert_eq!(server.report().reason(CloseReason::Cut), 1);
    drop(client);
}

pub(crate) fn panic_in_a_destructor_when_cut_off(subject: &Subject) {
    cut_within_handlers(subject, Scripted::blocking_at, Action::Panic);
}

pub(crate) fn invalid_progress_ends_only_that_conversation(subject: &Subject) {
    let server = subject.serve(Bytes::default().service());
    for claims in [">", ">>", "<", "<<"] {
        let mut client = server.connect_greeted();
        client.send(claims);
        client.expect_last("ERR internal");
        assert_serves(&server);
    }
    assert_eq!(server.stop().reason(CloseReason::Panicked), 4);
}
