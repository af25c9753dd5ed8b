//! Before a conversation ends, all replies are delivered, followed by a clean end.

use std::sync::Arc;
use std::time::Duration;

use common::{CloseReason, Framing};

use crate::client::Client;
use crate::framing::encode;
use crate::gate::Gate;
use crate::handlers::{Action, IntoService, Scripted, pattern};
use crate::log::SessionLog;
use crate::server::Server;
use crate::subject::Subject;

pub(crate) fn exit_ends_the_conversation(subject: &Subject) {
    let script = Scripted::new();
    let log = script.log();
    let server = subject.serve(script.service());
    let mut client = server.connect_greeted();
    client.send("a\nb\nexit\nnever\npart");
    client.expect_reply("1:a");
    client.expect_last("2:b");
    let report = server.stop();
    assert_eq!((report.messages, report.reason(CloseReason::Exit)), (3, 1));
    assert_eq!(log.read().answered, 3, "a message after the exit was handled");
}

pub(crate) fn half_close_is_answered(subject: &Subject) {
    for script in [Scripted::new(), Scripted::new().may_block()] {
        let server = subject.serve(script.service());
        let mut client = server.connect_greeted();
        client.send("message\n".repeat(1000));
        client.end_input();
        (1..=1000).for_each(|number| client.expect_reply(format!("{number}:message")));
        client.expect_end();
        assert_eq!(server.stop().reason(CloseReason::EndOfInput), 1);
    }
}

pub(crate) fn half_close_without_a_message(subject: &Subject) {
    let server = subject.serve(Scripted::new().service());
    let mut client = server.connect();
    client.end_input();
    client.expect_last("hello");
    assert_eq!(server.stop().reason(CloseReason::EndOfInput), 1);
}

pub(crate) fn half_close_within_a_message(subject: &Subject) {
    for framing in [Framing::Line, Framing::Length] {
        for script in [Scripted::new(), Scripted::new().may_block()] {
            let server = subject.serve(script.service_in(framing));
            let mut client = server.connect_in(framing);
            client.expect_reply("hello");
            client.send([encode(framing, b"whole"), encode(framing, b"part")[..4].to_vec()].concat());
            client.end_input();
            client.expect_reply("1:whole");
            client.expect_last("ERR incomplete");
            assert_eq!(server.stop().reason(CloseReason::Incomplete), 1);
        }
    }
}

pub(crate) fn last_reply_is_not_lost_to_a_reset(subject: &Subject) {
    const LENGTH: usize = 700_000;
    let server = subject.serve_with_buffers(Scripted::new().service(), 64 * 1024);
    let mut client = server.connect_greeted();
    // More than one read of the server, so that it closes with unread input, but less than it discards.
    let more = "more\n".repeat(32 * 1024 / 5);
    client.send(format!("last {LENGTH}\n{more}"));
    let received = client.read_to_end_in_pieces(16 * 1024, Duration::from_millis(1));
    assert!(received == [pattern(LENGTH), b"\n"].concat(), "{} bytes of {LENGTH}", received.len());
}

pub(crate) fn error_reply_is_not_lost_to_a_reset(subject: &Subject) {
    let server = subject.serve(Scripted::new().limited(|limits| limits.max_message = 100));
    let mut client = server.connect_greeted();
    client.send("x".repeat(32 * 1024));
    client.expect_last("ERR too-long max=100");
}

/// What a client does to end its conversation.
type Ending = fn(Client);

/// Waits for the end after sending, since the conversation counts as lost otherwise.
fn send_and_read_to_end(mut client: Client, message: impl AsRef<[u8]>) {
    client.send_message(message);
    client.read_to_end();
}

pub(crate) fn closed_is_called_once(subject: &Subject) {
    let endings: [(CloseReason, Ending); 7] = [
        (CloseReason::Exit, |mut client| client.send_message("exit")),
        (CloseReason::EndOfInput, |mut client| client.end_input()),
        (CloseReason::Incomplete, |mut client| {
            client.send("part");
            client.end_input();
            client.expect_last("ERR incomplete");
        }),
        (CloseReason::TooLong, |client| send_and_read_to_end(client, "x".repeat(101))),
        (CloseReason::Panicked, |client| send_and_read_to_end(client, "panic")),
        (CloseReason::ReplyTooLong, |client| send_and_read_to_end(client, "big 200")),
        (CloseReason::Lost, Client::reset),
    ];
    let script = Scripted::new();
    let log = script.log();
    let server = subject.serve(script.limited(|limits| (limits.max_message, limits.max_reply) = (100, 100)));
    let mut reasons = Vec::new();
    for (reason, ending) in endings {
        ending(server.connect_greeted());
        reasons.push(reason);
        let sessions = log.wait_until(subject.timeout(), |sessions| sessions.closed.len() >= reasons.len());
        assert_eq!(sessions.closed, reasons);
    }
    let client = server.connect_greeted();
    reasons.push(CloseReason::Stopping);
    assert_closed_at_stop(server, &log, &reasons);
    drop(client);

    let timeout = Duration::from_millis(100);
    let script = Scripted::new();
    let log = script.log();
    let server = subject.serve(script.limited(|limits| limits.idle_timeout = Some(timeout)));
    server.connect().read_to_end();
    assert_closed_at_stop(server, &log, &[CloseReason::IdleTimeout]);

    let script = Scripted::new();
    let log = script.log();
    let server = subject.serve(script.limited(|limits| limits.message_timeout = timeout));
    let mut client = server.connect();
    client.send("part");
    client.read_to_end();
    assert_closed_at_stop(server, &log, &[CloseReason::MessageTimeout]);
}

/// Stops the server, and checks that `closed` was called once for each session, with these reasons.
fn assert_closed_at_stop(server: Server, log: &Arc<SessionLog>, reasons: &[CloseReason]) {
    let report = server.stop();
    assert_eq!(log.read().closed, reasons);
    for reason in reasons {
        assert_eq!(report.reason(*reason), 1, "{reason}");
    }
}

pub(crate) fn closed_is_called_when_cut_off(subject: &Subject) {
    // Handlers that declare that they may block, and handlers that block without declaring it.
    for block_at in [Scripted::blocking_at, Scripted::blocking_undeclared_at] {
        cut_within_handlers(subject, block_at, Action::Nothing);
    }
}

/// Cuts off clients whose handlers run or wait for a worker, and checks that `closed` is called once for each session.
pub(crate) fn cut_within_handlers(
    subject: &Subject,
    block_at: fn(Scripted, &Gate) -> Scripted,
    at_drop: Action,
) {
    const CLIENTS: usize = 20;
    let gate = Gate::default();
    let script = block_at(Scripted::new(), &gate).at_drop(at_drop);
    let log = script.log();
    let server = subject.serve(script.limited(|limits| limits.drain_timeout = Duration::ZERO));
    let mut connected: Vec<_> = (0..CLIENTS).map(|_| server.connect_greeted()).collect();
    for client in &mut connected {
        client.send_message("wait");
    }
    gate.wait_for(1, subject.timeout());
    server.drain();
    let report = server.report();
    gate.open();
    let sessions = log.wait_until(subject.timeout(), |sessions| sessions.closed.len() >= CLIENTS);
    assert_eq!(report.ended(), CLIENTS as u64);
    let cut = |why: &CloseReason| matches!(why, CloseReason::Cut | CloseReason::Stopping);
    assert!(sessions.closed.iter().all(cut), "{:?}", sessions.closed);
    log.assert_closed(CLIENTS);
    drop(connected);
}
