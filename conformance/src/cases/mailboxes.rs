//! Mailboxes are bounded, and each pushed message is counted as delivered, dropped or refused.

use std::thread;
use std::time::{Duration, Instant};

use common::{CloseReason, Handle, Limits, MAX_READ, MailboxFull, Overload, SendError, TURN_REPLIES};

use crate::cases::blocking::assert_answered;
use crate::cases::pushes::{connect, parse_pushed, pushed_by};
use crate::handlers::IntoService;
use crate::remote::Remote;
use crate::subject::Subject;

/// The size of the socket buffers, at each end. The kernel allocates about twice as much.
const BUFFERS: usize = 64 * 1024;
const MAILBOX: usize = 64 * 1024;
const MAX_REPLY: usize = 10_000;
/// More pushed messages than fit into a connection.
const MANY: usize = 10_000;

/// Sets a small mailbox, and other limits that matter for the memory of a connection.
fn small_mailbox(full: MailboxFull) -> impl FnOnce(&mut Limits) {
    move |limits| {
        (limits.mailbox, limits.mailbox_full) = (MAILBOX, full);
        (limits.max_message, limits.max_reply) = (MAX_REPLY, MAX_REPLY);
    }
}

/// The `number`th pushed message, of at least 1,000 bytes.
fn long(number: usize) -> Vec<u8> {
    format!("{number} {}", "x".repeat(1000)).into_bytes()
}

/// Pushes messages to a client that reads nothing until one is not accepted, slowly enough that the buffers of the kernel are
/// full before. Returns how many were accepted.
fn push_until_full(handle: &Handle) -> usize {
    for number in 0..MANY {
        if number % 20 == 0 {
            thread::sleep(Duration::from_millis(1));
        }
        match handle.send(long(number)) {
            Ok(()) => {}
            Err(error) => {
                assert_eq!(error, SendError::Full);
                return number;
            }
        }
    }
    panic!("a client that reads nothing accepts {MANY} messages");
}

pub(crate) fn pushes_beyond_the_mailbox_end_the_client(subject: &Subject) {
    let (remote, clients) = Remote::new(subject);
    let log = remote.log();
    let server = subject.serve_with_buffers(remote.limited(small_mailbox(MailboxFull::Close)), BUFFERS);
    let (mut client, handle) = connect(&server, &clients);
    let accepted = push_until_full(&handle);
    assert_eq!(handle.send(*b"another"), Err(SendError::Gone));
    log.wait_until(subject.timeout(), |sessions| sessions.closed == [CloseReason::MailboxFull]);
    assert!(handle.is_gone());
    let received = client.read_to_cut(64 * 1024, Duration::ZERO);
    let pushed: Vec<_> = (0..accepted).flat_map(|number| [long(number), b"\n".to_vec()].concat()).collect();
    assert!(pushed.starts_with(&received), "the client has not received the first of the pushed messages");
    drop(client);
    let report = server.stop();
    assert_eq!(report.reason(CloseReason::MailboxFull), 1);
    assert_eq!((report.pushed, report.pushes_refused), (accepted as u64 + 1, 1));
    assert!(report.pushes_dropped > 0, "a full mailbox was empty at the end: {report:?}");
}

pub(crate) fn pushes_beyond_one_mailbox_disturb_no_other_client(subject: &Subject) {
    for full in [MailboxFull::Close, MailboxFull::Refuse, MailboxFull::DropOldest] {
        let (remote, clients) = Remote::new(subject);
        let server = subject.serve_with_buffers(remote.limited(small_mailbox(full)), BUFFERS);
        let (client, handle) = connect(&server, &clients);
        let (mut other, other_handle) = connect(&server, &clients);
        for number in 0..1_000 {
            let _ = handle.send(long(number));
            if number % 100 == 0 {
                assert_eq!(other_handle.send(pushed_by(0, number).into_bytes()), Ok(()));
                other.expect_reply(pushed_by(0, number));
            }
        }
        assert_answered(&mut other);
        drop(client);
    }
}

pub(crate) fn pushes_beyond_the_mailbox_are_refused(subject: &Subject) {
    let (remote, clients) = Remote::new(subject);
    let server = subject.serve_with_buffers(remote.limited(small_mailbox(MailboxFull::Refuse)), BUFFERS);
    let (mut client, handle) = connect(&server, &clients);
    let (mut accepted, mut refused) = (Vec::new(), 0);
    for number in 0..MANY {
        match handle.send(long(number)) {
            Ok(()) => accepted.push(number),
            Err(error) => {
                assert_eq!(error, SendError::Full);
                refused += 1;
            }
        }
    }
    let bytes: usize = accepted.iter().map(|&number| long(number).len()).sum();
    // The connection's buffers, and those of the kernel.
    let bound = MAILBOX + 3 * MAX_REPLY + MAX_READ + TURN_REPLIES + 16 * BUFFERS;
    assert!(bytes <= bound, "a client that reads nothing has accepted {bytes} bytes");
    for &number in &accepted {
        client.expect_reply(long(number));
    }
    assert_eq!(handle.send(*b"another"), Ok(()));
    client.expect_reply("another");
    client.send_message("exit");
    client.expect_end();
    let report = server.stop();
    assert_eq!((report.pushes_delivered, report.pushes_refused), (accepted.len() as u64 + 1, refused));
}

