//! Transforms below the protocol.

use super::flow::fastrand_like;
use super::records::{How, record, rig_with, shaken};
use super::*;
use crate::{MAX_READ, MAX_RECORD};

const SECOND: Duration = Duration::from_secs(1);

impl Rig {
    /// Performs operations with lent output, until the connection waits for input or is done.
    fn settle_with_lending(&mut self) -> Next {
        loop {
            match self.connection.what_now(&mut self.out) {
                Next::Write => {
                    let output = self.connection.lend(&mut self.out, Vec::new());
                    // Output that is produced meanwhile, and the unsent part, follow later.
                    let count = output.bytes().len().div_ceil(2);
                    self.received.extend_from_slice(&output.bytes()[..count]);
                    let now = self.now;
                    self.connection.returned(output, count, || now);
                }
                Next::Run => self.connection.run(&mut self.out, || self.now),
                next => return next,
            }
            self.connection.keep(&mut self.out, self.now);
        }
    }
}

#[test]
fn the_size_of_a_connection_is_bounded() {
    assert!(size_of::<Connection>() <= 128, "{}", size_of::<Connection>());
}

#[test]
#[cfg_attr(miri, ignore = "Miri takes minutes for it")]
fn the_result_does_not_depend_on_how_input_is_split() {
    let input = [&b"HELLO\n"[..], &record("one\ntwo\nla"), &record("rge\n"), &record("end"), &[0]].concat();
    let expected = format!("hi\none\none\ntwo\n{}\nERR incomplete\n.", "x".repeat(40_000));
    for in_place in [false, true] {
        for blocking in [false, true] {
            for as_a_ring in [false, true] {
                for split in 0..=input.len() {
                    let (parts, step): (Vec<&[u8]>, _) = match split {
                        0 => (input.chunks(1).collect(), true),
                        _ => (vec![&input[..split], &input[split..]], false),
                    };
                    let how = How { in_place, blocks: blocking, ..How::default() };
                    let script = Script { blocking, ..Script::default() };
                    let (mut rig, log) = rig_with(script, how, Limits::default());
                    let settle = if as_a_ring { Rig::settle_with_lending } else { Rig::settle };
                    let mut next = settle(&mut rig);
                    for part in parts.into_iter().filter(|part| !part.is_empty()) {
                        rig.receive(part);
                        rig.connection.keep(&mut rig.out, rig.now);
                        if step || split % 2 == 0 {
                            next = settle(&mut rig);
                        }
                    }
                    next = if matches!(next, Next::Done(_)) { next } else { settle(&mut rig) };
                    assert_eq!(next, Next::Done(CloseReason::Incomplete));
                    assert_eq!(rig.read(), expected, "{in_place} {blocking} {as_a_ring} {split}");
                    assert_eq!(log.lock().unwrap().closed, 1);
                    assert_eq!(log.lock().unwrap().dropped, 1);
                }
            }
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "Miri takes minutes for it")]
fn random_reads_and_writes_change_nothing() {
    let input = "one\ntwo\nnone\nlarge\nlast\n".repeat(20);
    let replies = format!("one\none\ntwo\n{}\nlast\n", "x".repeat(40_000)).repeat(20);
    for seed in 0..60 {
        let mut random = fastrand_like(seed);
        let how = How {
            in_place: random(2) == 0,
            at_once: random(2) == 0,
            blocks: random(2) == 0,
            ..How::default()
        };
        let script = Script { blocking: random(2) == 0, ..Script::default() };
        let (mut rig, _) = rig_with(script, how, Limits::default());
        let mut sealed = if how.at_once { Vec::new() } else { b"HELLO\n".to_vec() };
        let mut rest = input.as_bytes();
        while !rest.is_empty() {
            let (record_of, behind) = rest.split_at(rest.len().min(1 + random(100)));
            sealed.extend(record(record_of));
            rest = behind;
        }
        sealed.push(0);
        let mut rest = &sealed[..];
        let mut next = rig.settle();
        while !matches!(next, Next::Done(_)) {
            rig.room = [0, 1, 1000, 100_000, usize::MAX][random(5)];
            // Completion-based I/O may receive input before other operations are performed.
            if next == Next::Read || random(3) == 0 {
                let (read, behind) = rest.split_at(rest.len().min(1 + random(500)));
                if read.is_empty() {
                    rig.connection.end_of_input(&mut rig.out, || rig.now);
                } else {
                    rig.receive(read);
                }
                rest = behind;
            }
            next = rig.settle();
            rig.connection.keep(&mut rig.out, rig.now);
        }
        assert_eq!(next, Next::Done(CloseReason::EndOfInput), "{seed}");
        assert!(rig.read() == format!("hi\n{replies}."), "{seed}");
    }
}

#[test]
fn a_withdrawn_reply_never_reaches_the_transform() {
    for (message, sealed) in [
        ("a\npanic\n", "a\nERR internal\n"),
        ("too large\n", "ERR internal\n"),
        ("fail\n", "so far\nERR no room  for you\n"),
    ] {
        let (mut rig, log) = shaken(How::default());
        rig.send(record(message));
        assert_eq!(
            log.lock().unwrap().sealed,
            [b"hi\n", sealed.as_bytes()],
            "the output is sealed once, as a whole"
        );
        assert_eq!(rig.read(), format!("{sealed}."));
    }
}

#[test]
fn unsent_output_is_sealed_once() {
    let (mut rig, log) = shaken(How::default());
    rig.room = 3;
    assert_eq!(rig.send(record("hello\n")), Next::Write);
    assert_eq!(rig.send(record("again\n")), Next::Write);
    assert_eq!(log.lock().unwrap().opened, 3, "nothing is opened while output is unsent");
    rig.room = usize::MAX;
    assert_eq!(rig.settle(), Next::Read);
    assert_eq!(log.lock().unwrap().sealed, [&b"hi\n"[..], b"hello\n", b"again\n"]);
    assert_eq!(rig.read(), "hello\nagain\n");
}

#[test]
fn the_final_output_is_sent_unless_the_connection_is_broken() {
    type Steps = fn(&mut Rig) -> Next;
    let rows: [(CloseReason, Steps, &str); 12] = [
        (CloseReason::Exit, |rig| rig.send(record("exit\n")), "."),
        (CloseReason::EndOfInput, |rig| rig.send([0]), "."),
        (CloseReason::EndOfInput, Rig::end_input, "."),
        (
            CloseReason::Incomplete,
            |rig| {
                rig.send([5, b'h']);
                rig.end_input()
            },
            "ERR incomplete\n.",
        ),
        (
            CloseReason::Stopping,
            |rig| {
                rig.connection.stop(0);
                rig.settle()
            },
            ".",
        ),
        (CloseReason::Panicked, |rig| rig.send(record("panic\n")), "ERR internal\n."),
        (CloseReason::Rejected, |rig| rig.send(record("fail\n")), "so far\nERR no room  for you\n."),
        (CloseReason::IdleTimeout, |rig| rig.pass(300 * SECOND), "ERR timeout idle\n."),
        (CloseReason::Malformed, |rig| rig.send([255]), ""),
        (
            CloseReason::Cut,
            |rig| {
                rig.connection.cut(&mut rig.out);
                rig.settle()
            },
            "",
        ),
        (
            CloseReason::Lost,
            |rig| {
                rig.connection.lost(&mut rig.out);
                rig.settle()
            },
            "",
        ),
        (
            CloseReason::WriteTimeout,
            |rig| {
                rig.room = 0;
                rig.send(record("one\n"));
                rig.pass(10 * SECOND)
            },
            "",
        ),
    ];
    for (reason, steps, expected) in rows {
        for blocking in [false, true] {
            let script = Script { blocking, ..Script::default() };
            let (mut rig, log) = rig_with(script, How::default(), Limits::default());
            rig.settle();
            rig.send("HELLO\n");
            rig.read();
            assert_eq!(steps(&mut rig), Next::Done(reason));
            assert_eq!(rig.read(), expected, "{reason}");
            assert_eq!(log.lock().unwrap().closed, usize::from(expected.ends_with('.')), "{reason}");
            assert_eq!(*rig.script.closed.lock().unwrap(), [reason]);
            assert_eq!(log.lock().unwrap().dropped, 1);
        }
    }
}

#[test]
fn input_that_ends_unannounced_is_truncated() {
    type Steps = fn(&mut Rig) -> Next;
    let rows: [(CloseReason, Steps, &str); 5] = [
        (CloseReason::EndOfInput, |rig| rig.send([&record("one\n")[..], &[0]].concat()), "one\n."),
        (CloseReason::Incomplete, |rig| rig.send([&record("on")[..], &[0]].concat()), "ERR incomplete\n."),
        (CloseReason::Truncated, |rig| rig.send(record("one\n")), "one\n."),
        (CloseReason::Truncated, |rig| rig.send(record("one\non")), "one\nERR incomplete\n."),
        (CloseReason::Truncated, |rig| rig.send([5, b'h']), "ERR incomplete\n."),
    ];
    for (reason, steps, expected) in rows {
        for panics in ["", "announces_end"] {
            for blocking in [false, true] {
                let how = How { announces_end: true, panics, ..How::default() };
                let (mut rig, _) = rig_with(Script { blocking, ..Script::default() }, how, Limits::default());
                rig.settle();
                rig.send("HELLO\n");
                rig.read();
                steps(&mut rig);
                assert_eq!(rig.end_input(), Next::Done(reason));
                assert_eq!(rig.read(), expected, "{reason}");
                assert_eq!(*rig.script.closed.lock().unwrap(), [reason]);
            }
        }
    }
}

#[test]
fn the_final_output_is_sent_if_a_handle_closes_the_connection() {
    for blocking in [false, true] {
        let (mut rig, log) =
            rig_with(Script { blocking, ..Script::default() }, How::default(), Limits::default());
        rig.settle();
        rig.send("HELLO\n");
        assert_eq!(rig.read(), "hi\n");
        rig.connection.record().cell.push_close().wake();
        rig.connection.notified(&mut rig.out);
        assert_eq!(rig.settle(), Next::Done(CloseReason::Closed));
        assert_eq!((rig.read().as_str(), log.lock().unwrap().closed), (".", 1), "{blocking}");
    }
}

#[test]
fn losing_only_the_final_output_is_not_a_failure() {
    let (mut rig, _) = shaken(How::default());
    rig.connection.end_of_input(&mut rig.out, || rig.now);
    assert_eq!(rig.connection.what_now(&mut rig.out), Next::Write);
    rig.connection.lost(&mut rig.out);
    assert_eq!(rig.settle(), Next::Done(CloseReason::EndOfInput));
    // It has failed if a reply is lost too.
    let (mut rig, _) = shaken(How::default());
    rig.receive(record("a\nexit\n"));
    rig.connection.lost(&mut rig.out);
    assert_eq!(rig.settle(), Next::Done(CloseReason::Lost));
}

#[test]
fn a_stop_counts_raw_bytes() {
    let (mut rig, _) = shaken(How { expansion: 3, ..How::default() });
    let input = record("a");
    rig.connection.stop(2 * input.len() + 2);
    assert_eq!(rig.send(&input), Next::Read);
    assert_eq!(rig.send(record("\n")), Next::Read);
    assert_eq!(rig.send(record("b")), Next::Done(CloseReason::Stopping));
    assert_eq!(rig.read(), "aaaa\n\n\n\nERR shutting-down\n.");
}

#[test]
#[cfg_attr(miri, ignore = "Miri takes minutes for it")]
fn expanding_transforms_stay_within_the_bound() {
    let limits = Limits { max_message: 5000, max_reply: 50_000, ..Limits::default() };
    for message in ["mmmmmm\n", "\n\n\n\n"] {
        let how = How { expansion: 999, ..How::default() };
        let (mut rig, _) = rig_with(Script::default(), how, limits);
        let bound = rig.connection.service.memory_bound();
        assert_eq!(bound, limits.memory_bound() + MAX_RECORD + MAX_RECORD + MAX_READ);
        rig.settle();
        rig.send("HELLO\n");
        assert!(rig.connection.memory() >= MAX_RECORD, "the transform may keep as much");
        for _ in 0..3 {
            rig.receive(record(message.repeat(100)));
            loop {
                rig.connection.keep(&mut rig.out, rig.now);
                let held = rig.connection.memory();
                assert!(held <= bound, "{held} > {bound}");
                match rig.connection.what_now(&mut rig.out) {
                    Next::Write => {
                        let count = rig.connection.output(&rig.out).len();
                        rig.connection.wrote(count, &mut rig.out, rig.now);
                    }
                    Next::Run => rig.connection.run(&mut rig.out, || rig.now),
                    _ => break,
                }
            }
        }
        let ended = rig.settle();
        let expected = if message == "\n\n\n\n" { Next::Read } else { Next::Done(CloseReason::TooLong) };
        assert_eq!(ended, expected);
    }
}

#[test]
fn the_final_output_is_sent_when_a_handle_ends_the_conversation() {
    let (mut rig, log) = shaken(How::default());
    rig.connection.record().cell.push_close().wake();
    rig.connection.notified(&mut rig.out);
    assert_eq!(rig.settle(), Next::Done(CloseReason::Closed));
    assert_eq!((rig.read().as_str(), log.lock().unwrap().closed), (".", 1));
}
