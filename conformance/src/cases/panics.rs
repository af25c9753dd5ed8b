//! A panic in a session ends that session alone.

use common::{CloseReason, Overload};

use crate::cases::closing::cut_within_handlers;
use crate::cases::limits::goes_on;
use crate::handlers::{Act, Scripted, limited};
use crate::protocols::{Bytes, Place};
use crate::server::Server;
use crate::subject::Subject;

pub(crate) fn panic_in_a_message(subject: &Subject) {
    for script in [Scripted::new(), Scripted::new().may_block()] {
        let server = subject.serve(script.service());
        let mut client = server.connect_greeted();
        client.send("a\npanic\nnever\n");
        client.hears("1:a");
        client.hears_last("ERR internal");
        goes_on(&server);
        assert_eq!(server.stop().reason(CloseReason::Panicked), 1);
    }
}

pub(crate) fn panic_in_open(subject: &Subject) {
    for script in [Scripted::new(), Scripted::new().may_block()] {
        let server = subject.serve(script.at_open(Act::Panic).service());
        for _ in 0..3 {
            server.connect().hears_last("ERR internal");
        }
        assert_eq!(server.stop().reason(CloseReason::Panicked), 3);
    }
}

pub(crate) fn panic_in_closed(subject: &Subject) {
    for script in [Scripted::new(), Scripted::new().may_block()] {
        let server = subject.serve(script.at_close(Act::Panic).service());
        for _ in 0..3 {
            goes_on(&server);
        }
        assert_eq!(server.stop().reason(CloseReason::Exit), 3);
    }
}

pub(crate) fn panic_beside_others(subject: &Subject) {
    let server = subject.serve(Scripted::new().service());
    let mut other = server.connect_greeted();
    for number in 1..=10 {
        let mut client = server.connect_greeted();
        client.say("panic");
        client.hears_last("ERR internal");
        other.say("well");
        other.hears(format!("{number}:well"));
    }
}

pub(crate) fn a_thousand_panics(subject: &Subject) {
    // So few places that they would soon run out if a panic kept one.
    let server = subject.serve(Scripted::new().limited(|limits| limits.max_connections = 4));
    for _ in 0..1000 {
        let mut client = server.connect();
        client.say("panic");
        client.hears("hello");
        client.hears_last("ERR internal");
    }
    goes_on(&server);
    let report = server.stop();
    assert_eq!((report.reason(CloseReason::Panicked), report.reason(CloseReason::Exit)), (1000, 1));
}

/// A client is greeted and answered.
fn is_well(server: &Server) {
    let mut client = server.connect_greeted();
    client.send("a");
    client.hears("answer");
    client.ends_input();
    client.hears_end();
}

pub(crate) fn panic_in_refuse(subject: &Subject) {
    let service = limited(Bytes::panicking_in(Place::Refuse).service(), |limits| {
        limits.max_connections = 1;
        limits.overload = Overload::Refuse;
    });
    let server = subject.serve(service);
    let mut served = server.connect_greeted();
    for _ in 0..5 {
        server.connect().hears_end();
    }
    served.send("a");
    served.hears("answer");
    served.ends_input();
    served.hears_end();
    is_well(&server);
    assert_eq!(server.stop().reason(CloseReason::Busy), 5);
}

pub(crate) fn panic_in_open_and_refuse(subject: &Subject) {
    let server = subject.serve(Bytes::panicking_in(Place::OpenAndRefuse).service());
    for _ in 0..20 {
        server.connect().hears_end();
    }
    assert_eq!(server.stop().reason(CloseReason::Panicked), 20);
}

pub(crate) fn panic_in_error(subject: &Subject) {
    let server = subject.serve(Bytes::panicking_in(Place::Error).service());
    for _ in 0..3 {
        let mut client = server.connect_greeted();
        client.send(">");
        client.hears_end();
        is_well(&server);
    }
    assert_eq!(server.stop().reason(CloseReason::Panicked), 3);
}

pub(crate) fn panic_in_blocking(subject: &Subject) {
    let server = subject.serve(Bytes::panicking_in(Place::Blocking).service());
    (0..3).for_each(|_| is_well(&server));
    assert_eq!(server.stop().reason(CloseReason::EndOfInput), 3);
}

pub(crate) fn panic_in_a_destructor(subject: &Subject) {
    let server = subject.serve(Bytes::panicking_in(Place::Destructor).service());
    (0..3).for_each(|_| is_well(&server));
    let client = server.connect_greeted();
    server.stop_now();
    assert_eq!(server.report().reason(CloseReason::Cut), 1);
    drop(client);
}

pub(crate) fn panic_in_a_destructor_at_the_cut(subject: &Subject) {
    cut_within_handlers(subject, Scripted::waiting_at, Act::Panic);
}

pub(crate) fn more_used_than_there_is(subject: &Subject) {
    let server = subject.serve(Bytes::default().service());
    for claims in [">", ">>", "<", "<<"] {
        let mut client = server.connect_greeted();
        client.send(claims);
        client.hears_last("ERR internal");
        is_well(&server);
    }
    assert_eq!(server.stop().reason(CloseReason::Panicked), 4);
}
