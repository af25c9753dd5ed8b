//! Output that is lent to completion-based I/O.

use super::*;
use crate::Output;
use crate::connection::lent::LENT_ROOM;

/// Lending and returning output.
impl Rig {
    fn lend(&mut self) -> Output {
        assert_eq!(self.connection.what_now(&mut self.out), Next::Write);
        let output = self.connection.lend(&mut self.out, Vec::new());
        assert!(self.connection.is_lent() && self.out.is_empty());
        output
    }

    fn give_back(&mut self, output: Output, count: usize) -> Option<Vec<u8>> {
        self.received.extend_from_slice(&output.bytes()[..count]);
        {
            let now = self.now;
            self.connection.returned(output, count, || now)
        }
    }

    /// A conversation that has received `message` and lent its reply.
    fn lent(message: &str) -> (Self, Output) {
        let mut rig = Self::line();
        rig.settle();
        rig.receive(message.as_bytes());
        rig.heard();
        let output = rig.lend();
        (rig, output)
    }
}

#[test]
fn input_received_while_output_is_lent_is_answered_later() {
    let (mut rig, output) = Rig::lent("a\n");
    rig.receive(b"b\nc");
    rig.receive(b"\n");
    assert_eq!(rig.connection.what_now(&mut rig.out), Next::Write);
    assert!(rig.give_back(output, 2).is_some_and(|memory| memory.is_empty() && memory.capacity() > 0));
    assert_eq!(rig.settle(), Next::Read);
    assert_eq!(rig.heard(), "a\nb\nc\n");
}

#[test]
fn a_lent_buffer_has_little_room_that_another_connection_needed() {
    let (mut rig, output) = Rig::lent("a\n");
    assert_eq!(rig.give_back(output, 2), Some(Vec::new()));
    rig.settle();
    rig.out.push(&[0; 100_000]);
    rig.out.clear();
    rig.receive(b"b\n");
    let output = rig.lend();
    assert_eq!((output.bytes(), output.capacity()), (&b"b\n"[..], LENT_ROOM));
}

#[test]
fn unsent_output_is_lent_again() {
    let (mut rig, output) = Rig::lent("hello\n");
    assert_eq!(rig.give_back(output, 2), None);
    let output = rig.lend();
    assert_eq!(output.bytes(), b"llo\n");
    assert!(rig.give_back(output, 4).is_some());
    assert_eq!(rig.settle(), Next::Read);
    assert_eq!(rig.heard(), "hello\n");
}

#[test]
fn the_end_of_input_waits_for_lent_output() {
    for (rest, said) in [("", "a\n"), ("b", "a\nERR incomplete\n"), ("b\n", "a\nb\n")] {
        let (mut rig, output) = Rig::lent("a\n");
        if !rest.is_empty() {
            rig.receive(rest.as_bytes());
        }
        rig.connection.end_of_input(&mut rig.out, || rig.now);
        assert_eq!(rig.connection.what_now(&mut rig.out), Next::Write);
        rig.give_back(output, 2);
        assert!(matches!(rig.settle(), Next::Done(_)));
        assert_eq!(rig.heard(), said);
    }
}

#[test]
fn only_lent_output_that_stalls_has_a_deadline() {
    let (mut rig, output) = Rig::lent("a\n");
    assert_eq!(rig.connection.deadline(), None);
    rig.connection.blocked(2, &mut rig.out, rig.now);
    let timeout = Limits::default().write_timeout;
    for _ in 0..8 {
        rig.now += timeout / 8;
        assert_eq!(rig.connection.what_now(&mut rig.out), Next::Write);
        rig.connection.expire(2, 0, &mut rig.out, rig.now);
    }
    assert_eq!(rig.connection.what_now(&mut rig.out), Next::Done(CloseReason::WriteTimeout));
    assert_eq!(rig.give_back(output, 0), None);
    assert_eq!(rig.connection.what_now(&mut rig.out), Next::Done(CloseReason::WriteTimeout));
}

#[test]
fn lent_output_that_is_returned_late_starts_the_idle_timeout() {
    let (mut rig, output) = Rig::lent("a\n");
    rig.connection.blocked(2, &mut rig.out, rig.now);
    rig.now += Duration::from_secs(5);
    assert!(rig.give_back(output, 2).is_some());
    assert_eq!(rig.connection.what_now(&mut rig.out), Next::Read);
    assert_eq!(rig.connection.deadline(), Some(rig.now + Limits::default().idle_timeout.unwrap()));
}

#[test]
fn lent_output_may_be_returned_after_a_cut() {
    let (mut rig, output) = Rig::lent("a\n");
    rig.connection.cut(&mut rig.out);
    assert_eq!(rig.connection.what_now(&mut rig.out), Next::Done(CloseReason::Cut));
    assert_eq!(rig.give_back(output, 1), None);
    assert_eq!(rig.connection.what_now(&mut rig.out), Next::Done(CloseReason::Cut));
}

#[test]
fn nobody_is_slow_while_the_completion_of_a_write_is_about_to_be_reported() {
    let second = Duration::from_secs(1);
    for (queued, ends) in [(397, true), (398, true), (399, false)] {
        let (mut rig, _output) = Rig::lent("hello\n");
        rig.connection.blocked(500, &mut rig.out, rig.now);
        for (time, queued) in [(9, 400), (9, 399), (9, 398), (3, queued)] {
            rig.now += time * second;
            rig.connection.expire(queued, 0, &mut rig.out, rig.now);
        }
        assert_eq!(rig.connection.unsent.is_none(), ends, "{queued}");
    }
}
