//! The order of operations: greeting, replies, turns, backpressure, blocking.

use super::records::{How, Records, read, record};
use super::talk::Talk;
use super::*;
use crate::{ErrorReply, MAX_READ, TURN_REPLIES};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn the_greeting_is_sent_before_reading() {
    let mut rig = Rig::line();
    assert_eq!(rig.settle(), Next::Read);
    assert_eq!(rig.heard(), "hi\n");
}

#[test]
fn replies_come_in_order_however_the_messages_are_split() {
    let messages = b"a\nbb\r\n\nccc\ntwo\nnone\nlast\n";
    for first in 0..=messages.len() {
        for second in first..=messages.len() {
            let mut rig = Rig::line();
            rig.settle();
            for part in [&messages[..first], &messages[first..second], &messages[second..]] {
                if !part.is_empty() {
                    assert_eq!(rig.send(part), Next::Read);
                }
            }
            assert_eq!(rig.heard(), "hi\na\nbb\n\nccc\none\ntwo\nlast\n", "split at {first} and {second}");
        }
    }
}

#[test]
fn a_turn_is_64_messages() {
    let mut rig = Rig::line();
    rig.settle();
    rig.receive(b"m\n".repeat(129));
    for (messages, next) in [(64, Next::Run), (128, Next::Run), (129, Next::Read)] {
        assert_eq!(rig.connection.messages(), messages);
        let count = rig.connection.output(&rig.out).len();
        assert_eq!(rig.connection.what_now(&mut rig.out), Next::Write);
        rig.connection.wrote(count, &mut rig.out, rig.now);
        assert_eq!(rig.connection.what_now(&mut rig.out), next);
        rig.connection.run(&mut rig.out, || rig.now);
    }
}

#[test]
fn a_turn_is_64_kib_of_replies() {
    let mut rig = Rig::line();
    rig.settle();
    rig.receive(b"large\nlarge\nlarge\n");
    assert_eq!(rig.connection.messages(), 2);
    assert!(rig.out.len() >= TURN_REPLIES);
    assert_eq!(rig.settle(), Next::Read);
    assert_eq!(rig.heard().len(), 3 + 3 * 40_001);
}

#[test]
fn nothing_is_read_while_a_reply_is_unsent() {
    let mut rig = Rig::line();
    rig.settle();
    rig.room = 3;
    assert_eq!(rig.send("hello\n"), Next::Write);
    assert_eq!(rig.heard(), "hi\nhel");
    rig.room = 2;
    assert_eq!(rig.settle(), Next::Write);
    rig.room = usize::MAX;
    assert_eq!(rig.settle(), Next::Read);
    assert_eq!(rig.heard(), "lo\n");
}

#[test]
fn input_received_while_a_reply_is_unsent_is_answered_later() {
    let mut rig = Rig::line();
    rig.settle();
    rig.room = 0;
    assert_eq!(rig.send("first\n"), Next::Write);
    assert_eq!(rig.send("sec"), Next::Write);
    assert_eq!(rig.send("ond\nthi"), Next::Write);
    rig.room = usize::MAX;
    assert_eq!(rig.settle(), Next::Read);
    assert_eq!(rig.send("rd\n"), Next::Read);
    assert_eq!(rig.heard(), "hi\nfirst\nsecond\nthird\n");
}

#[test]
fn input_received_before_the_greeting_is_answered_after_it() {
    for &framing in Framing::ALL {
        let mut rig = Rig::new(framing, Limits::default());
        let (message, said): (&[u8], _) = match framing {
            Framing::Line => (b"early\n", "hi\nearly\n"),
            Framing::Length => (b"\0\0\0\x05early", "\0\0\0\x02hi\0\0\0\x05early"),
            Framing::Raw => (b"early", "hiearly"),
        };
        assert_eq!(rig.send(message), Next::Read);
        assert_eq!(rig.heard(), said);
    }
}

#[test]
fn raw_takes_each_read_as_a_message() {
    let mut rig = Rig::new(Framing::Raw, Limits::default());
    rig.settle();
    rig.send("one");
    assert_eq!(rig.heard(), "hione");
    rig.send(&"\u{7b2c}".as_bytes()[..2]);
    assert_eq!(rig.heard(), "", "a character has begun");
    rig.send(&"\u{7b2c}two".as_bytes()[2..]);
    assert_eq!(rig.heard(), "\u{7b2c}two");
    rig.send("exit");
    assert_eq!(rig.settle(), Next::Done(CloseReason::Exit));
}

#[test]
fn a_handler_that_may_block_is_only_called_in_a_run() {
    let script = Script { blocking: true, ..Script::default() };
    let mut rig = Rig::scripted(script, Framing::Line, Limits::default());
    assert_eq!(rig.connection.what_now(&mut rig.out), Next::Run);
    assert_eq!(rig.settle(), Next::Read);
    rig.receive(b"a\nexit\n");
    assert!(rig.out.is_empty());
    assert_eq!(rig.connection.deadline(), None);
    assert_eq!(rig.connection.what_now(&mut rig.out), Next::Run);
    rig.connection.run(&mut rig.out, || rig.now);
    // The output is kept, so that the buffers of the run are free.
    rig.connection.keep(&mut rig.out, rig.now);
    assert!(rig.out.is_empty());
    assert_eq!(rig.connection.what_now(&mut rig.out), Next::Write);
    let count = rig.connection.output(&rig.out).len();
    rig.connection.wrote(count, &mut rig.out, rig.now);
    // `closed` of the session is called where it may block, too.
    assert_eq!(rig.connection.what_now(&mut rig.out), Next::Run);
    assert!(rig.script.closed.lock().unwrap().is_empty());
    assert_eq!(rig.settle(), Next::Done(CloseReason::Exit));
    assert_eq!(*rig.script.closed.lock().unwrap(), [CloseReason::Exit]);
}

