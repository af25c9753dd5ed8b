//! Transforms that panic or violate their contract, and clients that send invalid records.

use super::records::{How, read, record, rig};
use super::*;
use crate::{ErrorReply, MAX_READ, MAX_RECORD, Opened};

#[test]
fn an_endless_record_ends_the_conversation() {
    for (at_once, reason) in [(false, CloseReason::HandshakeFailed), (true, CloseReason::Malformed)] {
        let (mut rig, _) = rig(How { at_once, endless: at_once, ..How::default() });
        rig.settle();
        let mut sent = 0;
        while rig.send([b'x'; 1024]) == Next::Read {
            sent += 1024;
            assert!(sent <= MAX_RECORD);
        }
        assert_eq!(rig.settle(), Next::Done(reason));
    }
}

#[test]
fn a_panic_ends_only_its_conversation() {
    for (panics, expected) in [
        ("make", ""),
        ("open", ""),
        ("is_handshaking", ""),
        ("blocking", ""),
        ("describe", ""),
        ("seal", ""),
        ("close", "hi\na\n"),
        ("drop", "hi\na\n."),
        ("close drop", "hi\na\n"),
        ("seal drop", ""),
        ("memory", "hi\na\n."),
    ] {
        for at_once in [false, true] {
            let (mut rig, log) = rig(How { panics, at_once, ..How::default() });
            rig.settle();
            if !at_once {
                rig.send("HELLO\n");
            }
            rig.send(record("a\n"));
            rig.end_input();
            assert!(matches!(rig.settle(), Next::Done(_)), "{panics}");
            assert_eq!(rig.read(), expected, "{panics}");
            let opened = !matches!(panics, "make" | "open" | "is_handshaking" | "blocking" | "describe");
            assert_eq!(rig.script.closed.lock().unwrap().len(), usize::from(opened), "{panics}");
            assert_eq!(log.lock().unwrap().dropped, usize::from(panics != "make"), "{panics}");
            assert!(rig.connection.service.memory_bound() >= Limits::default().memory_bound());
        }
    }
}

#[test]
fn a_transform_that_violates_its_contract_ends_the_conversation() {
    let wrong: [fn(&mut Vec<u8>) -> Opened; 8] = [
        |_| Opened::More { used: 100 },
        |_| Opened::Plain { used: 100, more: false },
        |plain| {
            plain.resize(MAX_READ + 1, b'\n');
            Opened::Plain { used: 0, more: false }
        },
        |plain| {
            plain.push(b'\n');
            Opened::More { used: 1 }
        },
        |plain| {
            plain.push(b'\n');
            Opened::End
        },
        |_| Opened::InPlace { used: 0, plain: 0..1, more: false },
        #[expect(clippy::reversed_empty_ranges, reason = "it is wrong")]
        |_| Opened::InPlace { used: 1, plain: 1..0, more: false },
        |plain| {
            plain.push(b'\n');
            Opened::InPlace { used: 1, plain: 0..1, more: false }
        },
    ];
    for wrong in wrong {
        let how = How { wrong: Some(wrong), ..How::default() };
        let (mut rig, _) = rig(how);
        rig.settle();
        assert_eq!(rig.send("HELLO\n"), Next::Done(CloseReason::Panicked));
    }
    // `more` without any progress must not cause an endless loop.
    let how = How { wrong: Some(|_| Opened::Plain { used: 0, more: true }), ..How::default() };
    let (mut rig, _) = rig(how);
    rig.settle();
    assert_eq!(rig.send("HELLO\n"), Next::Read);
}

#[test]
fn a_refusal_is_sealed_if_that_needs_no_handshake() {
    let (rig, _) = rig(How { at_once: true, ..How::default() });
    let refusal = |rig: &Rig| read(rig.connection.service.refusal(&ErrorReply::Busy).bytes());
    assert_eq!(refusal(&rig), "ERR busy\n.");
    assert_eq!(refusal(&self::rig(How::default()).0), ".");
    for panics in ["make", "seal", "close", "drop"] {
        let how = How { at_once: true, panics, ..How::default() };
        assert_eq!(refusal(&self::rig(how).0), "", "{panics}");
    }
}
