//! Handshakes of transforms, before the application is opened.

use super::records::{How, record, rig, rig_with};
use super::*;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn the_application_is_opened_when_the_handshake_is_done() {
    let (mut rig, log) = rig(How::default());
    assert_eq!(rig.settle(), Next::Read);
    assert_eq!(log.lock().unwrap().opened, 1, "it may send first");
    assert_eq!(rig.send("HEL"), Next::Read);
    assert_eq!(rig.heard(), "");
    assert_eq!(rig.send("LO\n"), Next::Read);
    assert_eq!(rig.heard().as_bytes()[..6], *b"READY\n");
    assert_eq!(rig.connection.peer(), Address::Unix(None), "it has described the client");
    let (mut rig, _) = self::rig(How { at_once: true, ..How::default() });
    assert_eq!(rig.settle(), Next::Read);
    assert_eq!(rig.read(), "hi\n");
}

#[test]
fn the_timeout_of_a_handshake_runs_from_the_accept() {
    let (mut rig, _) = rig(How::default());
    rig.settle();
    for byte in "HELLO".split_inclusive(|_| true) {
        assert_eq!(rig.connection.deadline(), Some(rig.start + 10 * SECOND));
        assert_eq!(rig.pass(SECOND), Next::Read);
        assert_eq!(rig.send(byte), Next::Read);
    }
    assert_eq!(rig.pass(5 * SECOND - Duration::from_nanos(1)), Next::Read);
    assert_eq!(rig.pass(Duration::from_nanos(1)), Next::Done(CloseReason::HandshakeTimeout));
    assert_eq!(rig.read(), ".", "nothing can be sealed yet");
    assert!(rig.script.closed.lock().unwrap().is_empty());
    // Input that had arrived is read first.
    let (mut rig, _) = self::rig(How::default());
    rig.settle();
    rig.now += 10 * SECOND;
    rig.connection.expire(0, 6, &mut rig.out, rig.now);
    assert_eq!(rig.settle(), Next::Read);
    assert_eq!(rig.send("HELLO\n"), Next::Read);
    assert_eq!(rig.pass(299 * SECOND), Next::Read, "the idle timeout starts here");
}

#[test]
fn a_failed_handshake_ends_the_conversation() {
    for (input, expected) in [("HALLO\n", "NO\n"), ("HEL", "\0")] {
        let (mut rig, log) = rig(How::default());
        rig.settle();
        rig.send(input);
        assert_eq!(rig.end_input(), Next::Done(CloseReason::HandshakeFailed));
        assert_eq!(rig.heard(), expected);
        assert_eq!(log.lock().unwrap().dropped, 1);
    }
    let (mut rig, _) = rig(How::default());
    rig.settle();
    assert_eq!(
        rig.end_input(),
        Next::Done(CloseReason::EndOfInput),
        "a connection without input is not an error"
    );
    let (mut rig, _) = self::rig(How::default());
    rig.settle();
    rig.send("HEL");
    rig.connection.stop(0);
    assert_eq!(rig.settle(), Next::Done(CloseReason::Stopping));
}

#[test]
fn a_handshake_that_may_block_runs_only_in_run() {
    let (mut rig, log) = rig(How { blocks: true, ..How::default() });
    assert!(!rig.connection.may_block(), "the first call has no input");
    rig.settle();
    assert!(rig.connection.may_block());
    rig.receive("HELLO\n");
    assert_eq!(log.lock().unwrap().opened, 1);
    assert_eq!(rig.connection.what_now(&mut rig.out), Next::Run);
    assert_eq!(rig.connection.deadline(), None, "no deadline runs while the server works");
    rig.now += 20 * SECOND;
    rig.connection.run(&mut rig.out, || rig.now);
    assert!(!rig.connection.may_block());
    assert_eq!(rig.settle(), Next::Read);
    rig.receive(record("a\n"));
    assert_eq!(log.lock().unwrap().opened, 3, "later input is opened when it arrives");
    assert_eq!(rig.settle(), Next::Read);
    assert_eq!(rig.read(), "hi\na\n");
    // With a handler that may block, the transform determines whether the handshake may block.
    let script = Script { blocking: true, ..Script::default() };
    let (mut rig, _) = rig_with(script, How::default(), Limits::default());
    rig.settle();
    rig.receive("HELLO\n");
    assert!(rig.connection.may_block(), "`open` of the handler may block");
    rig.settle();
    rig.receive(record("a\n"));
    assert_eq!(rig.read(), "hi\n");
}

#[test]
fn deadlines_exclude_time_spent_in_a_handshake() {
    let how = How { blocks: true, ..How::default() };
    let (mut rig, _) = rig(how);
    rig.settle();
    rig.pass(4 * SECOND);
    rig.receive("HEL");
    rig.now += 100 * SECOND;
    assert_eq!(rig.settle(), Next::Read);
    assert_eq!(rig.connection.deadline(), Some(rig.now + 6 * SECOND));
}
