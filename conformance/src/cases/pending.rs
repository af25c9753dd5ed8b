//! Deadlines, stops and disconnects while an answer is pending.

use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use common::{CloseReason, Later, Overload, SendError};

use crate::cases::deadlines::{SHORT, assert_not_early, retry_until_in_time};
use crate::cases::exhaustion::serve_and_respond;
use crate::cases::idle::{assert_idle, connect_greeted};
use crate::cases::pushes::connect;
use crate::child::{self, Child};
use crate::handlers::IntoService;
use crate::remote::Remote;
use crate::subject::Subject;

/// A drain timeout that never expires.
const LONG: Duration = Duration::from_secs(3600);

/// Waits as a task does until the answer can't be delivered any more.
fn wait_until_gone(later: &Later, timeout: Duration) {
    struct Sends(SyncSender<()>);
    impl Wake for Sends {
        fn wake(self: Arc<Self>) {
            let _ = self.0.try_send(()); // it is full if a wake-up was not received yet
        }
    }
    let (sender, woken) = sync_channel(1);
    let waker = Waker::from(Arc::new(Sends(sender)));
    let mut gone = pin!(later.gone());
    while gone.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
        woken.recv_timeout(timeout).expect("a task that awaits `gone` is woken");
    }
    assert!(later.is_gone());
}

pub(crate) fn later_times_out(subject: &Subject) {
    let (remote, clients) = Remote::new(subject);
    let server = subject.serve(remote.limited(|limits| limits.answer_timeout = SHORT));
    let mut client = server.connect_greeted();
    let start = Instant::now();
    client.send("later\nmessage\n");
    let later = clients.next_later();
    wait_until_gone(&later, subject.timeout());
    assert_not_early(start, SHORT);
    assert_eq!(later.send("answer"), Err(SendError::Gone));
    client.expect_last("ERR timeout answer");
    let report = server.stop();
    assert_eq!((report.reason(CloseReason::AnswerTimeout), report.messages), (1, 0));
}

pub(crate) fn later_races_its_timeout(subject: &Subject) {
    const TIMEOUT: Duration = Duration::from_millis(40);
    /// The interval between two sweeps, so that the timeout expires within this time.
    const INTERVAL: Duration = Duration::from_millis(10);
    let count = if subject.backend().capabilities().max_connections == Some(1) { 1 } else { 20 };
    let (remote, clients) = Remote::new(subject);
    let server = subject.serve(remote.limited(|limits| limits.answer_timeout = TIMEOUT));
    let mut answered = 0;
    for round in 0..5 {
        let mut connected: Vec<_> = (0..count).map(|_| server.connect_greeted()).collect();
        thread::scope(|scope| {
            let answers: Vec<_> = (0..count)
                .zip(&mut connected)
                .map(|(number, client)| {
                    client.send_message("later");
                    let later = clients.next_later();
                    let share = f64::from(number * 5 + round) / f64::from(count * 5);
                    let after = TIMEOUT - INTERVAL / 2 + INTERVAL.mul_f64(2.0 * share);
                    scope.spawn(move || {
                        thread::sleep(after);
                        later.send("answer")
                    })
                })
                .collect();
            for (answer, client) in answers.into_iter().zip(&mut connected) {
                if answer.join().expect("an answer").is_ok() {
                    client.expect_reply("answer");
                    client.send_message("message");
                    client.expect_reply("2:message");
                    client.send_message("exit");
                    client.expect_end();
                    answered += 1;
                } else {
                    client.expect_last("ERR timeout answer");
                }
            }
        });
    }
    let report = server.stop();
    let timed_out = 5 * u64::try_from(count).expect("a small number") - answered;
    assert_eq!((report.reason(CloseReason::AnswerTimeout), report.messages), (timed_out, 3 * answered));
}

pub(crate) fn later_stops_other_deadlines(subject: &Subject) {
    let (remote, clients) = Remote::new(subject);
    let log = remote.log();
    let server = subject.serve(remote.limited(|limits| limits.idle_timeout = Some(SHORT)));
    retry_until_in_time(|| {
        let closed = log.read().closed.len();
        let mut client = server.connect();
        client.send("later\n");
        client.expect_reply("hello");
        let Some(later) = clients.next_later_unless(|| log.read().closed.len() > closed) else {
            return false;
        };
        thread::sleep(2 * SHORT);
        let start = Instant::now();
        assert_eq!(later.send("answer"), Ok(()));
        client.expect_reply("answer");
        client.expect_last("ERR timeout idle");
        assert_not_early(start, SHORT);
        true
    });
}

