//! Messages that other threads push to a client arrive once, in order and whole, between its replies.

use std::thread;
use std::time::{Duration, Instant};

use common::{CloseReason, Framing, Handle, SendError};

use crate::cases::blocking::{WORKERS, blocked_count};
use crate::cases::deadlines::{SHORT, assert_not_early, retry_until_in_time};
use crate::cases::fairness::on_workers;
use crate::client::Client;
use crate::framing::encode;
use crate::gate::Gate;
use crate::handlers::{IntoService, limited, pattern};
use crate::remote::{Clients, Remote};
use crate::server::Server;
use crate::subject::Subject;

/// A mailbox that is never full.
const LARGE: usize = 256 * 1024 * 1024;

const SENDERS: usize = 10;
const PUSHES: usize = 10_000;

/// Connects a client, and returns it with its handle.
pub(crate) fn connect(server: &Server, clients: &Clients) -> (Client, Handle) {
    (server.connect_greeted(), clients.next_handle())
}

/// The message that a sender pushes as its `number`th. The lengths differ.
pub(crate) fn pushed_by(sender: usize, number: usize) -> String {
    format!("{sender} {number} {}", "x".repeat(number % 50))
}

/// The sender and the number of a pushed message, which must be complete.
pub(crate) fn parse_pushed(message: &[u8]) -> (usize, usize) {
    let text = String::from_utf8_lossy(message);
    let mut words = text.split(' ').map_while(|word| word.parse().ok());
    match (words.next(), words.next()) {
        (Some(sender), Some(number)) if text == pushed_by(sender, number) => (sender, number),
        _ => panic!("the client received {text:?}, which nobody has pushed"),
    }
}

pub(crate) fn pushes_of_many_senders_keep_their_order(subject: &Subject) {
    for (framing, pushes) in [(Framing::Line, PUSHES), (Framing::Length, PUSHES / 10)] {
        let (remote, clients) = Remote::new(subject);
        let server = subject.serve(limited(remote.service_in(framing), |limits| limits.mailbox = LARGE));
        let mut client = server.connect_in(framing);
        client.expect_reply("hello");
        let handle = clients.next_handle();
        thread::scope(|scope| {
            for sender in 0..SENDERS {
                let handle = handle.clone();
                scope.spawn(move || {
                    for number in 0..pushes {
                        assert_eq!(handle.send(pushed_by(sender, number).into_bytes()), Ok(()));
                    }
                });
            }
            let mut next = [0; SENDERS];
            for _ in 0..SENDERS * pushes {
                let (sender, number) = parse_pushed(&client.receive());
                assert_eq!(number, next[sender], "the order of sender {sender} has changed");
                next[sender] += 1;
            }
        });
        client.send_message("end");
        client.expect_reply("1:end");
        client.send_message("exit");
        client.expect_end();
        let report = server.stop();
        let pushes = (SENDERS * pushes) as u64;
        assert_eq!((report.pushed, report.pushes_delivered), (pushes, pushes));
    }
}

pub(crate) fn pushes_reach_an_idle_client(subject: &Subject) {
    /// Without a wake-up, each push would wait for a sweep, and all of them for 25 seconds.
    const ROUNDS: usize = 100;
    let (remote, clients) = Remote::new(subject);
    let server = subject.serve(remote.service());
    let (mut client, handle) = connect(&server, &clients);
    let start = Instant::now();
    for number in 0..ROUNDS {
        assert_eq!(handle.send(pushed_by(0, number).into_bytes()), Ok(()));
        client.expect_reply(pushed_by(0, number));
    }
    assert!(start.elapsed() < subject.timeout(), "pushes wait for a sweep");
}

pub(crate) fn pushes_do_not_split_a_reply(subject: &Subject) {
    const REPLY: usize = 1_000_000;
    let (remote, clients) = Remote::new(subject);
    let log = remote.log();
    let server = subject.serve_with_buffers(remote.service(), 64 * 1024);
    let (mut client, handle) = connect(&server, &clients);
    client.send_message(format!("big {REPLY}"));
    log.wait_until(subject.timeout(), |sessions| sessions.answered == 1);
    assert_eq!(handle.send(*b"first"), Ok(()));
    client.read_once().expect("the beginning of the reply");
    assert_eq!(handle.send(*b"second"), Ok(()));
    client.expect_reply(pattern(REPLY));
    client.expect_reply("first");
    client.expect_reply("second");
}

