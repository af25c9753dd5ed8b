//! Deadlines: when they run, and that they are never early.

use super::*;

const NANOSECOND: Duration = Duration::from_nanos(1);
const SECOND: Duration = Duration::from_secs(1);

#[test]
fn an_idle_client_times_out_and_not_early() {
    let mut rig = Rig::line();
    rig.settle();
    let timeout = Limits::default().idle_timeout.unwrap();
    assert_eq!(rig.connection.deadline(), Some(rig.start + timeout));
    assert_eq!(rig.pass(timeout - NANOSECOND), Next::Read);
    assert_eq!(rig.pass(NANOSECOND), Next::Done(CloseReason::IdleTimeout));
    assert_eq!(rig.heard(), "hi\nERR timeout idle\n");
}

#[test]
fn a_message_restarts_the_idle_timeout() {
    let mut rig = Rig::line();
    rig.settle();
    rig.pass(200 * SECOND);
    rig.send("still here\n");
    assert_eq!(rig.pass(300 * SECOND - NANOSECOND), Next::Read);
    assert_eq!(rig.pass(NANOSECOND), Next::Done(CloseReason::IdleTimeout));
}

#[test]
fn without_an_idle_timeout_a_client_may_be_idle_forever() {
    let mut rig = Rig::new(Framing::Line, Limits::default().with_idle_timeout(None));
    rig.settle();
    assert_eq!(rig.connection.deadline(), None);
    assert_eq!(rig.pass(1_000_000 * SECOND), Next::Read);
}

#[test]
fn the_message_timeout_runs_from_the_first_byte() {
    for (framing, byte, expected) in [
        (Framing::Line, &b"x"[..], "hi\nERR timeout message: no line end\n"),
        (Framing::Length, &b"\0"[..], "\0\0\0\x02hi\0\0\0\x13ERR timeout message"),
    ] {
        let mut rig = Rig::new(framing, Limits::default());
        rig.settle();
        rig.pass(100 * SECOND);
        rig.send(byte);
        assert_eq!(rig.connection.deadline(), Some(rig.now + 10 * SECOND));
        for _ in 0..2 {
            rig.pass(9 * SECOND / 2);
            assert_eq!(rig.send(byte), Next::Read);
        }
        assert_eq!(rig.pass(SECOND - NANOSECOND), Next::Read);
        assert_eq!(rig.pass(NANOSECOND), Next::Done(CloseReason::MessageTimeout));
        assert_eq!(rig.heard(), expected);
    }
}

#[test]
fn the_next_message_has_its_own_timeout() {
    let mut rig = Rig::line();
    rig.settle();
    rig.send("a");
    rig.pass(9 * SECOND);
    rig.send("b\nc");
    rig.pass(9 * SECOND);
    rig.send("d\n");
    assert_eq!(rig.pass(299 * SECOND), Next::Read);
    assert_eq!(rig.heard(), "hi\nab\ncd\n");
}

#[test]
fn a_client_that_receives_nothing_times_out_without_an_error_reply() {
    let mut rig = Rig::line();
    rig.settle();
    rig.heard();
    rig.room = 0;
    rig.send("hello\n");
    for _ in 0..9 {
        assert_eq!(rig.pass_with_queue(SECOND, 500), Next::Write);
    }
    assert_eq!(rig.pass_with_queue(SECOND - NANOSECOND, 500), Next::Write);
    assert_eq!(rig.pass_with_queue(NANOSECOND, 500), Next::Done(CloseReason::WriteTimeout));
    assert_eq!(rig.heard(), "");
}

#[test]
fn bytes_that_leave_the_send_queue_are_progress() {
    let mut rig = Rig::new(Framing::Line, Limits::default().with_min_rate(0));
    rig.settle();
    rig.room = 0;
    rig.send("hello\n");
    let mut queued = 1_000_000;
    rig.connection.blocked(queued, &mut rig.out, rig.now);
    for _ in 0..100 {
        queued -= 1;
        rig.now += 9 * SECOND;
        rig.connection.expire(queued, 0, &mut rig.out, rig.now);
        assert!(rig.connection.unsent.is_some());
    }
    rig.now += 10 * SECOND;
    rig.connection.expire(queued, 0, &mut rig.out, rig.now);
    assert_eq!(rig.settle(), Next::Done(CloseReason::WriteTimeout));
}

#[test]
fn the_send_queue_is_checked_well_within_the_write_timeout() {
    let mut rig = Rig::line();
    rig.settle();
    rig.room = 0;
    rig.send("hello\n");
    let deadline = rig.connection.deadline().unwrap();
    assert!(deadline > rig.now && deadline <= rig.now + 10 * SECOND / 4);
}

