//! The server stops reading from a client that does not read, and memory stays bounded.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use common::{CloseReason, Limits};

use crate::handlers::{IntoService, Scripted, pattern};
use crate::subject::Subject;

/// The size of the socket buffers, at each end and for each direction. The kernel allocates about twice as much.
const BUFFERS: usize = 64 * 1024;

/// The maximum amount of data in the connection's buffers and in the kernel.
fn bound() -> usize {
    Limits::default().memory_bound() + 16 * BUFFERS
}

pub(crate) fn reading_pauses_while_replies_are_unsent(subject: &Subject) {
    let timeout = Duration::from_millis(300);
    let script = Scripted::new();
    let log = script.log();
    let server = subject.serve_with_buffers(script.limited(|limits| limits.write_timeout = timeout), BUFFERS);
    let mut client = server.connect();
    let messages = format!("{}\n", "x".repeat(99)).repeat(100);
    let mut taken = 0;
    loop {
        match client.send_some(messages.as_bytes()) {
            Ok(count) => taken += count,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                panic!("the write deadline does not end the connection");
            }
            Err(_) => break,
        }
        assert!(taken <= bound(), "{taken} bytes were read from a client that reads nothing");
    }
    log.wait_until(subject.timeout(), |sessions| sessions.closed == [CloseReason::WriteTimeout]);
    assert_eq!(server.stop().reason(CloseReason::WriteTimeout), 1);
}

pub(crate) fn large_replies_are_bounded(subject: &Subject) {
    const REPLY: usize = 60_000;
    let timeout = Duration::from_millis(300);
    let script = Scripted::new();
    let log = script.log();
    let server = subject.serve_with_buffers(script.limited(|limits| limits.write_timeout = timeout), BUFFERS);
    let mut client = server.connect_greeted();
    client.send(format!("big {REPLY}\n").repeat(1000));
    let sessions = log.wait_until(subject.timeout(), |sessions| !sessions.closed.is_empty());
    assert_eq!(sessions.closed, [CloseReason::WriteTimeout]);
    let replies = sessions.answered * REPLY;
    assert!(replies <= bound(), "{replies} bytes of replies were produced for a client that reads nothing");
}

pub(crate) fn reading_resumes(subject: &Subject) {
    let server = subject.serve_with_buffers(Scripted::new().service(), BUFFERS);
    let mut client = server.connect_greeted();
    // The first reply exceeds the buffers of the kernel.
    client.send(format!("big 1000000\n{}exit\n", "big 1000\nsmall\n".repeat(1000)));
    client.expect_reply(pattern(1_000_000));
    for number in 1..=1000 {
        client.expect_reply(pattern(1000));
        client.expect_reply(format!("{}:small", 2 * number + 1));
    }
    client.expect_end();
}

pub(crate) fn minimum_rate(subject: &Subject) {
    let window = Duration::from_millis(400);
    let script = Scripted::new();
    let log = script.log();
    let service = script.limited(|limits| (limits.min_rate, limits.min_rate_window) = (1 << 30, window));
    let server = subject.serve_with_buffers(service, BUFFERS);
    let mut client = server.connect_greeted();
    let start = Instant::now();
    client.send_message("big 1000000");
    // It reads all the time, though never a gigabyte in a second.
    while log.read().closed.is_empty() && start.elapsed() < subject.timeout() {
        std::thread::sleep(window / 16);
        let _ = client.read_raw(1024);
    }
    assert_eq!(log.read().closed, [CloseReason::WriteTimeout]);
    assert!(start.elapsed() >= window, "it was cut off after {:?}", start.elapsed());
    assert_eq!(server.stop().reason(CloseReason::WriteTimeout), 1);
}

pub(crate) fn slow_reader_does_not_time_out(subject: &Subject) {
    // The reader must be steady, so a busy machine needs a longer deadline.
    let mut timeouts = [200, 400, 800, 1600, 3200, 6400].map(Duration::from_millis).into_iter();
    let steady = timeouts.any(|timeout| reads_steadily(subject, timeout));
    assert!(steady, "this machine is too busy to read steadily");
}

/// Returns whether the reader was steady. If it was, checks that it received everything.
fn reads_steadily(subject: &Subject, timeout: Duration) -> bool {
    const REPLY: usize = 700_000;
    let service = Scripted::new().limited(|limits| limits.write_timeout = timeout);
    let server = subject.serve_with_buffers(service, 4 * BUFFERS);
    // The buffer is small, so that a few reads of the client let the kernel send more.
    let mut client = server.connect_with_buffers(BUFFERS / 2);
    client.expect_reply("hello");
    client.send_message(format!("big {REPLY}"));
    client.wait_for_input();
    let mut last = Instant::now();
    // Reading takes three times as long as the deadline.
    for _ in 0..24 {
        std::thread::sleep(timeout / 8);
        let received = client.read_at_most(12 * 1024);
        if last.elapsed() > timeout / 2 {
            return false;
        }
        last = Instant::now();
        assert!(received.is_ok_and(|count| count > 0), "a steady reader was cut");
    }
    client.expect_reply(pattern(REPLY));
    client.send_message("exit");
    client.expect_end();
    true
}
