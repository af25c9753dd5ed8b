//! A session is told once that the server stops.

use super::pushes::rig;
use super::records::{How, Records, record};
use super::talk::Talk;
use super::*;
use crate::testing::TestClient;
use crate::{ErrorReply, Outbox, Progress, Protocol};

/// A session that sends `stopping` when it is told of a stop.
fn telling() -> Arc<Talk> {
    Talk::at_stop("stopping")
}

#[test]
fn a_session_is_told_once_and_may_answer_what_is_pending() {
    let mut client = telling().connect(Limits::default());
    client.stop();
    client.stop();
    assert_eq!((client.heard().as_str(), client.over()), ("stopping\n", Some(CloseReason::Stopping)));

    let talk = Talk::at_stop("answer");
    let mut client = talk.connect(Limits::default());
    client.say("later\n");
    client.stop();
    client.stop();
    assert_eq!((client.heard().as_str(), client.over()), ("stopping\n", Some(CloseReason::Stopping)));
    assert_eq!((client.messages(), talk.owed()), (1, 0));
}

#[test]
fn a_session_that_leaves_its_answer_pending_is_told_and_awaited() {
    let talk = telling();
    let mut client = talk.connect(Limits::default());
    client.say("later\nmore\n");
    client.stop();
    assert_eq!((client.heard().as_str(), client.over()), ("stopping\n", None));
    talk.answer().send("answer").unwrap();
    assert_eq!((client.heard().as_str(), client.over()), ("answer\nmore\n", Some(CloseReason::Stopping)));
}

#[test]
fn what_was_pushed_before_comes_first_and_what_has_arrived_is_answered_after() {
    let talk = telling();
    let mut rig = rig(&talk, Limits::default());
    for _ in 0..100 {
        rig.push(b"m").unwrap(); // more than a turn delivers
    }
    rig.connection.stop(8);
    assert_eq!(rig.settle(), Next::Read);
    assert_eq!(rig.heard(), "> m\n".repeat(100) + "stopping\n");
    assert_eq!(rig.send("one\ntwo\n"), Next::Done(CloseReason::Stopping));
    assert_eq!(rig.heard(), "one\ntwo\n");
}

#[test]
fn a_session_is_told_when_its_output_was_sent() {
    let mut rig = rig(&telling(), Limits::default());
    rig.room = 3;
    rig.send("hello\n");
    rig.connection.stop(0);
    assert_eq!(rig.settle(), Next::Write);
    rig.room = usize::MAX;
    assert_eq!(rig.settle(), Next::Done(CloseReason::Stopping));
    assert_eq!(rig.heard(), "hello\nstopping\n");
}

#[test]
fn a_session_that_opens_after_the_stop_is_told_then() {
    let mut rig = Rig::serving(telling().service(Limits::default()));
    rig.connection.stop(4);
    assert_eq!(rig.settle(), Next::Read);
    assert_eq!(rig.heard(), "stopping\n");
    assert_eq!(rig.send("one\n"), Next::Done(CloseReason::Stopping));
    assert_eq!(rig.heard(), "one\n");
}

#[test]
fn a_session_that_has_ended_or_is_cut_off_is_not_told() {
    let mut client = telling().connect(Limits::default());
    client.say("exit\n");
    client.stop();
    assert_eq!((client.heard().as_str(), client.over()), ("", Some(CloseReason::Exit)));

    let mut rig = rig(&telling(), Limits::default());
    rig.connection.stop(0);
    rig.connection.cut(&mut rig.out);
    assert_eq!(rig.settle(), Next::Done(CloseReason::Cut));
    assert_eq!(rig.heard(), "");
}

#[test]
fn the_flow_of_a_stop_ends_the_conversation_and_a_panic_ends_it_too() {
    for (at_stop, heard, over) in [
        ("close", "", CloseReason::Exit),
        ("fail", "", CloseReason::Rejected),
        ("panic", "ERR internal\n", CloseReason::Panicked),
        ("later", "ERR internal\n", CloseReason::Panicked), // an answer is pending already
    ] {
        let talk = Talk::at_stop(at_stop);
        let mut client = talk.connect(Limits::default());
        client.say("later\n");
        client.stop();
        assert_eq!((client.heard().as_str(), client.over()), (heard, Some(over)), "{at_stop}");
        assert!(talk.answer().is_gone(), "{at_stop}");
    }
}

#[test]
fn a_stop_may_be_answered_later() {
    let talk = Talk::at_stop("later");
    let mut client = talk.connect(Limits::default());
    client.stop();
    assert_eq!(client.over(), None);
    talk.answer().send("stopped").unwrap();
    assert_eq!((client.heard().as_str(), client.over()), ("stopped\n", Some(CloseReason::Stopping)));
    assert_eq!(client.messages(), 0, "it is no message");
}

#[test]
fn a_session_is_told_where_it_may_block() {
    let mut rig = Rig::serving(Talk::blocking().service(Limits::default()));
    rig.settle();
    rig.connection.stop(0);
    assert_eq!(rig.connection.what_now(&mut rig.out), Next::Run);
    assert!(rig.connection.may_block());
    assert_eq!(rig.settle(), Next::Done(CloseReason::Stopping));
}

/// A protocol that relies on the defaults.
struct Silent;

impl Protocol for Silent {
    fn receive(&mut self, _input: &mut [u8], _out: &mut Outbox) -> Progress {
        Progress::More { used: 0, begun: false }
    }

    fn error(&mut self, _error: &ErrorReply, _out: &mut Outbox) {}
}

#[test]
fn the_default_ignores_a_stop() {
    assert_eq!(Silent.stopping(&mut Outbox::new()), Flow::Continue);
    let mut client: TestClient = Arc::new(Talk::default()).connect(Limits::default());
    client.stop();
    assert_eq!((client.heard().as_str(), client.over()), ("", Some(CloseReason::Stopping)));
}

#[test]
fn through_a_transform_a_session_is_told_only_after_the_handshake() {
    for (arrived, heard) in [(6, "stopping\n."), (0, ".")] {
        let service = telling().service(Limits::default());
        let mut rig = Rig::serving(service.with_transform(|_| Box::new(Records::new(How::default()))));
        assert_eq!(rig.settle(), Next::Read);
        rig.connection.stop(arrived);
        let next = if arrived > 0 { rig.send("HELLO\n") } else { rig.settle() };
        assert_eq!((next, rig.read().as_str()), (Next::Done(CloseReason::Stopping), heard));
    }

    let service = telling().service(Limits::default());
    let mut rig = Rig::serving(service.with_transform(|_| Box::new(Records::new(How::default()))));
    rig.settle();
    rig.send("HELLO\n");
    assert_eq!(rig.send(record("later\nmore\n")), Next::Wait);
    rig.connection.stop(0);
    assert_eq!(rig.settle(), Next::Wait);
    assert_eq!(rig.read(), "stopping\n");
}
