//! Answers that other threads give later take the place of replies.

use std::thread;

use common::{CloseReason, Limits, SendError};

use crate::cases::pushes::connect;
use crate::handlers::IntoService;
use crate::remote::Remote;
use crate::subject::Subject;

/// The size of the socket buffers, at each end and for each direction. The kernel allocates about twice as much.
const BUFFERS: usize = 64 * 1024;

pub(crate) fn later_answers_keep_the_order(subject: &Subject) {
    answers_keep_the_order(subject, |remote| remote);
}

pub(crate) fn later_answers_keep_the_order_where_handlers_block(subject: &Subject) {
    answers_keep_the_order(subject, Remote::may_block);
}

/// Answers pipelined messages from different threads, and every second one within the call.
fn answers_keep_the_order(subject: &Subject, configure: fn(Remote) -> Remote) {
    const MESSAGES: usize = 200;
    let (remote, clients) = Remote::new(subject);
    let server = subject.serve(configure(remote).service());
    let mut client = server.connect_greeted();
    client.send("later\nmessage\n".repeat(MESSAGES));
    thread::scope(|scope| {
        for number in 0..MESSAGES {
            let later = clients.next_later();
            clients.assert_no_later();
            scope.spawn(move || assert_eq!(later.send(format!("answer {number}")), Ok(())));
            client.expect_reply(format!("answer {number}"));
            client.expect_reply(format!("{}:message", 2 * number + 2));
        }
    });
    client.send_message("exit");
    client.expect_end();
    assert_eq!(server.stop().messages, 2 * MESSAGES as u64 + 1);
}

pub(crate) fn later_pauses_reading(subject: &Subject) {
    const MESSAGE: usize = 1_000;
    let bound = Limits::default().memory_bound() + 16 * BUFFERS;
    let (remote, clients) = Remote::new(subject);
    let server = subject.serve_with_buffers(remote.service(), BUFFERS);
    let mut client = server.connect_greeted();
    client.send_message("later");
    let later = clients.next_later();
    let text = "x".repeat(MESSAGE - 1);
    let sent = client.send_until_blocked(format!("{text}\n").as_bytes(), 2 * bound);
    assert!(sent <= bound, "{sent} bytes were read while an answer was pending");
    client.expect_no_data();
    assert_eq!(later.send("answer"), Ok(()));
    client.expect_reply("answer");
    let mut sender = client.duplicate();
    thread::scope(|scope| {
        scope.spawn(move || {
            let rest = format!("{text}\n")[sent % MESSAGE..].to_owned();
            let _ = sender.try_send(rest); // if it fails, a reply is missing
            sender.try_end_input();
        });
        for number in 0..=sent / MESSAGE {
            client.expect_reply(format!("{}:{}", number + 2, "x".repeat(MESSAGE - 1)));
        }
        client.expect_end();
    });
}

pub(crate) fn later_does_not_delay_pushes(subject: &Subject) {
    let (remote, clients) = Remote::new(subject);
    let server = subject.serve(remote.service());
    let (mut client, handle) = connect(&server, &clients);
    client.send("later\nmessage\n");
    let later = clients.next_later();
    for number in 0..100 {
        assert_eq!(handle.send(format!("push {number}").into_bytes()), Ok(()));
        client.expect_reply(format!("push {number}"));
    }
    assert_eq!(later.send("answer"), Ok(()));
    assert_eq!(handle.send(*b"another"), Ok(()));
    client.expect_reply("answer");
    // The push and the message may come in any order.
    let mut others = [client.receive(), client.receive()];
    others.sort();
    assert_eq!(others, [b"2:message".to_vec(), b"another".to_vec()]);
}

pub(crate) fn later_answered_within_the_call(subject: &Subject) {
    for configure in [|remote| remote, Remote::may_block] {
        let (remote, _clients) = Remote::new(subject);
        let server = subject.serve(configure(remote).service());
        let mut client = server.connect_greeted();
        client.send("now first\nmessage\nnow second\nnow third\n".repeat(100));
        for round in 0..100 {
            client.expect_reply("first");
            client.expect_reply(format!("{}:message", 4 * round + 2));
            client.expect_reply("second");
            client.expect_reply("third");
        }
        client.send_message("exit");
        client.expect_end();
    }
}

