//! Answers that come later, and the timer of a session.

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::talk::Talk;
use super::*;
use crate::SendError;
use crate::testing::TestClient;

fn connected() -> (Arc<Talk>, TestClient) {
    let talk = Arc::new(Talk::default());
    let client = talk.connect(Limits::default());
    (talk, client)
}

#[test]
fn later_messages_wait_for_the_answer() {
    let (talk, mut client) = connected();
    client.say("one\nlater so far\ntwo\nlater\nthree\n");
    assert_eq!((client.heard().as_str(), client.messages()), ("one\nso far\n", 1));
    client.pushed("news").unwrap();
    assert_eq!(client.heard(), "> news\n", "a pushed message does not wait");
    talk.answer().send("answer").unwrap();
    assert_eq!((client.heard().as_str(), client.messages()), ("answer\ntwo\n", 3));
    talk.answer().reject("no").unwrap();
    assert_eq!((client.heard().as_str(), client.messages()), ("ERR no\nthree\n", 5));
}

#[test]
fn input_that_arrives_while_an_answer_is_awaited_is_kept() {
    let talk = Arc::new(Talk::default());
    let mut rig = Rig::serving(talk.service(Limits::default()));
    rig.settle();
    assert_eq!(rig.send("later\n"), Next::Wait);
    assert_eq!(rig.send("two\n"), Next::Wait);
    assert_eq!(talk.owed(), 1);
    talk.answer().send("one").unwrap();
    rig.connection.notified(&mut rig.out);
    assert_eq!(rig.settle(), Next::Read);
    assert_eq!(rig.heard(), "one\ntwo\n");
}

#[test]
fn an_answer_may_be_given_at_once() {
    let (_, mut client) = connected();
    client.say("at-once a\nb\nat-once c\n");
    assert_eq!(client.heard(), "a\nb\nc\n");
}

#[test]
fn the_flow_of_the_message_applies_after_its_answer() {
    let (talk, mut client) = connected();
    client.say("later-close\nignored\n");
    assert_eq!(client.over(), None);
    talk.answer().send("bye").unwrap();
    assert_eq!((client.heard().as_str(), client.over()), ("bye\n", Some(CloseReason::Exit)));

    let (talk, mut client) = connected();
    client.say("later-fail\n");
    assert_eq!((client.heard().as_str(), client.over()), ("", Some(CloseReason::Rejected)));
    let later = talk.answer();
    assert!(later.is_gone());
    assert_eq!(later.send("too late"), Err(SendError::Gone));

    let (talk, mut client) = connected();
    client.say("later\nignored\n");
    talk.answer().close("bye").unwrap();
    assert_eq!((client.heard().as_str(), client.over()), ("bye\n", Some(CloseReason::Exit)));
}

#[test]
fn a_dropped_answer_and_a_second_one_are_internal_errors() {
    let (talk, mut client) = connected();
    client.say("later\n");
    drop(talk.answer());
    assert_eq!((client.heard().as_str(), client.over()), ("ERR internal\n", Some(CloseReason::Unanswered)));

    let (_, mut client) = connected();
    client.say("drop\n");
    assert_eq!((client.heard().as_str(), client.over()), ("ERR internal\n", Some(CloseReason::Unanswered)));

    for message in ["twice\n", "later-panic\n"] {
        let (talk, mut client) = connected();
        client.say(message);
        assert_eq!((client.heard().as_str(), client.over()), ("ERR internal\n", Some(CloseReason::Panicked)));
        assert_eq!(talk.answer().send("a"), Err(SendError::Gone), "{message}");
    }
}

#[test]
fn an_answer_over_the_limit_is_not_counted() {
    let limits = Limits::default().with_max_reply(100); // with the line end
    for (length, reason, messages) in
        [(98, None, 1), (99, None, 1), (100, Some(CloseReason::ReplyTooLong), 0)]
    {
        let talk = Arc::new(Talk::default());
        let mut client = talk.connect(limits);
        client.say("later\n");
        talk.answer().send(vec![b'x'; length]).unwrap();
        let heard = client.heard();
        assert_eq!((client.over(), client.messages()), (reason, messages), "{length}");
        assert_eq!(heard == "ERR internal\n", reason.is_some());
    }
}

#[test]
fn an_answer_has_a_timeout_which_nothing_restarts() {
    let (talk, mut client) = connected();
    let timeout = Limits::default().answer_timeout;
    client.say("later\nmore\n");
    client.advance(timeout - Duration::from_secs(1));
    client.pushed("news").unwrap();
    assert_eq!(client.heard(), "> news\n");
    client.advance(Duration::from_secs(1));
    let (heard, over) = (client.heard(), client.over());
    assert_eq!((heard.as_str(), over), ("ERR timeout answer\n", Some(CloseReason::AnswerTimeout)));
    assert_eq!(talk.answer().send("too late"), Err(SendError::Gone));
}

