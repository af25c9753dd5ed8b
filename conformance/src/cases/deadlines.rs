//! Deadlines: each ends what it is there to end, and none is early.
//!
//! The client's clock starts before the server's, so that what it measures is never less than the server's
//! deadline. Where a case must act before a deadline, it is repeated if it was too late.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::{CloseReason, Framing};

use crate::client::Client;
use crate::gate::Gate;
use crate::handlers::{Scripted, limited};
use crate::subject::Subject;

/// How long the deadlines are that are to pass.
const SHORT: Duration = Duration::from_millis(200);

/// Tries until it was in time.
fn in_time(mut attempt: impl FnMut() -> bool) {
    assert!((0..10).any(|_| attempt()), "a deadline passed before the client could act, ten times");
}

pub(crate) fn idle_deadline(subject: &Subject) {
    let server = subject.serve(Scripted::new().limited(|limits| limits.idle_timeout = Some(SHORT)));
    let start = Instant::now();
    let mut client = server.connect_greeted();
    client.hears_last("ERR timeout idle");
    not_early(start, SHORT);
    let report = server.stop();
    assert_eq!(report.reason(CloseReason::IdleTimeout), 1);
}

fn not_early(start: Instant, deadline: Duration) {
    let elapsed = start.elapsed();
    assert!(elapsed >= deadline, "a deadline of {deadline:?} had passed after {elapsed:?}");
}

pub(crate) fn idle_deadline_begins_anew(subject: &Subject) {
    let server = subject.serve(Scripted::new().limited(|limits| limits.idle_timeout = Some(SHORT)));
    in_time(|| {
        let mut client = server.connect_greeted();
        thread::sleep(SHORT / 2);
        let start = Instant::now();
        if client.try_send("still here\n").is_err() || client.hear() != b"1:still here" {
            return false;
        }
        client.hears_last("ERR timeout idle");
        not_early(start, SHORT);
        true
    });
}

pub(crate) fn message_deadline(subject: &Subject) {
    for (framing, beginning, error) in [
        (Framing::Line, b"x".as_slice(), "ERR timeout message: no line end"),
        (Framing::Length, &[0, 0, 99, 99], "ERR timeout message"),
    ] {
        let service = limited(Scripted::new().service_in(framing), |limits| limits.message_timeout = SHORT);
        let server = subject.serve(service);
        let mut client = server.connect_in(framing);
        client.hears("hello");
        let start = Instant::now();
        client.send(beginning);
        while_dripping(client.another(), || client.hears_last(error));
        not_early(start, SHORT);
        assert_eq!(server.stop().reason(CloseReason::MessageTimeout), 1);
    }
}

/// Does something while `sender` sends a byte now and then.
fn while_dripping(mut sender: Client, something: impl FnOnce()) {
    struct Ends<'a>(&'a AtomicBool);
    impl Drop for Ends<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) && sender.try_send("x").is_ok() {
                thread::sleep(SHORT / 10);
            }
        });
        let _ends = Ends(&done);
        something();
    });
}

pub(crate) fn message_deadline_needs_a_message(subject: &Subject) {
    let server = subject.serve(Scripted::new().limited(|limits| {
        limits.idle_timeout = None;
        limits.message_timeout = SHORT / 4;
    }));
    let mut client = server.connect_greeted();
    for number in 1..=2 {
        thread::sleep(SHORT);
        client.say("after a while");
        client.hears(format!("{number}:after a while"));
    }
}

pub(crate) fn idle_deadline_needs_silence(subject: &Subject) {
    let server = subject.serve(Scripted::new().limited(|limits| limits.idle_timeout = Some(SHORT)));
    in_time(|| {
        let mut client = server.connect();
        if client.try_send("whole\npar").is_err() {
            return false;
        }
        client.hears("hello");
        if client.hear() != b"1:whole" {
            return false;
        }
        thread::sleep(2 * SHORT);
        client.send("ted\n");
        client.hears("2:parted");
        true
    });
}

pub(crate) fn write_deadline(subject: &Subject) {
    let script = Scripted::new();
    let journal = script.journal();
    let service = script.limited(|limits| limits.write_timeout = SHORT);
    let server = subject.serve_with_buffers(service, 64 * 1024);
    let mut client = server.connect_greeted();
    let start = Instant::now();
    client.say("big 1000000");
    let entries = journal.waits_until(subject.patience(), |entries| !entries.closed.is_empty());
    assert_eq!(entries.closed, [CloseReason::WriteTimeout]);
    not_early(start, SHORT);
    drop(client);
    assert_eq!(server.stop().reason(CloseReason::WriteTimeout), 1);
}

pub(crate) fn a_running_handler_is_not_idle(subject: &Subject) {
    in_time(|| {
        let gate = Gate::default();
        let script = Scripted::new().waiting_at(&gate);
        let journal = script.journal();
        let server = subject.serve(script.limited(|limits| {
            limits.idle_timeout = Some(SHORT);
            limits.message_timeout = SHORT;
        }));
        let mut client = server.connect();
        client.send("wait\n");
        client.hears("hello");
        if !gate.is_reached(|| !journal.read().closed.is_empty(), subject.patience()) {
            return false;
        }
        thread::sleep(2 * SHORT);
        gate.open();
        client.hears("1:wait");
        true
    });
}
