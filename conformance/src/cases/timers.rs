//! The timer of a session expires once, and never early.

use std::thread;
use std::time::{Duration, Instant};

use common::Limits;

use crate::cases::blocking::{WORKERS, blocked_count};
use crate::cases::deadlines::assert_not_early;
use crate::cases::fairness::on_workers;
use crate::cases::pushes::connect;
use crate::gate::Gate;
use crate::handlers::{IntoService, pattern};
use crate::remote::Remote;
use crate::subject::Subject;

/// Sets a timeout that doesn't expire, so that sweeps are frequent and a timer that is early is noticed.
fn frequent_sweeps(limits: &mut Limits) {
    limits.answer_timeout = Duration::from_millis(80);
}

/// The most that a timer may be late, on a machine that is not busy.
const MAX_DELAY: Duration = Duration::from_millis(250);

pub(crate) fn timer_expires_once(subject: &Subject) {
    for configure in [|remote| remote, Remote::may_block] {
        let (remote, _clients) = Remote::new(subject);
        let server = subject.serve(configure(remote).limited(frequent_sweeps));
        let mut client = server.connect_greeted();
        for number in [1, 2] {
            let start = Instant::now();
            client.send_message("timer 100");
            client.expect_reply(format!("{number}:timer 100"));
            client.expect_reply("timer");
            assert_not_early(start, Duration::from_millis(100));
            client.expect_no_data();
        }
        client.send_message("exit");
        client.expect_end();
    }
}

pub(crate) fn timer_may_be_cancelled_or_replaced(subject: &Subject) {
    let (remote, _clients) = Remote::new(subject);
    let server = subject.serve(remote.limited(frequent_sweeps));
    let mut client = server.connect_greeted();
    client.send("timer 400\ncancel\n");
    client.expect_reply("1:timer 400");
    client.expect_reply("2:cancel");
    thread::sleep(Duration::from_millis(400) + MAX_DELAY);
    client.expect_no_data();
    // By a shorter and a longer one.
    let start = Instant::now();
    client.send("timer 3600000\ntimer 100\n");
    client.expect_reply("3:timer 3600000");
    client.expect_reply("4:timer 100");
    client.expect_reply("timer");
    assert_not_early(start, Duration::from_millis(100));
    let start = Instant::now();
    client.send("timer 100\ntimer 400\n");
    client.expect_reply("5:timer 100");
    client.expect_reply("6:timer 400");
    client.expect_reply("timer");
    assert_not_early(start, Duration::from_millis(400));
    client.expect_no_data();
}

pub(crate) fn timer_may_be_repeated(subject: &Subject) {
    const PERIOD: Duration = Duration::from_millis(20);
    let (remote, clients) = Remote::new(subject);
    let server = subject.serve(remote.limited(frequent_sweeps));
    let (mut client, handle) = connect(&server, &clients);
    let start = Instant::now();
    client.send_message("repeat 20");
    client.expect_reply("1:repeat 20");
    (0..5).for_each(|_| client.expect_reply("timer"));
    assert_not_early(start, 5 * PERIOD);
    // Messages and pushes don't stop it.
    for number in 2..7 {
        client.send_message("message");
        assert_eq!(handle.send(*b"push"), Ok(()));
        let expected = [format!("{number}:message").into_bytes(), b"push".to_vec(), b"timer".to_vec()];
        let mut missing: Vec<_> = expected.iter().collect();
        while !missing.is_empty() {
            let received = client.receive();
            assert!(expected.contains(&received), "received {:?}", String::from_utf8_lossy(&received));
            missing.retain(|reply| **reply != received);
        }
    }
    assert_not_early(start, 10 * PERIOD);
}

pub(crate) fn timer_expires_while_other_handlers_block(subject: &Subject) {
    let gate = Gate::default();
    let (remote, _clients) = Remote::new(subject);
    let server = subject.serve(on_workers(WORKERS, remote.blocking_at(&gate).service(), subject));
    let mut client = server.connect_greeted();
    let mut others: Vec<_> = (0..blocked_count(subject)).map(|_| server.connect_greeted()).collect();
    others.iter_mut().for_each(|other| other.send_message("wait"));
    gate.wait_for(others.len(), subject.timeout());
    client.send_message("timer 50");
    client.expect_reply("1:timer 50");
    client.expect_reply("timer");
    gate.open();
    others.iter_mut().for_each(|other| other.expect_reply("1:wait"));
}

pub(crate) fn timer_expires_while_an_answer_is_pending(subject: &Subject) {
    let (remote, clients) = Remote::new(subject);
    let server = subject.serve(remote.service());
    let mut client = server.connect_greeted();
    client.send("timer 50\nlater\nmessage\n");
    client.expect_reply("1:timer 50");
    let later = clients.next_later();
    client.expect_reply("timer");
    client.expect_no_data();
    assert_eq!(later.send("answer"), Ok(()));
    client.expect_reply("answer");
    client.expect_reply("3:message");
}

pub(crate) fn timer_does_not_split_a_reply(subject: &Subject) {
    const REPLY: usize = 1_000_000;
    let (remote, _clients) = Remote::new(subject);
    let log = remote.log();
    let server = subject.serve_with_buffers(remote.service(), 64 * 1024);
    let mut client = server.connect_greeted();
    client.send(format!("timer 50\nbig {REPLY}\n"));
    client.expect_reply("1:timer 50");
    log.wait_until(subject.timeout(), |sessions| sessions.answered == 2);
    thread::sleep(Duration::from_millis(50) + MAX_DELAY);
    client.expect_reply(pattern(REPLY));
    client.expect_reply("timer");
}