#[test]
fn an_answer_that_is_announced_right_after_another_has_its_own_timeout() {
    let (talk, mut client) = connected();
    let timeout = Limits::default().answer_timeout;
    client.pushed("later").unwrap(); // it counts as no message
    assert_eq!(client.heard(), "");
    client.advance(timeout - Duration::from_secs(1));
    talk.answer().send("one").unwrap();
    client.pushed("later").unwrap(); // both are delivered in one turn
    assert_eq!(client.heard(), "one\n");
    client.advance(timeout - Duration::from_secs(1));
    assert_eq!(client.over(), None);
    client.advance(Duration::from_secs(1));
    assert_eq!(client.over(), Some(CloseReason::AnswerTimeout));
}

#[test]
fn an_answer_that_was_given_before_its_timeout_is_delivered() {
    let talk = Arc::new(Talk::default());
    let mut rig = Rig::serving(talk.service(Limits::default()));
    rig.settle();
    rig.send("later\n");
    talk.answer().send("in time").unwrap();
    assert_eq!(rig.pass(Limits::default().answer_timeout), Next::Wait, "its mark was not taken yet");
    rig.connection.notified(&mut rig.out);
    assert_eq!(rig.settle(), Next::Read);
    assert_eq!(rig.heard(), "in time\n");
    let idle = Limits::default().idle_timeout.unwrap();
    assert_eq!(rig.pass(idle - Duration::from_secs(1)), Next::Read, "the idle timeout runs from the answer");
    assert_eq!(rig.pass(Duration::from_secs(1)), Next::Done(CloseReason::IdleTimeout));
}

#[test]
fn the_end_of_input_and_a_stop_wait_for_the_answer() {
    let (talk, mut client) = connected();
    client.say("later\n");
    client.end();
    assert_eq!(client.over(), None);
    talk.answer().send("answer").unwrap();
    assert_eq!((client.heard().as_str(), client.over()), ("answer\n", Some(CloseReason::EndOfInput)));

    let (talk, mut client) = connected();
    client.say("later\n");
    client.stop();
    assert_eq!(client.over(), None);
    talk.answer().send("answer").unwrap();
    assert_eq!((client.heard().as_str(), client.over()), ("answer\n", Some(CloseReason::Stopping)));
}

#[test]
fn an_answer_is_gone_when_its_client_is_lost() {
    let talk = Arc::new(Talk::default());
    let mut rig = Rig::serving(talk.service(Limits::default()));
    rig.settle();
    rig.send("later\n");
    let later = talk.answer();
    {
        let mut gone = pin!(later.gone());
        let mut cx = Context::from_waker(Waker::noop());
        assert_eq!(gone.as_mut().poll(&mut cx), Poll::Pending);
        rig.connection.lost(&mut rig.out);
        assert_eq!(rig.settle(), Next::Done(CloseReason::Lost));
        assert_eq!(gone.as_mut().poll(&mut cx), Poll::Ready(()));
    }
    assert_eq!(later.send("too late"), Err(SendError::Gone));
    assert_eq!(rig.connection.messages(), 0);
}

#[test]
fn a_pushed_message_may_be_answered_later() {
    let (talk, mut client) = connected();
    client.pushed("later").unwrap();
    client.say("one\n");
    assert_eq!(client.heard(), "");
    talk.answer().send("answer").unwrap();
    assert_eq!((client.heard().as_str(), client.messages()), ("answer\none\n", 1));
}

#[test]
fn a_session_has_one_timer() {
    let (talk, mut client) = connected();
    client.say("timer 5\n");
    client.advance(Duration::from_secs(4));
    client.say("timer 2\n");
    client.advance(Duration::from_millis(1999));
    assert_eq!(client.heard(), "");
    client.advance(Duration::from_millis(1));
    assert_eq!(client.heard(), "timer\n");
    client.advance(Duration::from_secs(10));
    assert_eq!(client.heard(), "", "it expires once");
    client.say("timer 5\nno-timer\n");
    client.advance(Duration::from_secs(10));
    assert_eq!(client.heard(), "");
    client.say("timer 1\nlater\n");
    client.advance(Duration::from_secs(1));
    assert_eq!(client.heard(), "timer\n", "also while an answer is awaited");
    talk.answer().send("answer").unwrap();
    assert_eq!(client.heard(), "answer\n");
    let idle = Limits::default().idle_timeout.unwrap();
    client.say("timer 1\n");
    client.advance(idle);
    assert_eq!(client.heard(), "timer\nERR timeout idle\n", "a timer is no message");
}
