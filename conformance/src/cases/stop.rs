//! Stopping: no more clients are served, messages that had arrived are answered, and the report adds up.

use std::io::ErrorKind;
use std::thread;
use std::time::{Duration, Instant};

use common::{CloseReason, Framing, Overload};

use crate::client::Client;
use crate::framing::encode;
use crate::gate::Gate;
use crate::handlers::{IntoService, Scripted, limited};
use crate::server::Server;
use crate::socket::accepts_connections;
use crate::subject::Subject;

/// A drain timeout that never expires.
const LONG: Duration = Duration::from_secs(3600);

pub(crate) fn stop_serves_no_new_clients(subject: &Subject) {
    let script = Scripted::new();
    let log = script.log();
    let server = subject.serve(script.service());
    let mut client = server.connect_greeted();
    server.drain();
    client.expect_end();
    // The client can connect, since the listener has a duplicate here. It gets an error reply if it connects before the
    // server has accepted the last earlier client.
    let mut late = server.connect();
    let duplicate = server.listener().try_clone().expect("a duplicate of the listener");
    server.report();
    let received = late.read_briefly();
    assert!(received.is_empty() || received == b"ERR shutting-down\n", "a client was served after the stop");
    assert_eq!(log.read().max_open, 1);
    drop(duplicate);
}

pub(crate) fn drain_delivers_the_replies_to_all_handled_messages(subject: &Subject) {
    let clients = if subject.backend().capabilities().max_connections == Some(1) { 1 } else { 8 };
    let script = Scripted::new();
    let log = script.log();
    let server = subject.serve(script.limited(|limits| limits.drain_timeout = LONG));
    let connected: Vec<_> = (0..clients).map(|_| server.connect_greeted()).collect();
    let received: usize = thread::scope(|scope| {
        let exchanges: Vec<_> = connected
            .into_iter()
            .map(|mut client| {
                scope.spawn(move || {
                    let mut received = 0;
                    client.send("message\n".repeat(50));
                    while let Some(reply) = client.next_reply() {
                        received += 1;
                        assert_eq!(reply, format!("{received}:message").into_bytes());
                        let _ = client.try_send("message\n"); // fails once the server has closed
                    }
                    received
                })
            })
            .collect();
        // This needs many writes to each client, however many replies are written at once.
        log.wait_until(subject.timeout(), |sessions| sessions.answered > 1000 * clients);
        server.drain();
        exchanges.into_iter().map(|client| client.join().expect("a clean end")).sum()
    });
    let report = server.report();
    assert_eq!(report.reason(CloseReason::Stopping), clients as u64);
    assert_eq!(log.read().answered, received, "a message was handled, but its reply was not delivered");
}

pub(crate) fn stop_ends_an_idle_client(subject: &Subject) {
    let server = subject.serve(Scripted::new().limited(|limits| limits.drain_timeout = LONG));
    let mut client = server.connect_greeted();
    server.drain();
    client.expect_end();
    assert_eq!(server.report().reason(CloseReason::Stopping), 1);
}

pub(crate) fn stop_ends_every_idle_client(subject: &Subject) {
    let server = subject.serve(Scripted::new().limited(|limits| limits.drain_timeout = LONG));
    let mut clients: Vec<_> = (0..20).map(|_| server.connect_greeted()).collect();
    server.drain();
    for client in &mut clients {
        client.expect_end();
    }
    assert_eq!(server.report().reason(CloseReason::Stopping), 20);
}

pub(crate) fn stop_answers_received_messages(subject: &Subject) {
    let gate = Gate::default();
    let script = Scripted::new().blocking_at(&gate);
    let server = subject.serve(script.limited(|limits| limits.drain_timeout = LONG));
    let mut client = server.connect_greeted();
    client.send_message("wait");
    gate.wait_for(1, subject.timeout());
    client.send("message\n".repeat(200));
    client.wait_until_arrived();
    server.drain();
    client.expect_no_data();
    gate.open();
    client.expect_reply("1:wait");
    (2..=201).for_each(|number| client.expect_reply(format!("{number}:message")));
    client.expect_end();
    assert_eq!(server.report().reason(CloseReason::Stopping), 1);
}

pub(crate) fn stop_within_a_message(subject: &Subject) {
    for framing in [Framing::Line, Framing::Length] {
        let service = limited(Scripted::new().service_in(framing), |limits| limits.drain_timeout = LONG);
        let server = subject.serve(service);
        let mut client = server.connect_in(framing);
        client.expect_reply("hello");
        client.send([encode(framing, b"whole"), encode(framing, b"parted")[..5].to_vec()].concat());
        client.expect_reply("1:whole");
        server.drain();
        client.expect_last("ERR shutting-down");
        assert_eq!(server.report().reason(CloseReason::Stopping), 1);
    }
}

