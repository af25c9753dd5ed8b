//! An idle server uses no CPU time.

use std::thread;
use std::time::Duration;

use common::{Overload, Service};

use crate::cases::exhaustion::{connect, cpu_time, serve_and_respond};
use crate::child::{self, Child};
use crate::client::Client;
use crate::gate::Gate;
use crate::handlers::{IntoService, Scripted, limited};
use crate::subject::Subject;

/// How long the server is idle, and how much CPU time it may use meanwhile for its checks of deadlines.
const IDLE: Duration = Duration::from_millis(400);
const MAX: Duration = Duration::from_millis(40);

/// The limit on clients, and the number of clients in each step.
const MAX_CONNECTIONS: usize = 30;
const CLIENTS: usize = 20;

pub(crate) fn idle_server_uses_no_cpu_time(subject: &Subject) {
    if let Some(parent) = child::parent() {
        let gate = Gate::default();
        return serve_and_respond(parent, subject, service(&gate), |request| {
            if request == "open" {
                gate.open();
            }
        });
    }
    let one_at_a_time = subject.backend().capabilities().max_connections == Some(1);
    let count = if one_at_a_time { 1 } else { CLIENTS };
    let mut child = Child::start(subject);
    let greeted = |child: &mut Child, count| -> Vec<Client> {
        (0..count).map(|_| connect_greeted(child, subject)).collect()
    };
    assert_idle(&mut child, "without a client");

    let idle = greeted(&mut child, count);
    assert_idle(&mut child, "with idle clients");
    drop(idle);

    let mut blocked_client = greeted(&mut child, 1);
    blocked_client[0].send("big 1000000\n".repeat(20));
    assert_idle(&mut child, "with a client that doesn't read");
    drop(blocked_client);

    // The server has ended their conversations, but they neither read nor close.
    let mut ended = greeted(&mut child, count);
    ended.iter_mut().for_each(|client| client.send_message("exit"));
    assert_idle(&mut child, "with clients that linger");

    // Other clients are connected when these close.
    let others = greeted(&mut child, count);
    ended.iter_mut().for_each(Client::expect_end);
    drop(ended);
    assert_idle(&mut child, "after others have closed");
    drop(others);

    let full = greeted(&mut child, if one_at_a_time { 1 } else { MAX_CONNECTIONS });
    let beyond: Vec<_> = (0..CLIENTS).map(|_| connect(&mut child, subject)).collect();
    assert_idle(&mut child, "with clients that are refused or in the backlog");
    drop((full, beyond));

    let mut held = greeted(&mut child, 1);
    held[0].send_message("wait");
    held[0].end_input();
    assert_idle(&mut child, "with a client that has ended its input, in a handler");
    child.request("open");
    held[0].expect_last("1:wait");
}

fn service(gate: &Gate) -> Service {
    limited(Scripted::new().blocking_at(gate).service(), |limits| {
        (limits.max_connections, limits.overload) = (MAX_CONNECTIONS, Overload::Refuse);
        limits.max_reply = 2_000_000;
    })
}

/// Connects a client, and retries while the server still counts clients that have left.
pub(crate) fn connect_greeted(child: &mut Child, subject: &Subject) -> Client {
    loop {
        let mut client = connect(child, subject);
        match client.receive().as_slice() {
            b"ERR busy" => client.expect_end(),
            b"hello" => return client,
            other => panic!("a client received {:?}", String::from_utf8_lossy(other)),
        }
    }
}

pub(crate) fn assert_idle(child: &mut Child, when: &str) {
    // Let the server finish its reaction to the last step.
    thread::sleep(IDLE / 4);
    let before = cpu_time(child);
    thread::sleep(IDLE);
    let spent = cpu_time(child) - before;
    assert!(spent < MAX, "the server used {spent:?} of CPU time in {IDLE:?} {when}");
}
