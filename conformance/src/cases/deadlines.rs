//! Deadlines are enforced, and never early.
//!
//! The client starts its clock before the server does, so that it never measures less than the server's deadline. A
//! case that must act before a deadline is repeated if it was too late.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::{CloseReason, Framing};

use crate::cases::fairness::on_workers;
use crate::client::Client;
use crate::gate::Gate;
use crate::handlers::{Action, IntoService, Scripted, limited, pattern};
use crate::subject::Subject;

/// The duration of deadlines that are expected to pass.
pub(crate) const SHORT: Duration = Duration::from_millis(200);

/// Repeats a case until it was in time.
pub(crate) fn retry_until_in_time(mut attempt: impl FnMut() -> bool) {
    retry_with_longer_deadlines(|_| attempt());
}

/// Repeats a case until it was in time. The deadline is doubled after every second attempt.
pub(crate) fn retry_with_longer_deadlines(mut attempt: impl FnMut(Duration) -> bool) {
    let in_time = (0..10).any(|tried| attempt(SHORT * (1 << (tried / 2))));
    assert!(in_time, "a deadline passed before the client could act, ten times");
}

pub(crate) fn idle_deadline(subject: &Subject) {
    let server = subject.serve(Scripted::new().limited(|limits| limits.idle_timeout = Some(SHORT)));
    let start = Instant::now();
    let mut client = server.connect_greeted();
    client.expect_last("ERR timeout idle");
    assert_not_early(start, SHORT);
    let report = server.stop();
    assert_eq!(report.reason(CloseReason::IdleTimeout), 1);
}

pub(crate) fn assert_not_early(start: Instant, deadline: Duration) {
    let elapsed = start.elapsed();
    assert!(elapsed >= deadline, "a deadline of {deadline:?} had passed after {elapsed:?}");
}

pub(crate) fn message_restarts_the_idle_deadline(subject: &Subject) {
    let server = subject.serve(Scripted::new().limited(|limits| limits.idle_timeout = Some(SHORT)));
    retry_until_in_time(|| {
        let mut client = server.connect_greeted();
        thread::sleep(SHORT / 2);
        let start = Instant::now();
        if client.try_send("still here\n").is_err() || client.receive() != b"1:still here" {
            return false;
        }
        client.expect_last("ERR timeout idle");
        assert_not_early(start, SHORT);
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
        client.expect_reply("hello");
        let start = Instant::now();
        client.send(beginning);
        while_trickling(client.duplicate(), || client.expect_last(error));
        assert_not_early(start, SHORT);
        assert_eq!(server.stop().reason(CloseReason::MessageTimeout), 1);
    }
}

/// Calls `action` while `sender` sends a byte from time to time.
fn while_trickling(mut sender: Client, action: impl FnOnce()) {
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
        action();
    });
}

pub(crate) fn no_message_deadline_between_messages(subject: &Subject) {
    let server = subject.serve(Scripted::new().limited(|limits| {
        limits.idle_timeout = None;
        limits.message_timeout = SHORT / 4;
    }));
    let mut client = server.connect_greeted();
    for number in 1..=2 {
        thread::sleep(SHORT);
        client.send_message("after a while");
        client.expect_reply(format!("{number}:after a while"));
    }
}

pub(crate) fn no_idle_deadline_within_a_message(subject: &Subject) {
    let server = subject.serve(Scripted::new().limited(|limits| limits.idle_timeout = Some(SHORT)));
    retry_until_in_time(|| {
        let mut client = server.connect();
        if client.try_send("whole\npar").is_err() {
            return false;
        }
        client.expect_reply("hello");
        if client.receive() != b"1:whole" {
            return false;
        }
        thread::sleep(2 * SHORT);
        client.send("ted\n");
        client.expect_reply("2:parted");
        true
    });
}

pub(crate) fn write_deadline(subject: &Subject) {
    let script = Scripted::new();
    let log = script.log();
    let service = script.limited(|limits| limits.write_timeout = SHORT);
    let server = subject.serve_with_buffers(service, 64 * 1024);
    let mut client = server.connect_greeted();
    let start = Instant::now();
    client.send_message("big 1000000");
    let sessions = log.wait_until(subject.timeout(), |sessions| !sessions.closed.is_empty());
    assert_eq!(sessions.closed, [CloseReason::WriteTimeout]);
    assert_not_early(start, SHORT);
    drop(client);
    assert_eq!(server.stop().reason(CloseReason::WriteTimeout), 1);
}