pub(crate) fn later_after_the_end_of_input(subject: &Subject) {
    for configure in [|remote| remote, Remote::may_block] {
        let (remote, clients) = Remote::new(subject);
        let server = subject.serve(configure(remote).service());
        for (messages, rest) in [("later\n", ""), ("later\nmessage\n", "2:message\n")] {
            let mut client = server.connect_greeted();
            client.send(messages);
            client.end_input();
            let later = clients.next_later();
            client.expect_no_data();
            assert_eq!(later.send("answer"), Ok(()));
            client.expect_reply("answer");
            client.expect_bytes(rest);
            client.expect_end();
        }
        assert_eq!(server.stop().reason(CloseReason::EndOfInput), 2);
    }
}

pub(crate) fn later_is_awaited_by_a_stop(subject: &Subject) {
    let (remote, clients) = Remote::new(subject);
    let server = subject.serve(remote.limited(|limits| limits.drain_timeout = LONG));
    let (mut client, handle) = connect(&server, &clients);
    client.send("later\nmessage\n");
    client.wait_until_arrived();
    let later = clients.next_later();
    server.drain();
    let deadline = client.deadline();
    let mut pushed = 0;
    while handle.send(*b"push").is_ok() {
        pushed += 1;
        client.expect_reply("push");
        assert!(Instant::now() < deadline, "pushes are accepted after a stop");
    }
    client.expect_no_data();
    assert!(!later.is_gone());
    assert_eq!(later.send("answer"), Ok(()));
    client.expect_reply("answer");
    client.expect_last("2:message");
    let report = server.report();
    assert_eq!((report.reason(CloseReason::Stopping), report.pushes_delivered), (1, pushed));
}

pub(crate) fn later_ends_when_cut_off(subject: &Subject) {
    let timeout = Duration::from_millis(200);
    let (remote, clients) = Remote::new(subject);
    let log = remote.log();
    let server = subject.serve(remote.limited(|limits| limits.drain_timeout = timeout));
    let mut client = server.connect_greeted();
    client.send_message("later");
    let later = clients.next_later();
    let start = Instant::now();
    server.drain();
    let report = server.report();
    assert_not_early(start, timeout);
    assert_eq!(report.reason(CloseReason::Cut), 1);
    wait_until_gone(&later, subject.timeout());
    assert_eq!(later.send("answer"), Err(SendError::Gone));
    log.wait_until(subject.timeout(), |sessions| sessions.closed == [CloseReason::Cut]);
}

pub(crate) fn later_after_a_reset(subject: &Subject) {
    let (remote, clients) = Remote::new(subject);
    let log = remote.log();
    let server = subject.serve(remote.limited(|limits| {
        (limits.max_connections, limits.overload) = (1, Overload::Queue);
    }));
    let mut client = server.connect_greeted();
    client.send_message("part");
    let later = clients.next_later();
    // A socket that is closed with unread input is reset.
    client.wait_for_input();
    drop(client);
    let mut next = server.connect();
    let _ = later.send("answer"); // it is gone if the server has noticed the reset
    next.expect_reply("hello");
    next.send_message("exit");
    next.expect_end();
    assert_eq!(log.read().closed, [CloseReason::Lost, CloseReason::Exit]);
    assert_eq!(server.stop().reason(CloseReason::Lost), 1);
}

pub(crate) fn later_is_gone_after_a_reset(subject: &Subject) {
    for configure in [|remote| remote, Remote::may_block] {
        let (remote, clients) = Remote::new(subject);
        let server = subject.serve(configure(remote).limited(|limits| limits.answer_timeout = LONG));
        for is_pushed in [false, true] {
            let (mut client, handle) = connect(&server, &clients);
            client.send_message("later");
            let later = clients.next_later();
            if is_pushed {
                assert_eq!(handle.send(*b"first"), Ok(()));
                client.expect_reply("first");
            }
            assert_eq!(handle.send(*b"unread"), Ok(()));
            client.wait_for_input();
            client.leave_unannounced();
            wait_until_gone(&later, subject.timeout());
            assert_eq!(later.send("answer"), Err(SendError::Gone));
        }
        let report = server.stop();
        assert_eq!((report.reason(CloseReason::Lost), report.messages), (2, 0));
    }
}

pub(crate) fn later_pending_uses_no_cpu_time(subject: &Subject) {
    if let Some(parent) = child::parent() {
        let (remote, clients) = Remote::new(subject);
        return serve_and_respond(parent, subject, remote.service(), |_| {
            let _ = clients.next_later().send("answer");
        });
    }
    let mut child = Child::start(subject);
    let mut client = connect_greeted(&mut child, subject);
    client.send("later\nmessage\n");
    client.wait_until_arrived();
    client.end_input();
    assert_idle(&mut child, "with a pending answer and unread input that has ended");
    child.request("answer");
    client.expect_reply("answer");
    client.expect_last("2:message");

    for unread in ["", "message\n"] {
        let mut client = connect_greeted(&mut child, subject);
        client.send(format!("part\n{unread}"));
        client.wait_until_arrived();
        client.wait_for_input();
        drop(client);
        assert_idle(&mut child, "with a pending answer to a client that was reset");
        child.request("answer");
    }
}