#[test]
fn timeouts_beyond_the_range_of_the_clock_never_expire() {
    let limits = Limits::default()
        .with_idle_timeout(Duration::MAX)
        .with_message_timeout(Duration::MAX)
        .with_write_timeout(Duration::MAX);
    let mut rig = Rig::new(Framing::Line, limits);
    rig.settle();
    assert_eq!(rig.pass(SECOND), Next::Read);
    rig.send("part");
    assert_eq!(rig.pass(SECOND), Next::Read);
    rig.room = 0;
    rig.send("ial\n");
    assert_eq!(rig.pass(1_000_000 * SECOND), Next::Write);
}

#[test]
fn deadlines_exclude_time_spent_in_the_session() {
    let mut rig = Rig::line();
    rig.connection.run(&mut rig.out, || rig.start + 400 * SECOND); // to greet
    rig.now = rig.start + 400 * SECOND;
    assert_eq!(rig.settle(), Next::Read);
    assert_eq!(rig.connection.deadline(), Some(rig.now + 300 * SECOND));
    // The next message has begun and waits for a turn.
    let mut input = *b"slow\npart";
    rig.connection.receive(&mut input, &mut rig.out, || rig.now + 400 * SECOND);
    rig.now += 400 * SECOND;
    assert_eq!(rig.pass(10 * SECOND - NANOSECOND), Next::Read);
    assert_eq!(rig.send("ial\n"), Next::Read);
    assert_eq!(rig.heard(), "hi\nslow\npartial\n");
}

#[test]
fn a_client_is_not_idle_while_its_session_blocks() {
    let script = Script { blocking: true, ..Script::default() };
    let mut rig = Rig::scripted(script, Framing::Line, Limits::default());
    rig.settle();
    rig.receive(b"none\n");
    assert_eq!(rig.connection.what_now(&mut rig.out), Next::Run);
    rig.connection.run(&mut rig.out, || rig.now + 400 * SECOND);
    rig.now += 400 * SECOND;
    assert_eq!(rig.pass(300 * SECOND - NANOSECOND), Next::Read);
    assert_eq!(rig.pass(NANOSECOND), Next::Done(CloseReason::IdleTimeout));
}

#[test]
fn input_that_has_arrived_is_read_before_a_deadline() {
    for (before, unread, rest, expected) in [
        ("", "late\n", "", "hi\nlate\n"),
        ("be", "gun\n", "", "hi\nbegun\n"),
        ("be", "gun\n", "!", "hi\nbegun\n"),
        ("", "par", "tial\n", "hi\npartial\n"), // it is not idle any more
        ("be", "gun", "\n", "hi\nERR timeout message: no line end\n"),
        ("be", "", "gun\n", "hi\nERR timeout message: no line end\n"),
        ("", "", "late\n", "hi\nERR timeout idle\n"),
    ] {
        let mut rig = Rig::line();
        rig.settle();
        if !before.is_empty() {
            rig.send(before);
        }
        rig.now += 300 * SECOND;
        rig.connection.expire(0, unread.len(), &mut rig.out, rig.now);
        if !unread.is_empty() {
            assert_eq!(rig.settle(), Next::Read, "{before}{unread}");
            // It is read in other pieces than it arrived.
            let (first, second) = unread.split_at(1);
            rig.send(first);
            rig.connection.expire(0, 1, &mut rig.out, rig.now);
            rig.send(second);
        }
        if rig.settle() == Next::Read && !rest.is_empty() {
            rig.send(rest);
        }
        rig.settle();
        assert_eq!(rig.heard(), expected, "{before}{unread}{rest}");
    }
}

#[test]
fn a_passed_deadline_ends_the_conversation_if_nothing_can_be_read() {
    let mut rig = Rig::line();
    rig.settle();
    rig.now += 300 * SECOND;
    rig.connection.expire(0, 10, &mut rig.out, rig.now);
    assert_eq!(rig.settle(), Next::Read);
    rig.connection.would_block(|| 10); // the runtime has not heard of it yet
    assert_eq!(rig.settle(), Next::Read);
    rig.connection.would_block(|| 0);
    assert_eq!(rig.settle(), Next::Done(CloseReason::IdleTimeout));
}

#[test]
fn the_message_timeout_restarts_when_reading_resumes() {
    let mut rig = Rig::line();
    rig.settle();
    rig.room = 0;
    assert_eq!(rig.send("first\npar"), Next::Write);
    for _ in 0..3 {
        rig.now += 9 * SECOND;
        rig.room = 1;
        assert_eq!(rig.settle(), Next::Write);
    }
    rig.room = usize::MAX;
    assert_eq!(rig.settle(), Next::Read);
    assert_eq!(rig.pass(10 * SECOND - NANOSECOND), Next::Read);
    assert_eq!(rig.pass(NANOSECOND), Next::Done(CloseReason::MessageTimeout));
}

