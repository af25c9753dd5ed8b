//! Deadlines: when each runs, and that none is early.

use super::*;

const NANOSECOND: Duration = Duration::from_nanos(1);
const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_silent_client_is_told_at_the_idle_timeout_and_not_before() {
    let mut rig = Rig::line();
    rig.settle();
    let timeout = Limits::default().idle_timeout.unwrap();
    assert_eq!(rig.connection.deadline(), Some(rig.start + timeout));
    assert_eq!(rig.pass(timeout - NANOSECOND), Next::Read);
    assert_eq!(rig.pass(NANOSECOND), Next::Done(CloseReason::IdleTimeout));
    assert_eq!(rig.heard(), "hi\nERR timeout idle\n");
}

#[test]
fn a_message_starts_the_idle_timeout_anew() {
    let mut rig = Rig::line();
    rig.settle();
    rig.pass(200 * SECOND);
    rig.send("still here\n");
    assert_eq!(rig.pass(300 * SECOND - NANOSECOND), Next::Read);
    assert_eq!(rig.pass(NANOSECOND), Next::Done(CloseReason::IdleTimeout));
}

#[test]
fn no_idle_timeout_means_for_ever() {
    let mut rig = Rig::new(Framing::Line, Limits { idle_timeout: None, ..Limits::default() });
    rig.settle();
    assert_eq!(rig.connection.deadline(), None);
    assert_eq!(rig.pass(1_000_000 * SECOND), Next::Read);
}

#[test]
fn a_message_has_its_time_from_its_first_byte_whatever_comes_meanwhile() {
    for (framing, byte, told) in [
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
        assert_eq!(rig.heard(), told);
    }
}

#[test]
fn the_next_message_has_a_time_of_its_own() {
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
fn a_client_that_takes_nothing_is_given_up_without_a_word() {
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
fn bytes_that_leave_the_kernels_queue_are_progress() {
    let mut rig = Rig::line();
    rig.settle();
    rig.room = 0;
    rig.send("hello\n");
    let mut queued = 1_000_000;
    rig.connection.blocked(queued, &mut rig.out, rig.now);
    for _ in 0..100 {
        queued -= 1;
        rig.now += 9 * SECOND;
        rig.connection.expire(queued, &mut rig.out, rig.now);
        assert!(rig.connection.unsent.is_some());
    }
    rig.now += 10 * SECOND;
    rig.connection.expire(queued, &mut rig.out, rig.now);
    assert_eq!(rig.settle(), Next::Done(CloseReason::WriteTimeout));
}

#[test]
fn the_queue_is_looked_at_well_within_the_write_timeout() {
    let mut rig = Rig::line();
    rig.settle();
    rig.room = 0;
    rig.send("hello\n");
    let deadline = rig.connection.deadline().unwrap();
    assert!(deadline > rig.now && deadline <= rig.now + 10 * SECOND / 4);
}

#[test]
fn timeouts_beyond_the_clocks_range_are_as_good_as_none() {
    let (longest, idle) = (Duration::MAX, Some(Duration::MAX));
    let limits =
        Limits { idle_timeout: idle, message_timeout: longest, write_timeout: longest, ..Limits::default() };
    let mut rig = Rig::new(Framing::Line, limits);
    rig.settle();
    assert_eq!(rig.pass(SECOND), Next::Read);
    rig.send("part");
    assert_eq!(rig.pass(SECOND), Next::Read);
    rig.room = 0;
    rig.send("ial\n");
    assert_eq!(rig.pass(1_000_000 * SECOND), Next::Write);
}
