//! Clients that are in the backlog when the server stops, and shared listeners.

use std::thread;
use std::time::{Duration, Instant};

use common::{CloseReason, Overload};
use rustix::io::ioctl_fionbio;

use crate::client::Client;
use crate::gate::Gate;
use crate::handlers::{IntoService, Scripted, limited};
use crate::server::Server;
use crate::socket::accepts_connections;
use crate::subject::Subject;

/// A client that is being served, which is the limit, and this many clients in the backlog that have sent a message.
fn backlog(server: &Server, count: usize) -> (Client, Vec<Client>) {
    let served = server.connect_greeted();
    let mut waiting: Vec<_> = (0..count).map(|_| server.connect()).collect();
    for client in &mut waiting {
        client.send_message("hello?");
        client.wait_until_arrived();
    }
    (served, waiting)
}

pub(crate) fn stop_refuses_the_backlog(subject: &Subject) {
    let service = Scripted::new().limited(|limits| {
        (limits.max_connections, limits.overload) = (1, Overload::Queue);
        limits.drain_timeout = Duration::from_secs(3600);
    });
    // A loop that accepts 16 clients in a turn has to notice the end of the backlog wherever a turn ends.
    for count in [0, 14, 15, 16, 20] {
        let server = subject.serve(service.clone());
        let (mut served, mut waiting) = backlog(&server, count);
        server.drain();
        served.expect_end();
        for client in &mut waiting {
            client.expect_last("ERR shutting-down");
        }
        let (report, count) = (server.report(), count as u64);
        let late = report.reason(CloseReason::TooLate);
        assert_eq!((report.accepted, report.messages, late), (count + 1, 0, count));
    }
}

pub(crate) fn stop_leaves_a_shared_backlog(subject: &Subject) {
    let service = Scripted::new().limited(|limits| {
        (limits.max_connections, limits.overload) = (1, Overload::Queue);
    });
    let server = subject.serve(service.clone().with_shared_listener(true));
    let (mut served, mut waiting) = backlog(&server, 20);
    let successor = server.listener().try_clone().expect("a duplicate of the listener");
    server.drain();
    served.expect_end();
    assert_eq!(server.report().accepted, 1);
    let successor = subject.serve_on(successor, limited(service, |limits| limits.max_connections = 30));
    for client in &mut waiting {
        client.expect_reply("hello");
        client.expect_reply("1:hello?");
        client.send_message("exit");
        client.expect_end();
    }
    assert_eq!(successor.stop().accepted, 20);
}

pub(crate) fn a_listener_may_be_shared(subject: &Subject) {
    let first = subject.serve(Scripted::new().service());
    let duplicate = || first.listener().try_clone().expect("a duplicate of the listener");
    let successor = duplicate();
    let second = subject.serve_on(duplicate(), Scripted::new().service());
    let greets = |server: &Server| {
        let mut client = server.connect_greeted();
        client.send_message("exit");
        client.expect_end();
    };
    for _ in 0..20 {
        greets(&first);
        // Every server sets its listener to non-blocking, and the duplicates share this flag.
        ioctl_fionbio(duplicate(), true).expect("a listener");
    }
    first.drain();
    let accepted = first.report().accepted;
    for _ in 0..20 {
        greets(&second);
    }
    assert_eq!(accepted + second.stop().accepted, 40);
    drop(successor);
}

pub(crate) fn the_listener_is_closed_while_clients_drain(subject: &Subject) {
    let gate = Gate::default();
    let service = Scripted::new().blocking_at(&gate).service();
    let server =
        subject.serve_alone(limited(service, |limits| limits.drain_timeout = Duration::from_secs(3600)));
    let mut client = server.connect_greeted();
    client.send_message("wait");
    gate.wait_for(1, subject.timeout());
    server.drain();
    let deadline = client.deadline();
    while accepts_connections(server.address()) {
        assert!(Instant::now() < deadline, "the listener is open while a client drains");
        thread::sleep(Duration::from_millis(1));
    }
    gate.open();
    client.expect_last("1:wait");
    server.report();
}
