//! A client that vanishes frees what it held.

use std::thread;
use std::time::{Duration, Instant};

use common::{CloseReason, Overload};

use crate::client::Client;
use crate::handlers::Scripted;
use crate::kernel;
use crate::subject::Subject;

pub(crate) fn a_reset_frees_the_place(subject: &Subject) {
    let server = subject.serve(Scripted::new().limited(|limits| {
        limits.max_connections = 1;
        limits.overload = Overload::Queue;
    }));
    let vanishing = server.connect_greeted();
    let mut waiting = server.connect();
    vanishing.resets();
    waiting.hears("hello");
    waiting.say("exit");
    waiting.hears_end();
    assert_eq!(server.stop().reason(CloseReason::Lost), 1);
}

pub(crate) fn a_reset_under_unread_replies_frees_the_place(subject: &Subject) {
    let script = Scripted::new();
    let journal = script.journal();
    let service = script.limited(|limits| {
        limits.max_connections = 1;
        limits.overload = Overload::Queue;
    });
    let server = subject.serve_with_buffers(service, 64 * 1024);
    let mut vanishing = server.connect_greeted();
    vanishing.say("big 1000000");
    journal.waits_until(subject.patience(), |entries| entries.answered == 1);
    let mut waiting = server.connect();
    vanishing.resets();
    waiting.hears("hello");
    waiting.say("exit");
    waiting.hears_end();
    assert_eq!(server.stop().reason(CloseReason::Lost), 1);
}

pub(crate) fn vanished_clients_are_looked_for(subject: &Subject) {
    let server = subject.serve(Scripted::new().service());
    // The first may have connected before the backend had the listener.
    for _ in 0..2 {
        let mut client = server.connect_greeted();
        if cfg!(target_os = "linux") {
            is_looked_for(&client);
        }
        client.say("exit");
        client.hears_end();
    }
}

fn is_looked_for(client: &Client) {
    // Until the greeting is acknowledged, another timer runs.
    let deadline = client.deadline();
    let (local, peer) = client.ends().expect("a connection of TCP");
    while !kernel::end(peer, local).is_some_and(|end| end.keepalive) {
        assert!(Instant::now() < deadline, "no keepalive timer runs for an accepted connection");
        thread::sleep(Duration::from_millis(1));
    }
}