pub(crate) fn pushes_beyond_the_mailbox_drop_the_oldest(subject: &Subject) {
    let (remote, clients) = Remote::new(subject);
    let server = subject.serve_with_buffers(remote.limited(small_mailbox(MailboxFull::DropOldest)), BUFFERS);
    let (mut client, handle) = connect(&server, &clients);
    for number in 0..MANY {
        assert_eq!(handle.send(long(number)), Ok(()));
    }
    let (mut next, mut missed) = (0, 0);
    while next < MANY {
        let received = client.receive();
        let text = String::from_utf8_lossy(&received);
        if let Some(count) = text.strip_prefix("missed ") {
            let count: usize = count.parse().expect("a number");
            (next, missed) = (next + count, missed + count);
        } else {
            assert!(received == long(next), "message {next} is missing, and the session was not told");
            next += 1;
        }
    }
    assert!(missed > 0, "a client that reads nothing has received all messages");
    client.send_message("exit");
    client.expect_end();
    let report = server.stop();
    let counts = (report.pushed, report.pushes_dropped, report.pushes_refused);
    assert_eq!(counts, (MANY as u64, missed as u64, 0));
}

pub(crate) fn pushes_to_a_client_that_leaves_are_counted(subject: &Subject) {
    let (remote, clients) = Remote::new(subject);
    let server = subject.serve(remote.limited(small_mailbox(MailboxFull::Refuse)));
    let (mut client, handle) = connect(&server, &clients);
    let deadline = client.deadline();
    let (accepted, refused) = thread::scope(|scope| {
        let sending = scope.spawn(|| {
            let (mut accepted, mut refused) = (0, 0);
            while Instant::now() < deadline {
                match handle.send(pushed_by(0, accepted).into_bytes()) {
                    Ok(()) => accepted += 1,
                    Err(SendError::Gone) => return (accepted, refused),
                    Err(_) => {
                        refused += 1;
                        thread::sleep(Duration::from_millis(1));
                    }
                }
            }
            panic!("the client has left, and its handle is not gone");
        });
        (0..100).for_each(|number| client.expect_reply(pushed_by(0, number)));
        drop(client);
        sending.join().expect("a sender")
    });
    let report = server.stop();
    assert_eq!((report.pushed, report.pushes_refused), (accepted as u64 + refused, refused));
    assert!(report.pushes_delivered >= 100, "{report:?}");
}

pub(crate) fn pushes_before_a_stop_are_delivered(subject: &Subject) {
    const SENDERS: usize = 4;
    let (remote, clients) = Remote::new(subject);
    let server = subject.serve(remote.limited(|limits| {
        limits.mailbox_full = MailboxFull::Refuse;
        limits.drain_timeout = Duration::from_secs(3600);
    }));
    let (mut client, handle) = connect(&server, &clients);
    let deadline = client.deadline();
    thread::scope(|scope| {
        let send_all = |sender| {
            let mut number = 0;
            while Instant::now() < deadline {
                match handle.send(pushed_by(sender, number).into_bytes()) {
                    Ok(()) => number += 1,
                    Err(SendError::Gone) => return number,
                    Err(_) => thread::sleep(Duration::from_millis(1)),
                }
            }
            panic!("the server was stopped, and the handle of a client is not gone");
        };
        let senders: [_; SENDERS] = std::array::from_fn(|sender| scope.spawn(move || send_all(sender)));
        let mut received = [0; SENDERS];
        while let Some(message) = client.next_reply() {
            let (sender, number) = parse_pushed(&message);
            assert_eq!(number, received[sender], "the order of sender {sender} has changed");
            received[sender] += 1;
            if received.iter().sum::<usize>() == 1_000 {
                server.drain();
            }
        }
        let accepted = senders.map(|sender| sender.join().expect("a sender"));
        assert_eq!(received, accepted, "messages that were pushed before the stop are lost");
    });
    assert_eq!(handle.send(*b"another"), Err(SendError::Gone));
    let report = server.report();
    assert_eq!(report.reason(CloseReason::Stopping), 1);
    assert_eq!((report.pushes_dropped, report.pushed), (0, report.pushes_delivered + report.pushes_refused));
}

pub(crate) fn pushes_to_a_client_that_has_left_reach_no_other(subject: &Subject) {
    let (remote, clients) = Remote::new(subject);
    let server = subject.serve_with_buffers(
        remote.limited(|limits| {
            small_mailbox(MailboxFull::Refuse)(limits);
            // The next client takes the place of the one before.
            (limits.max_connections, limits.overload) = (1, Overload::Queue);
        }),
        BUFFERS,
    );
    let mut left: Vec<Handle> = Vec::new();
    for number in 0..6 {
        let (mut client, handle) = connect(&server, &clients);
        for gone in &left {
            assert_eq!(gone.send(*b"to another"), Err(SendError::Gone));
            assert!(gone.is_gone() && *gone != handle, "a handle belongs to another client");
            gone.close();
        }
        assert_eq!(handle.send(pushed_by(0, number).into_bytes()), Ok(()));
        client.expect_reply(pushed_by(0, number));
        client.send_message("message");
        client.expect_reply("1:message");
        client.expect_no_data();
        if number % 2 == 0 {
            client.send_message("exit");
            client.expect_end();
        } else {
            // It leaves with messages that it has not received.
            push_until_full(&handle);
            drop(client);
        }
        left.push(handle);
    }
}