/// A client with a long send queue, which has received the given number of bytes of it after each of these times.
/// Returns whether it is still connected after the last.
fn receives(limits: Limits, received: &[(Duration, u64)]) -> bool {
    let mut rig = Rig::new(Framing::Line, limits);
    rig.settle();
    rig.room = 0;
    rig.received.resize(1_000_000, 0); // which is the length of the queue
    rig.send("hello\n");
    let mut queued = rig.received.len() as u64;
    for &(time, bytes) in received {
        assert!(rig.connection.unsent.is_some(), "it was cut off before {time:?} of {received:?} were over");
        queued -= bytes;
        rig.now += time;
        rig.connection.expire(queued, 0, &mut rig.out, rig.now);
    }
    match rig.settle() {
        Next::Write => true,
        Next::Done(reason) => {
            assert_eq!(reason, CloseReason::WriteTimeout);
            false
        }
        next => panic!("{next:?}"),
    }
}

#[test]
fn unsent_replies_are_received_at_the_minimum_rate_or_not_at_all() {
    const ASKED: u64 = 30 * 256;
    let limits = Limits::default();
    let after = |bytes| [(9 * SECOND, 1), (9 * SECOND, 1), (9 * SECOND, 1), (3 * SECOND, bytes - 3)];
    assert!(!receives(limits, &after(ASKED - 1)));
    assert!(receives(limits, &after(ASKED)));
    assert!(receives(limits, &after(ASKED + 1)));
    assert!(receives(limits.with_min_rate(0), &after(ASKED - 1)));
    assert!(receives(limits.with_min_rate(255), &after(ASKED - 1)));

    // Not before the window is over, and by each window alone.
    let early = [(9 * SECOND, 1), (9 * SECOND, 1), (9 * SECOND, 1), (3 * SECOND - NANOSECOND, 1)];
    assert!(receives(limits, &early));

    // A check that is late judges nothing, since the server was suspended or busy.
    let late = limits.write_timeout / 8;
    let at = |time| [(9 * SECOND, 1), (9 * SECOND, 1), (9 * SECOND, 1), (time, 1)];
    assert!(!receives(limits, &at(3 * SECOND + late)));
    assert!(receives(limits, &at(3 * SECOND + late + NANOSECOND)));
    let next = |bytes| [&after(100_000)[..], &after(bytes)].concat();
    assert!(!receives(limits, &next(ASKED - 1)));
    assert!(receives(limits, &next(ASKED)));
}

#[test]
fn the_minimum_rate_counts_what_was_written_as_well() {
    for (room, is_enough) in [(30 * 256, true), (30 * 256 - 1, false)] {
        let mut rig = Rig::line();
        rig.settle();
        let queued = rig.received.len() as u64;
        rig.room = 0;
        rig.send(format!("{}\n", "x".repeat(20_000)));
        // The queue is as full as before, so the client has received what was written.
        for part in [8, 8, 8, room - 24] {
            rig.room = part;
            rig.now += 7 * SECOND + SECOND / 2;
            while rig.room > 0 {
                let count = rig.connection.output(&rig.out).len().min(rig.room);
                rig.connection.wrote(count, &mut rig.out, rig.now);
                rig.room -= count;
            }
            rig.connection.expire(queued, 0, &mut rig.out, rig.now);
        }
        assert_eq!(rig.settle() == Next::Write, is_enough);
    }
}

#[test]
fn a_client_that_has_received_all_that_was_offered_is_not_slow() {
    let mut rig = Rig::new(Framing::Line, Limits::default().with_write_timeout(3600 * SECOND));
    rig.settle();
    rig.room = 0;
    rig.send("hello\n");
    assert_eq!(rig.pass_with_queue(31 * SECOND, 0), Next::Write);
    assert_eq!(rig.pass_with_queue(31 * SECOND, 0), Next::Write);
}

#[test]
fn a_write_that_blocks_at_the_end_of_a_window_does_not_excuse_a_slow_client() {
    let mut rig = Rig::line();
    rig.settle();
    rig.room = 0;
    rig.send("hello\n");
    rig.connection.blocked(500, &mut rig.out, rig.now);
    for _ in 0..3 {
        assert_eq!(rig.pass_with_queue(9 * SECOND, 500), Next::Write);
        rig.connection.wrote(1, &mut rig.out, rig.now);
    }
    rig.now += 3 * SECOND;
    rig.connection.blocked(500, &mut rig.out, rig.now);
    assert!(rig.connection.deadline().unwrap() <= rig.now);
    assert_eq!(rig.pass_with_queue(SECOND, 500), Next::Done(CloseReason::WriteTimeout));
}

#[test]
fn replies_that_the_server_has_not_tried_to_write_do_not_time_out() {
    let mut rig = Rig::line();
    rig.settle();
    rig.heard();
    rig.receive("hello\n");
    rig.connection.keep(&mut rig.out, rig.now); // as a thread that may block does before it returns the connection
    rig.now += 60 * SECOND; // in which the server was suspended
    rig.connection.expire(0, 0, &mut rig.out, rig.now);
    assert_eq!(rig.settle(), Next::Read);
    assert_eq!(rig.heard(), "hello\n");
}