pub(crate) fn stop_under_a_pipelining_client(subject: &Subject) {
    let script = Scripted::new();
    let log = script.log();
    let server = subject.serve(script.limited(|limits| limits.drain_timeout = LONG));
    let mut client = server.connect_greeted();
    // A constant number of messages is in flight, so that the server can discard the rest.
    client.send("message\n".repeat(100));
    for number in 1..=500 {
        client.expect_reply(format!("{number}:message"));
        client.send("message\n");
    }
    server.drain();
    let deadline = client.deadline();
    let mut received = 500;
    while let Some(reply) = client.next_reply() {
        received += 1;
        assert_eq!(reply, format!("{received}:message").into_bytes());
        // Sending fails once the server has closed.
        let _ = client.try_send("message\n");
        assert!(Instant::now() < deadline, "the server does not end the connection");
    }
    let report = server.report();
    assert_eq!(log.read().answered, received, "a reply was not delivered");
    assert_eq!(report.reason(CloseReason::Stopping), 1);
}

/// A client that does not read, with unsent replies that exceed the buffers of the kernel.
fn blocked_client(server: &Server, subject: &Subject, log: &crate::log::SessionLog) -> Client {
    let mut client = server.connect_greeted();
    client.send_message("big 1000000");
    log.wait_until(subject.timeout(), |sessions| sessions.answered == 1);
    client
}

pub(crate) fn drain_deadline_cuts_off_a_client_that_does_not_read(subject: &Subject) {
    let timeout = Duration::from_millis(200);
    let script = Scripted::new();
    let log = script.log();
    let service = script.limited(|limits| (limits.write_timeout, limits.drain_timeout) = (LONG, timeout));
    let server = subject.serve_with_buffers(service, 64 * 1024);
    let client = blocked_client(&server, subject, &log);
    let start = Instant::now();
    server.drain();
    let report = server.report();
    assert!(start.elapsed() >= timeout, "the server ended before the drain deadline");
    assert_eq!(report.reason(CloseReason::Cut), 1);
    // The server does not wait for a worker that is slow to notice.
    log.wait_until(subject.timeout(), |sessions| sessions.closed == [CloseReason::Cut]);
    drop(client);
}

pub(crate) fn drain_deadline_does_not_wait_for_a_handler(subject: &Subject) {
    // Longer than a server waits for workers after it has cut all clients.
    let timeout = Duration::from_millis(500);
    let gate = Gate::default();
    let script = Scripted::new().blocking_at(&gate);
    let server = subject.serve(script.limited(|limits| limits.drain_timeout = timeout));
    let mut client = server.connect_greeted();
    client.send_message("wait");
    gate.wait_for(1, subject.timeout());
    let start = Instant::now();
    server.drain();
    let report = server.report();
    assert!(start.elapsed() >= timeout, "the server ended before the drain deadline");
    assert_eq!(report.reason(CloseReason::Cut), 1);
    drop(gate);
}

pub(crate) fn immediate_stop_waits_for_no_client(subject: &Subject) {
    let script = Scripted::new();
    let log = script.log();
    let service = script.limited(|limits| (limits.write_timeout, limits.drain_timeout) = (LONG, LONG));
    let server = subject.serve_with_buffers(service, 64 * 1024);
    let client = blocked_client(&server, subject, &log);
    server.drain();
    server.stop_now();
    assert_eq!(server.report().reason(CloseReason::Cut), 1);
    drop(client);
}

pub(crate) fn report_counts_each_client_once(subject: &Subject) {
    let script = Scripted::new();
    let log = script.log();
    let server = subject.serve(script.limited(|limits| {
        (limits.max_message, limits.max_reply) = (100, 100);
        limits.overload = Overload::Queue;
    }));
    let converse = |messages: &str, times: usize| {
        for _ in 0..times {
            let mut client = server.connect_greeted();
            client.send(messages);
            client.end_input();
            client.read_to_end();
        }
    };
    converse("a\nexit\n", 5);
    converse("a\nb\n", 4);
    converse("a\npart", 3);
    converse(&"x".repeat(101), 2);
    converse("panic\n", 2);
    converse("big 200\n", 1);
    server.connect_greeted().reset();
    log.wait_until(subject.timeout(), |sessions| sessions.closed.contains(&CloseReason::Lost));
    let mut last = server.connect_greeted();
    server.drain();
    last.expect_end();
    let report = server.report();
    let count = |reason| report.reason(reason);
    assert_eq!(report.accepted, 19);
    assert_eq!((count(CloseReason::Exit), count(CloseReason::EndOfInput)), (5, 4));
    assert_eq!((count(CloseReason::Incomplete), count(CloseReason::TooLong)), (3, 2));
    assert_eq!((count(CloseReason::Panicked), count(CloseReason::ReplyTooLong)), (2, 1));
    assert_eq!((count(CloseReason::Lost), count(CloseReason::Stopping)), (1, 1));
}

pub(crate) fn the_listener_is_closed_not_shut_down(subject: &Subject) {
    let server = subject.serve(Scripted::new().service());
    let (address, deadline) = (server.address().clone(), server.connect_greeted().deadline());
    let duplicate = server.listener().try_clone().expect("a duplicate of the listener");
    server.stop();
    let client = Client::connect(&address, Framing::Line, subject.timeout(), None);
    loop {
        match duplicate.accept() {
            Ok((_, peer)) if client.addresses().is_none_or(|(local, _)| peer == local.into()) => break,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(Duration::from_millis(1)),
            Err(error) => panic!("the duplicate does not accept: {error}"),
        }
        assert!(Instant::now() < deadline, "the duplicate accepts no connection");
    }
    drop(duplicate);
    assert!(!accepts_connections(&address), "the server has left its listener open");
}
