//! Sessions are told that the server stops.

use std::thread;
use std::time::{Duration, Instant};

use common::CloseReason;

use crate::cases::pushes::connect;
use crate::gate::Gate;
use crate::handlers::IntoService;
use crate::remote::Remote;
use crate::subject::Subject;

/// A drain timeout that never expires.
const LONG: Duration = Duration::from_secs(3600);

pub(crate) fn later_may_be_answered_at_a_stop(subject: &Subject) {
    for configure in [|remote| remote, Remote::may_block] {
        let (remote, _clients) = Remote::new(subject);
        let log = remote.log();
        let server = subject.serve(configure(remote).limited(|limits| limits.drain_timeout = LONG));
        let mut client = server.connect_greeted();
        client.send("hold\nmessage\n");
        client.wait_until_arrived();
        log.wait_until(subject.timeout(), |sessions| sessions.answered == 1);
        client.expect_no_data();
        server.drain();
        client.expect_reply("stopping");
        client.expect_last("2:message");
        let report = server.report();
        assert_eq!((report.reason(CloseReason::Stopping), report.messages), (1, 2));
    }
}

pub(crate) fn stop_is_told_between_pushes_and_messages(subject: &Subject) {
    let gate = Gate::default();
    let (remote, clients) = Remote::new(subject);
    let remote = remote.blocking_at(&gate);
    let server = subject.serve(remote.limited(|limits| limits.drain_timeout = LONG));
    let (mut client, handle) = connect(&server, &clients);
    client.send_message("tell");
    client.expect_reply("1:tell");
    client.send_message("wait");
    gate.wait_for(1, subject.timeout());
    client.send_message("message");
    client.wait_until_arrived();
    assert_eq!((handle.send(*b"first"), handle.send(*b"second")), (Ok(()), Ok(())));
    server.drain();
    let deadline = client.deadline();
    while handle.send(*b"more").is_ok() {
        assert!(Instant::now() < deadline, "pushes are accepted after a stop");
        thread::sleep(Duration::from_millis(1)); // so that the mailbox has room for all of them
    }
    gate.open();
    for expected in ["2:wait", "first", "second"] {
        client.expect_reply(expected);
    }
    let mut received = client.receive();
    while received == b"more" {
        received = client.receive();
    }
    assert_eq!(String::from_utf8_lossy(&received), "stopping");
    client.expect_last("3:message");
}

pub(crate) fn stop_is_told_once_to_each_session(subject: &Subject) {
    const CLIENTS: usize = 50;
    for configure in [|remote| remote, Remote::may_block] {
        let (remote, _clients) = Remote::new(subject);
        let server = subject.serve(configure(remote).service());
        let mut connected: Vec<_> = (0..CLIENTS).map(|_| server.connect_greeted()).collect();
        for client in &mut connected {
            client.send_message("tell");
            client.expect_reply("1:tell");
        }
        server.drain();
        connected.iter_mut().for_each(|client| client.expect_last("stopping"));
        assert_eq!(server.report().reason(CloseReason::Stopping), CLIENTS as u64);
    }
}