pub(crate) fn no_deadline_while_a_handler_runs(subject: &Subject) {
    retry_until_in_time(|| {
        let gate = Gate::default();
        let script = Scripted::new().blocking_at(&gate);
        let log = script.log();
        let server = subject.serve(script.limited(|limits| {
            limits.idle_timeout = Some(SHORT);
            limits.message_timeout = SHORT;
        }));
        let mut client = server.connect();
        client.send("wait\n");
        client.expect_reply("hello");
        if !gate.wait_for_any(|| !log.read().closed.is_empty(), subject.timeout()) {
            return false;
        }
        thread::sleep(2 * SHORT);
        gate.open();
        client.expect_reply("1:wait");
        true
    });
}

pub(crate) fn received_input_is_read_before_a_deadline_fires(subject: &Subject) {
    retry_with_longer_deadlines(|short| {
        // Each attempt has its own server, since a handler that reaches the gate late would block the worker of the
        // next one.
        let gate = Gate::default();
        let service = limited(Scripted::new().blocking_undeclared_at(&gate).service(), |limits| {
            limits.idle_timeout = Some(short);
            limits.message_timeout = short;
        });
        let server = subject.serve(on_workers(1, service, subject));
        // The other clients have sent a message, or a part of one.
        let mut holding = server.connect_greeted();
        let mut silent = server.connect_greeted();
        let mut partial = server.connect_greeted();
        let start = Instant::now();
        if partial.try_send("par").is_err() {
            return false;
        }
        partial.wait_until_read();
        if holding.try_send("wait\n").is_err() {
            return false;
        }
        if !gate.wait_for_any(|| start.elapsed() > short, subject.timeout()) {
            gate.open();
            return false;
        }
        // More than one read.
        let rest = format!("{}\n", "x".repeat(40_000));
        if partial.try_send(&rest).is_err() || silent.try_send("here\n").is_err() {
            return false;
        }
        partial.wait_until_arrived();
        silent.wait_until_arrived();
        if start.elapsed() > short {
            gate.open();
            return false;
        }
        thread::sleep(2 * short);
        gate.open();
        holding.expect_reply("1:wait");
        silent.expect_reply("1:here");
        partial.expect_reply(format!("1:par{}", rest.trim_end()));
        true
    });
}

pub(crate) fn idle_deadline_runs_from_the_reply(subject: &Subject) {
    for block_at in [Scripted::blocking_undeclared_at, Scripted::blocking_at] {
        // With and without a reply.
        for (message, reply) in [("wait\n", "1:wait\n"), ("wait-no-reply\n", "")] {
            let gate = Gate::default();
            let script = block_at(Scripted::new(), &gate);
            let server = subject.serve(script.limited(|limits| limits.idle_timeout = Some(SHORT)));
            let mut client = server.connect();
            client.send(message);
            client.expect_reply("hello");
            gate.wait_for(1, subject.timeout());
            thread::sleep(2 * SHORT);
            let start = Instant::now();
            gate.open();
            client.expect_bytes(reply);
            client.expect_last("ERR timeout idle");
            assert_not_early(start, SHORT);
        }
    }
}

pub(crate) fn no_deadline_while_open_runs(subject: &Subject) {
    for (sent, error) in [("", "ERR timeout idle"), ("par", "ERR timeout message: no line end")] {
        let gate = Gate::default();
        let script = Scripted::new().blocking_at(&gate).at_open(Action::WaitWithoutGreeting);
        let server = subject.serve(script.limited(|limits| {
            limits.idle_timeout = Some(SHORT);
            limits.message_timeout = SHORT;
        }));
        let mut client = server.connect();
        client.send(sent);
        gate.wait_for(1, subject.timeout());
        thread::sleep(2 * SHORT);
        let start = Instant::now();
        gate.open();
        client.expect_last(error);
        assert_not_early(start, SHORT);
    }
}

pub(crate) fn message_deadline_restarts_when_reading_resumes(subject: &Subject) {
    let script = Scripted::new();
    let log = script.log();
    let service = script.limited(|limits| limits.message_timeout = SHORT);
    // The reply exceeds the buffers of the kernel, but not the limit of a turn, so that the next message is processed.
    const REPLY: usize = 60_000;
    let server = subject.serve_with_buffers(service, 4 * 1024);
    retry_until_in_time(|| {
        let answered = log.read().answered;
        let mut client = server.connect_greeted();
        client.send(format!("big {REPLY}\npar"));
        log.wait_until(subject.timeout(), |sessions| sessions.answered > answered);
        thread::sleep(2 * SHORT);
        // Its timeout starts when the last byte of the reply is written, which is later than this.
        let start = Instant::now();
        client.expect_bytes([pattern(REPLY), b"\n"].concat());
        thread::sleep(SHORT / 2);
        let sent = client.try_send("tial\n");
        if start.elapsed() >= SHORT {
            return false;
        }
        sent.expect("the server reads in time");
        client.expect_reply("2:partial");
        true
    });
}