/// What ends a conversation with an error outside of a run: the reason, what the client is told, and what happens.
type Failure = (CloseReason, &'static str, fn(&mut Rig));

const FAILURES: [Failure; 5] = [
    (CloseReason::IdleTimeout, "ERR timeout idle\n", |rig| {
        rig.now += 300 * SECOND;
        rig.connection.expire(0, 0, &mut rig.out, rig.now);
    }),
    (CloseReason::MessageTimeout, "ERR timeout message: no line end\n", |rig| {
        rig.send(rig.input("part"));
        rig.now += 10 * SECOND;
        rig.connection.expire(0, 0, &mut rig.out, rig.now);
    }),
    (CloseReason::AnswerTimeout, "ERR timeout answer\n", |rig| {
        rig.send(rig.input("later\n"));
        rig.now += 30 * SECOND;
        rig.connection.expire(0, 0, &mut rig.out, rig.now);
    }),
    (CloseReason::Stopping, "ERR shutting-down\n", |rig| {
        rig.send(rig.input("part"));
        rig.connection.stop(0);
        while rig.connection.mail {
            rig.connection.run(&mut rig.out, || rig.now); // the session is told of the stop
        }
    }),
    (CloseReason::HandshakeFailed, "ERR busy\n", |rig| rig.receive(rig.input("refused\n"))),
];

impl Rig {
    /// What a client sends to be understood as this.
    fn input(&self, plain: &str) -> Vec<u8> {
        if self.connection.layer.is_some() { record(plain) } else { plain.into() }
    }
}

#[test]
fn a_protocol_that_may_block_writes_an_error_only_in_a_run() {
    for (reason, told, fail) in FAILURES {
        for is_transformed in [false, true] {
            let open = || {
                let service = Talk::blocking().service(Limits::default());
                let service = service.with_first_input_check(move |_, _| {
                    if reason == CloseReason::HandshakeFailed { Err(ErrorReply::Busy) } else { Ok(()) }
                });
                let without_handshake = How { at_once: true, ..How::default() };
                let mut rig = Rig::serving(if is_transformed {
                    service.with_transform(move |_| Box::new(Records::new(without_handshake)))
                } else {
                    service
                });
                rig.settle();
                fail(&mut rig);
                assert_eq!(rig.connection.what_now(&mut rig.out), Next::Run, "{reason}");
                assert!(rig.connection.may_block() && rig.out.is_empty(), "{reason}");
                rig.connection.keep(&mut rig.out, rig.now); // it is passed to where it may block
                rig
            };
            let mut rig = open();
            assert_eq!(rig.settle(), Next::Done(reason));
            let expected = if is_transformed { format!("{told}.") } else { told.into() };
            let heard = if is_transformed { read(&rig.received) } else { rig.heard() };
            assert_eq!(heard, expected);
            // Before it is written, the server may give up the conversation.
            let mut rig = open();
            rig.connection.cut(&mut rig.out);
            assert_eq!((rig.settle(), rig.heard()), (Next::Done(CloseReason::Cut), String::new()));
        }
    }
}

#[test]
fn the_cost_of_a_message_that_arrives_byte_by_byte_is_linear() {
    let length = if cfg!(miri) { 600 } else { 60_000 }; // Miri takes minutes for more
    let mut rig = Rig::line();
    rig.settle();
    let mut growths = 0;
    let mut capacity = 0;
    for _ in 0..length {
        rig.receive(b"x");
        if rig.connection.kept.capacity() != capacity {
            capacity = rig.connection.kept.capacity();
            growths += 1;
        }
    }
    assert!(growths <= 18, "{growths} copies for {length} bytes");
    assert_eq!(rig.send("\n"), Next::Read);
    assert_eq!(rig.heard().len(), 3 + length + 1);
    assert_eq!(rig.connection.kept.capacity(), 0);
}

#[test]
#[cfg_attr(miri, ignore = "Miri takes minutes for it")]
fn the_buffers_stay_within_the_bound() {
    let limits = Limits::default().with_max_message(5000).with_max_reply(50_000);
    let mut random = fastrand_like(7);
    for _ in 0..200 {
        let mut rig = Rig::new(Framing::Line, limits);
        rig.settle();
        for _ in 0..50 {
            rig.room = [0, 10, 100_000][random(3)];
            let mut read = b"large\nsmall\n".repeat(random(1000));
            read.extend(vec![b'y'; random(4000)]);
            read.truncate(MAX_READ);
            match rig.settle() {
                Next::Read => drop(rig.send(&read)),
                Next::Done(_) => break,
                Next::Write | Next::Run | Next::Wait => {}
            }
            rig.connection.keep(&mut rig.out, rig.now);
            let held = rig.connection.memory();
            assert!(held <= limits.memory_bound(), "{held} > {}", limits.memory_bound());
        }
    }
}

/// Pseudo-random numbers below a bound, which are the same in each run.
pub(super) fn fastrand_like(mut seed: u64) -> impl FnMut(usize) -> usize {
    move |bound| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap() % bound
    }
}
