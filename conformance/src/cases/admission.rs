//! The limit on connected clients is exact.

use std::thread;

use common::{CloseReason, Framing, Overload};

use crate::client::Client;
use crate::handlers::{IntoService, Scripted};
use crate::subject::Subject;

pub(crate) fn refuses_beyond_the_limit(subject: &Subject) {
    let server = subject.serve(Scripted::new().limited(|limits| {
        limits.max_connections = 3;
        limits.overload = Overload::Refuse;
    }));
    let mut clients: Vec<_> = (0..3).map(|_| server.connect_greeted()).collect();
    for _ in 0..5 {
        server.connect().expect_last("ERR busy");
    }
    for client in &mut clients {
        client.send_message("still here");
        client.expect_reply("1:still here");
    }
    let mut leaving = clients.remove(1);
    leaving.send_message("exit");
    leaving.expect_end();
    clients.push(server.connect_greeted());
    server.connect().expect_last("ERR busy");
    drop(clients);
    let report = server.stop();
    assert_eq!((report.accepted, report.reason(CloseReason::Busy)), (10, 6));
}

pub(crate) fn queues_beyond_the_limit(subject: &Subject) {
    let server = subject.serve(Scripted::new().limited(|limits| {
        limits.max_connections = 1;
        limits.overload = Overload::Queue;
    }));
    let mut served = server.connect_greeted();
    for _ in 0..3 {
        let mut waiting = server.connect();
        waiting.send_message("message");
        waiting.expect_no_data();
        served.send_message("exit");
        served.expect_end();
        waiting.expect_reply("hello");
        waiting.expect_reply("1:message");
        served = waiting;
    }
    drop(served);
    let report = server.stop();
    assert_eq!((report.accepted, report.reason(CloseReason::Busy)), (4, 0));
}

pub(crate) fn limit_is_exact_under_concurrent_connects(subject: &Subject) {
    const MAX_CONNECTIONS: usize = 5;
    let script = Scripted::new();
    let log = script.log();
    let server = subject.serve(script.limited(|limits| limits.max_connections = MAX_CONNECTIONS));
    let (address, timeout) = (server.address(), subject.timeout());
    let connect = || {
        let clients = (0..10).map(|_| {
            let mut client =
                Client::connect(address, Framing::Line, timeout, None).transformed(subject.transform());
            let greeting = client.receive();
            (client, greeting)
        });
        clients.collect::<Vec<_>>()
    };
    let clients: Vec<_> = thread::scope(|scope| {
        let groups: Vec<_> = (0..4).map(|_| scope.spawn(connect)).collect();
        groups
            .into_iter()
            .flat_map(|group| group.join().expect("each client receives a greeting or an error"))
            .collect()
    });
    let count = |expected: &[u8]| clients.iter().filter(|(_, greeting)| greeting == expected).count();
    assert_eq!((count(b"hello"), count(b"ERR busy")), (MAX_CONNECTIONS, clients.len() - MAX_CONNECTIONS));
    assert_eq!(log.read().max_open, MAX_CONNECTIONS);
}

pub(crate) fn client_can_reconnect_immediately(subject: &Subject) {
    let server = subject.serve(Scripted::new().limited(|limits| limits.max_connections = 1));
    for _ in 0..200 {
        let mut client = server.connect_greeted();
        client.send_message("exit");
        client.expect_end();
    }
    assert_eq!(server.stop().reason(CloseReason::Busy), 0);
}

pub(crate) fn reported_max_connections_is_not_exceeded(subject: &Subject) {
    const CLIENTS: usize = 12;
    let max = subject.backend().capabilities().max_connections.unwrap_or(usize::MAX);
    let script = Scripted::new();
    let log = script.log();
    let server = subject.serve(script.limited(|limits| limits.overload = Overload::Queue));
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| server.connect()).collect();
    log.wait_until(subject.timeout(), |sessions| sessions.open >= max.min(CLIENTS));
    if let Some(waiting) = clients.get_mut(max) {
        waiting.expect_no_data();
    }
    for client in &mut clients {
        client.expect_reply("hello");
        client.send_message("exit");
        client.expect_end();
    }
    assert!(log.read().max_open <= max, "{} clients were served at once", log.read().max_open);
    assert_eq!(server.stop().reason(CloseReason::Exit), CLIENTS as u64);
}
