//! A client that does not read is not read, and memory stays bounded.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use common::{CloseReason, Limits};

use crate::handlers::{Scripted, filling};
use crate::subject::Subject;

/// The buffers that are asked of the kernel, which gives about twice that, at each end and for each
/// direction.
const BUFFERS: usize = 64 * 1024;

/// What may be under way at the most: with the connection, and in the kernel.
fn bound() -> usize {
    Limits::default().memory_bound() + 16 * BUFFERS
}

pub(crate) fn reading_stops_while_nobody_reads(subject: &Subject) {
    let timeout = Duration::from_millis(300);
    let script = Scripted::new();
    let journal = script.journal();
    let server = subject.serve_with_buffers(script.limited(|limits| limits.write_timeout = timeout), BUFFERS);
    let mut client = server.connect();
    let messages = format!("{}\n", "x".repeat(99)).repeat(100);
    let mut taken = 0;
    loop {
        match client.send_some(messages.as_bytes()) {
            Ok(count) => taken += count,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                panic!("the write deadline does not end it");
            }
            Err(_) => break,
        }
        assert!(taken <= bound(), "{taken} bytes were taken from a client that reads nothing");
    }
    journal.waits_until(subject.patience(), |entries| entries.closed == [CloseReason::WriteTimeout]);
    assert_eq!(server.stop().reason(CloseReason::WriteTimeout), 1);
}

pub(crate) fn large_replies_are_bounded(subject: &Subject) {
    const REPLY: usize = 60_000;
    let timeout = Duration::from_millis(300);
    let script = Scripted::new();
    let journal = script.journal();
    let server = subject.serve_with_buffers(script.limited(|limits| limits.write_timeout = timeout), BUFFERS);
    let mut client = server.connect_greeted();
    client.send(format!("big {REPLY}\n").repeat(1000));
    let entries = journal.waits_until(subject.patience(), |entries| !entries.closed.is_empty());
    assert_eq!(entries.closed, [CloseReason::WriteTimeout]);
    let replies = entries.answered * REPLY;
    assert!(replies <= bound(), "{replies} bytes of replies were made for a client that reads nothing");
}

pub(crate) fn reading_resumes(subject: &Subject) {
    let server = subject.serve_with_buffers(Scripted::new().service(), BUFFERS);
    let mut client = server.connect_greeted();
    // The first reply alone is more than the kernel takes.
    client.send(format!("big 1000000\n{}exit\n", "big 1000\nsmall\n".repeat(1000)));
    client.hears(filling(1_000_000));
    for number in 1..=1000 {
        client.hears(filling(1000));
        client.hears(format!("{}:small", 2 * number + 1));
    }
    client.hears_end();
}

pub(crate) fn a_steady_reader_is_not_cut(subject: &Subject) {
    // The premise is a reader that is steady, for which a busy machine needs a longer deadline.
    let mut timeouts = [200, 400, 800, 1600, 3200, 6400].map(Duration::from_millis).into_iter();
    let steady = timeouts.any(|timeout| reads_steadily(subject, timeout));
    assert!(steady, "this machine is too busy to read steadily");
}

/// Whether the reader was steady; if so, it got everything.
fn reads_steadily(subject: &Subject, timeout: Duration) -> bool {
    const REPLY: usize = 700_000;
    let service = Scripted::new().limited(|limits| limits.write_timeout = timeout);
    let server = subject.serve_with_buffers(service, 4 * BUFFERS);
    // So small a buffer that the kernel sends with every few of the client's reads.
    let mut client = server.connect_with_buffers(BUFFERS / 2);
    client.hears("hello");
    client.say(format!("big {REPLY}"));
    client.waits_for_input();
    let mut last = Instant::now();
    // Three times as long as the deadline.
    for _ in 0..24 {
        std::thread::sleep(timeout / 8);
        let heard = client.listen_to(12 * 1024);
        if last.elapsed() > timeout / 2 {
            return false;
        }
        last = Instant::now();
        assert!(heard.is_ok_and(|count| count > 0), "a steady reader was cut");
    }
    client.hears(filling(REPLY));
    client.say("exit");
    client.hears_end();
    true
}