pub(crate) fn pushes_arrive_within_a_partial_message(subject: &Subject) {
    for framing in [Framing::Line, Framing::Length] {
        let (remote, clients) = Remote::new(subject);
        let server = subject.serve(remote.service_in(framing));
        let mut client = server.connect_in(framing);
        client.expect_reply("hello");
        let handle = clients.next_handle();
        let message = encode(framing, b"partial");
        let (part, rest) = message.split_at(6);
        client.send(part);
        client.wait_until_read();
        assert_eq!((handle.send(*b"first"), handle.send(*b"second")), (Ok(()), Ok(())));
        client.expect_reply("first");
        client.expect_reply("second");
        client.send(rest);
        client.expect_reply("1:partial");
    }
}

pub(crate) fn pushes_alternate_with_replies(subject: &Subject) {
    const MESSAGES: usize = 2_000;
    let (remote, clients) = Remote::new(subject);
    let server = subject.serve(remote.limited(|limits| limits.mailbox = LARGE));
    let (mut client, handle) = connect(&server, &clients);
    let mut sender = client.duplicate();
    thread::scope(|scope| {
        scope.spawn(move || {
            let messages: Vec<_> = (1..=MESSAGES).map(|number| format!("message {number}\n")).collect();
            let _ = sender.try_send(messages.concat()); // if it fails, a reply is missing
        });
        scope.spawn(|| {
            for number in 0..MESSAGES {
                assert_eq!(handle.send(pushed_by(0, number).into_bytes()), Ok(()));
            }
        });
        let (mut replies, mut pushes) = (0, 0);
        for _ in 0..2 * MESSAGES {
            let received = client.receive();
            if received == format!("{0}:message {0}", replies + 1).as_bytes() {
                replies += 1;
            } else {
                assert_eq!(parse_pushed(&received), (0, pushes));
                pushes += 1;
            }
        }
    });
    client.send_message("exit");
    client.expect_end();
}

pub(crate) fn pushes_without_end_do_not_starve_messages(subject: &Subject) {
    for (message, may_block) in
        [("again", false), ("again", true), ("send again", false), ("send again", true)]
    {
        let (remote, clients) = Remote::new(subject);
        let remote = if may_block { remote.may_block() } else { remote };
        let server = subject.serve(remote.service());
        let (mut client, handle) = connect(&server, &clients);
        assert_eq!(handle.send(message.as_bytes()), Ok(()));
        for number in 1..=10 {
            let deadline = client.deadline();
            // More than one read.
            let text = "x".repeat(6_000 * number);
            client.send_message(&text);
            loop {
                let received = client.receive();
                if received != message.as_bytes() {
                    break assert!(received == format!("{number}:{text}").as_bytes(), "the reply is wrong");
                }
                assert!(Instant::now() < deadline, "messages are not answered while others are pushed");
            }
        }
        client.send_message("exit");
        while client.next_reply().is_some() {}
        assert_eq!(server.stop().messages, 11);
    }
}

pub(crate) fn pushes_wait_for_a_running_handler(subject: &Subject) {
    let gate = Gate::default();
    let (remote, clients) = Remote::new(subject);
    let server = subject.serve(remote.blocking_at(&gate).service());
    let (mut client, handle) = connect(&server, &clients);
    client.send_message("wait");
    gate.wait_for(1, subject.timeout());
    assert_eq!((handle.send(*b"first"), handle.send(*b"second")), (Ok(()), Ok(())));
    client.expect_no_data();
    gate.open();
    for expected in ["1:wait", "first", "second"] {
        client.expect_reply(expected);
    }
}

pub(crate) fn pushes_are_delivered_while_other_handlers_block(subject: &Subject) {
    let gate = Gate::default();
    let (remote, clients) = Remote::new(subject);
    let server = subject.serve(on_workers(WORKERS, remote.blocking_at(&gate).service(), subject));
    let (mut client, handle) = connect(&server, &clients);
    let mut others: Vec<_> = (0..blocked_count(subject)).map(|_| server.connect_greeted()).collect();
    others.iter_mut().for_each(|other| other.send_message("wait"));
    gate.wait_for(others.len(), subject.timeout());
    for number in 0..10 {
        assert_eq!(handle.send(pushed_by(0, number).into_bytes()), Ok(()));
        client.expect_reply(pushed_by(0, number));
    }
    gate.open();
    others.iter_mut().for_each(|other| other.expect_reply("1:wait"));
}

