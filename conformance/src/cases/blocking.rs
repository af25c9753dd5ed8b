//! Handlers that may block don't delay other clients.

use std::num::NonZeroUsize;

use common::Service;
use serving::{BlockingHandlers, Workers};

use crate::cases::capabilities::assert_unsupported;
use crate::cases::fairness::on_workers;
use crate::cases::order::pipelined;
use crate::client::Client;
use crate::gate::Gate;
use crate::handlers::{Action, IntoService, SLEEP, Scripted};
use crate::subject::Subject;

pub(crate) fn blocking_handlers_keep_order(subject: &Subject) {
    let server = subject.serve(Scripted::new().may_block().service());
    let mut client = server.connect_greeted();
    pipelined(&mut client, 2000);
    client.send_message("exit");
    client.expect_end();
}

pub(crate) const WORKERS: usize = 3;

/// The number of handlers that may block while another client must still be answered.
pub(crate) fn blocked_count(subject: &Subject) -> usize {
    let capabilities = subject.backend().capabilities();
    match capabilities.blocking_handlers {
        BlockingHandlers::OwnThread | BlockingHandlers::Offloaded => WORKERS + 1,
        BlockingHandlers::OnWorker if capabilities.workers == Workers::Chosen => WORKERS - 1,
        BlockingHandlers::OnWorker => 1,
        other => panic!("the kit has no case for handlers that block {other:?}"),
    }
}

fn service(script: Scripted, subject: &Subject) -> Service {
    on_workers(WORKERS, script.service(), subject)
}

pub(crate) fn assert_answered(client: &mut Client) {
    for number in 1..=10 {
        client.send_message("meanwhile");
        client.expect_reply(format!("{number}:meanwhile"));
    }
}

pub(crate) fn blocked_handlers_delay_no_other_client(subject: &Subject) {
    let gate = Gate::default();
    let server = subject.serve(service(Scripted::new().blocking_at(&gate), subject));
    let mut other = server.connect_greeted();
    let mut clients: Vec<_> = (0..blocked_count(subject)).map(|_| server.connect_greeted()).collect();
    for client in &mut clients {
        client.send("wait\nafterwards\n");
    }
    gate.wait_for(clients.len(), subject.timeout());
    assert_answered(&mut other);
    assert_answered(&mut server.connect_greeted());
    gate.open();
    for client in &mut clients {
        client.expect_reply("1:wait");
        client.expect_reply("2:afterwards");
    }
}

pub(crate) fn blocked_open_delays_no_other_client(subject: &Subject) {
    let gate = Gate::default();
    let script = Scripted::new().blocking_at(&gate).at_open(Action::WaitUnlessFirst);
    let server = subject.serve(service(script, subject));
    let mut other = server.connect_greeted();
    let mut clients: Vec<_> = (0..blocked_count(subject)).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.shake_hands().expect("a handshake");
    }
    gate.wait_for(clients.len(), subject.timeout());
    assert_answered(&mut other);
    gate.open();
    for client in &mut clients {
        client.expect_reply("hello");
    }
}

pub(crate) fn blocked_closed_delays_no_other_client(subject: &Subject) {
    let gate = Gate::default();
    let script = Scripted::new().blocking_at(&gate).at_close(Action::Wait);
    let server = subject.serve(service(script, subject));
    let mut other = server.connect_greeted();
    let mut clients: Vec<_> = (0..blocked_count(subject)).map(|_| server.connect_greeted()).collect();
    for client in &mut clients {
        client.send_message("exit");
    }
    gate.wait_for(clients.len(), subject.timeout());
    assert_answered(&mut other);
    gate.open();
    for client in &mut clients {
        client.expect_end();
    }
}

pub(crate) fn max_blocking_threads_is_exact(subject: &Subject) {
    const MAX: usize = 3;
    let gate = Gate::default();
    let service = Scripted::new().blocking_at(&gate).service();
    let service = service.with_blocking_threads(NonZeroUsize::new(MAX));
    if subject.backend().capabilities().blocking_handlers != BlockingHandlers::Offloaded {
        return assert_unsupported(subject, service);
    }
    let server = subject.serve(service);
    let mut clients: Vec<_> = (0..=MAX).map(|_| server.connect_greeted()).collect();
    for (running, client) in (1..).zip(&mut clients) {
        client.send("wait\nafterwards\n");
        gate.wait_for(running.min(MAX), subject.timeout());
    }
    clients[MAX].wait_until_arrived();
    clients[MAX].expect_no_data();
    assert_eq!(gate.waiting(), MAX, "more handlers run at once than allowed");
    gate.open();
    for client in &mut clients {
        client.expect_reply("1:wait");
        client.expect_reply("2:afterwards");
    }
}

pub(crate) fn handlers_are_not_interrupted_by_signals(subject: &Subject) {
    for script in [Scripted::new(), Scripted::new().may_block()] {
        let server = subject.serve(script.limited(|limits| limits.drain_timeout = 10 * SLEEP));
        let mut client = server.connect_greeted();
        client.send_message("sleep");
        client.wait_until_read();
        server.drain();
        client.expect_last("1:slept");
    }
}
