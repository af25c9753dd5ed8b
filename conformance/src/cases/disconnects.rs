//! The resources of a client that disappears are freed.

use std::thread;
use std::time::{Duration, Instant};

use common::{CloseReason, Overload};

use crate::client::Client;
use crate::handlers::{IntoService, Scripted};
use crate::kernel;
use crate::server::Server;
use crate::subject::Subject;

pub(crate) fn reset_frees_the_connection(subject: &Subject) {
    let server = subject.serve(Scripted::new().limited(|limits| {
        limits.max_connections = 1;
        limits.overload = Overload::Queue;
    }));
    let client = server.connect_greeted();
    assert_reset_frees_the_connection(server, client);
}

pub(crate) fn reset_with_unsent_replies_frees_the_connection(subject: &Subject) {
    let script = Scripted::new();
    let log = script.log();
    let service = script.limited(|limits| {
        limits.max_connections = 1;
        limits.overload = Overload::Queue;
    });
    let server = subject.serve_with_buffers(service, 64 * 1024);
    let mut client = server.connect_greeted();
    client.send_message("big 1000000");
    log.wait_until(subject.timeout(), |sessions| sessions.answered == 1);
    assert_reset_frees_the_connection(server, client);
}

/// Resets the only connection that is allowed, and checks that a client in the backlog takes its place.
fn assert_reset_frees_the_connection(server: Server, client: Client) {
    let mut waiting = server.connect();
    client.reset();
    waiting.expect_reply("hello");
    waiting.send_message("exit");
    waiting.expect_end();
    assert_eq!(server.stop().reason(CloseReason::Lost), 1);
}

pub(crate) fn keepalive_is_enabled(subject: &Subject) {
    let server = subject.serve(Scripted::new().service());
    // The first client may have connected before the backend received the listener.
    for _ in 0..2 {
        let mut client = server.connect_greeted();
        if cfg!(target_os = "linux") {
            wait_for_keepalive(&client);
        }
        client.send_message("exit");
        client.expect_end();
    }
}

fn wait_for_keepalive(client: &Client) {
    // Another timer runs until the greeting is acknowledged.
    let deadline = client.deadline();
    let (local, peer) = client.addresses().expect("a TCP connection");
    while !kernel::socket_state(peer, local).is_some_and(|state| state.keepalive) {
        assert!(Instant::now() < deadline, "no keepalive timer runs for an accepted connection");
        thread::sleep(Duration::from_millis(1));
    }
}