pub(crate) fn pushes_from_a_session_to_itself(subject: &Subject) {
    const MESSAGES: usize = 100;
    let (remote, clients) = Remote::new(subject);
    let server = subject.serve(remote.service());
    let mut client = server.connect_greeted();
    client.send((0..MESSAGES).map(|number| format!("self {}\n", pushed_by(0, number))).collect::<String>());
    let (mut replies, mut pushes) = (0, 0);
    for _ in 0..2 * MESSAGES {
        let received = client.receive();
        if received == format!("{}:self {}", replies + 1, pushed_by(0, replies)).as_bytes() {
            replies += 1;
        } else {
            assert_eq!(parse_pushed(&received), (0, pushes));
            pushes += 1;
            assert!(pushes <= replies, "a push arrived before the reply to the message that has caused it");
        }
    }
    client.send_message("exit");
    client.expect_end();
    assert_eq!(clients.next_push_at_close(), Err(SendError::Gone));
}

pub(crate) fn pushes_from_closed_reach_others(subject: &Subject) {
    let (remote, clients) = Remote::new(subject);
    let server = subject.serve(remote.service());
    let mut others: Vec<_> = (0..3).map(|_| server.connect_greeted()).collect();
    let mut client = server.connect_greeted();
    client.send_message("leave");
    client.expect_end();
    others.iter_mut().for_each(|other| other.expect_reply("left"));
    assert_eq!(clients.next_push_at_close(), Err(SendError::Gone));
}

pub(crate) fn pushes_before_a_close_are_delivered(subject: &Subject) {
    let (remote, clients) = Remote::new(subject);
    let server = subject.serve(remote.service());
    let (mut client, handle) = connect(&server, &clients);
    assert_eq!((handle.send(*b"first"), handle.send(*b"second")), (Ok(()), Ok(())));
    handle.close();
    assert_eq!(handle.send(*b"third"), Err(SendError::Gone));
    for expected in ["first", "second"] {
        client.expect_reply(expected);
    }
    client.expect_end();
    handle.close();
    assert_eq!(server.stop().reason(CloseReason::Closed), 1);
}

pub(crate) fn pushes_restart_the_idle_deadline(subject: &Subject) {
    let (remote, clients) = Remote::new(subject);
    let server = subject.serve(remote.limited(|limits| limits.idle_timeout = Some(SHORT)));
    retry_until_in_time(|| {
        let (mut client, handle) = connect(&server, &clients);
        thread::sleep(SHORT / 2);
        let start = Instant::now();
        if handle.send(*b"push").is_err() || client.receive() != b"push" {
            return false;
        }
        client.expect_last("ERR timeout idle");
        assert_not_early(start, SHORT);
        true
    });
}

pub(crate) fn pushes_do_not_extend_the_message_deadline(subject: &Subject) {
    let (remote, clients) = Remote::new(subject);
    let server = subject.serve(remote.limited(|limits| limits.message_timeout = SHORT));
    for is_never_empty in [false, true] {
        let (mut client, handle) = connect(&server, &clients);
        if is_never_empty {
            assert_eq!(handle.send(*b"again"), Ok(()));
        }
        let start = Instant::now();
        client.send("par");
        thread::scope(|scope| {
            scope.spawn(|| {
                while handle.send(*b"push").is_ok() {
                    thread::sleep(Duration::from_millis(1));
                }
            });
            let deadline = client.deadline();
            loop {
                let received = client.receive();
                if received != b"push" {
                    handle.close();
                    assert_eq!(String::from_utf8_lossy(&received), "ERR timeout message: no line end");
                    break client.expect_end();
                }
                if Instant::now() > deadline {
                    handle.close();
                    panic!("pushed messages extend the deadline");
                }
            }
        });
        assert_not_early(start, SHORT);
    }
    assert_eq!(server.stop().reason(CloseReason::MessageTimeout), 2);
}