pub(crate) fn later_twice_is_an_internal_error(subject: &Subject) {
    let (remote, _clients) = Remote::new(subject);
    let server = subject.serve(remote.service());
    let mut client = server.connect_greeted();
    client.send("twice\nmessage\n");
    client.expect_last("ERR internal");
    let mut client = server.connect_greeted();
    client.send_message("message");
    client.expect_reply("1:message");
    client.send_message("exit");
    client.expect_end();
    assert_eq!(server.stop().reason(CloseReason::Panicked), 1);
}

pub(crate) fn later_dropped_is_an_internal_error(subject: &Subject) {
    let (remote, clients) = Remote::new(subject);
    let server = subject.serve(remote.service());
    let mut client = server.connect_greeted();
    client.send("drop\nmessage\n");
    client.expect_last("ERR internal");
    // What was sent before arrives at once.
    let mut client = server.connect_greeted();
    client.send("part\nmessage\n");
    client.expect_reply("part");
    let later = clients.next_later();
    client.expect_no_data();
    drop(later);
    client.expect_last("ERR internal");
    let report = server.stop();
    assert_eq!((report.reason(CloseReason::Unanswered), report.messages), (2, 0));
}

pub(crate) fn later_must_not_exceed_max_reply(subject: &Subject) {
    let (remote, clients) = Remote::new(subject);
    let server = subject.serve(remote.limited(|limits| limits.max_reply = 100));
    for (length, exceeds) in [(99, false), (100, true)] {
        let mut client = server.connect_greeted();
        client.send("later\nexit\n");
        assert_eq!(clients.next_later().send("x".repeat(length)), Ok(()));
        client.expect_last(if exceeds { "ERR internal".to_owned() } else { "x".repeat(length) });
    }
    let report = server.stop();
    assert_eq!((report.reason(CloseReason::ReplyTooLong), report.reason(CloseReason::Exit)), (1, 1));
}

pub(crate) fn later_may_reject_or_close(subject: &Subject) {
    let (remote, clients) = Remote::new(subject);
    let server = subject.serve(remote.service());
    let mut client = server.connect_greeted();
    client.send("later\nmessage\nlater\nmessage\n");
    assert_eq!(clients.next_later().reject("no"), Ok(()));
    client.expect_reply("ERR no");
    client.expect_reply("2:message");
    assert_eq!(clients.next_later().close("goodbye"), Ok(()));
    client.expect_last("goodbye");
    let report = server.stop();
    assert_eq!((report.reason(CloseReason::Exit), report.messages), (1, 3));
}

pub(crate) fn later_before_the_end_of_a_conversation(subject: &Subject) {
    let (remote, clients) = Remote::new(subject);
    let server = subject.serve(remote.service());
    let mut client = server.connect_greeted();
    client.send("last\nmessage\n");
    let later = clients.next_later();
    client.expect_no_data();
    assert_eq!(later.send("answer"), Ok(()));
    client.expect_last("answer");
    // A session that fails sends no answer.
    let mut client = server.connect_greeted();
    client.send("fail\nmessage\n");
    let later = clients.next_later();
    client.expect_end();
    assert!(later.is_gone());
    assert_eq!(later.send("answer"), Err(SendError::Gone));
    let report = server.stop();
    assert_eq!((report.reason(CloseReason::Exit), report.reason(CloseReason::Rejected)), (1, 1));
}

pub(crate) fn later_in_open(subject: &Subject) {
    let (remote, clients) = Remote::new(subject);
    let server = subject.serve(remote.greeting_later().service());
    let mut client = server.connect();
    client.send_message("message");
    let later = clients.next_later();
    client.expect_no_data();
    assert_eq!(later.send("hello"), Ok(()));
    client.expect_reply("hello");
    client.expect_reply("1:message");
}

pub(crate) fn later_in_notified_and_timer(subject: &Subject) {
    let (remote, clients) = Remote::new(subject);
    let server = subject.serve(remote.service());
    let (mut client, handle) = connect(&server, &clients);
    assert_eq!(handle.send(*b"later"), Ok(()));
    let later = clients.next_later();
    client.send_message("message");
    assert_eq!(handle.send(*b"push"), Ok(()));
    client.expect_reply("push");
    client.expect_no_data();
    assert_eq!(later.send("first"), Ok(()));
    client.expect_reply("first");
    client.expect_reply("1:message");
    client.send_message("timer-later 10");
    client.expect_reply("2:timer-later 10");
    assert_eq!(clients.next_later().send("second"), Ok(()));
    client.expect_reply("second");
    client.send_message("exit");
    client.expect_end();
    assert_eq!(server.stop().messages, 3);
}
