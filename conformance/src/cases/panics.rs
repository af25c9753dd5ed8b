//! A panic in a session ends that session alone.

use common::CloseReason;

use crate::cases::limits::goes_on;
use crate::handlers::{Act, Scripted};
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
