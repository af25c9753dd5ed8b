//! The ends of conversations: by the session, the client, errors, and a stop of the server.

use super::*;

#[test]
fn exit_delivers_earlier_replies_and_nothing_else() {
    let mut rig = Rig::line();
    rig.settle();
    assert_eq!(rig.send("a\nexit\nb\n"), Next::Done(CloseReason::Exit));
    assert_eq!(rig.heard(), "hi\na\n");
}

#[test]
fn a_session_may_end_the_conversation_as_failed() {
    let mut rig = Rig::line();
    rig.settle();
    assert_eq!(rig.send("a\nfail\nb\n"), Next::Done(CloseReason::Rejected));
    assert_eq!(rig.heard(), "hi\na\nso far\nERR no room  for you\n");
    assert_eq!(*rig.script.closed.lock().unwrap(), [CloseReason::Rejected]);
}

#[test]
fn the_end_waits_until_the_last_byte_is_written() {
    let mut rig = Rig::line();
    rig.settle();
    rig.room = 0;
    assert_eq!(rig.send("a\nexit\n"), Next::Write);
    assert!(rig.script.closed.lock().unwrap().is_empty());
    rig.room = usize::MAX;
    assert_eq!(rig.settle(), Next::Done(CloseReason::Exit));
    assert_eq!(rig.heard(), "hi\na\n");
}

#[test]
fn the_end_of_input_waits_for_unanswered_messages() {
    let mut rig = Rig::line();
    rig.settle();
    rig.receive(b"m\n".repeat(100));
    assert_eq!(rig.end_input(), Next::Done(CloseReason::EndOfInput));
    assert_eq!(rig.heard().len(), 3 + 200);
}

#[test]
fn a_handler_that_may_block_sees_all_input_before_its_end() {
    for (input, reason, told) in [
        ("a\nb\n", CloseReason::EndOfInput, "hi\na\nb\n"),
        ("a\npart", CloseReason::Incomplete, "hi\na\nERR incomplete\n"),
    ] {
        let script = Script { blocking: true, ..Script::default() };
        let mut rig = Rig::scripted(script, Framing::Line, Limits::default());
        rig.settle();
        rig.receive(input.as_bytes());
        assert_eq!(rig.end_input(), Next::Done(reason));
        assert_eq!(rig.heard(), told);
    }
}

#[test]
fn a_panic_withdraws_the_replies_to_its_message() {
    let mut rig = Rig::line();
    rig.settle();
    assert_eq!(rig.send("a\npanic\nb\n"), Next::Done(CloseReason::Panicked));
    assert_eq!(rig.heard(), "hi\na\nERR internal\n");
}

#[test]
fn a_reply_may_have_at_most_max_reply_bytes() {
    for (max_reply, reason, told) in
        [(6, None, "hi\nhello\n"), (5, Some(CloseReason::ReplyTooLong), "hi\nERR internal\n")]
    {
        let mut rig = Rig::new(Framing::Line, Limits::default().with_max_reply(max_reply));
        rig.settle();
        assert_eq!(rig.send("hello\n"), reason.map_or(Next::Read, Next::Done));
        assert_eq!(rig.heard(), told);
    }
    let mut rig = Rig::line();
    rig.settle();
    assert_eq!(rig.send("a\ntoo large\n"), Next::Done(CloseReason::ReplyTooLong));
    assert_eq!(rig.heard(), "hi\na\nERR internal\n");
}

#[test]
fn a_greeting_over_the_limit_ends_the_conversation() {
    let mut rig = Rig::new(Framing::Length, Limits::default().with_max_reply(3));
    assert_eq!(rig.settle(), Next::Done(CloseReason::ReplyTooLong));
    assert_eq!(rig.heard(), "\0\0\0\x0cERR internal");
}

#[test]
fn a_stop_ends_an_idle_client_at_once() {
    let mut rig = Rig::line();
    rig.settle();
    rig.connection.stop(0);
    assert_eq!(rig.settle(), Next::Done(CloseReason::Stopping));
    assert_eq!(rig.heard(), "hi\n");
}

#[test]
fn a_stop_answers_only_messages_that_had_arrived() {
    let mut rig = Rig::line();
    rig.settle();
    rig.connection.stop(8);
    assert_eq!(rig.settle(), Next::Read);
    assert_eq!(rig.send("abc\n"), Next::Read);
    assert_eq!(rig.send("def\nghi"), Next::Done(CloseReason::Stopping));
    assert_eq!(rig.heard(), "hi\nabc\ndef\nERR shutting-down\n");
}

#[test]
fn a_stop_ends_at_the_first_would_block() {
    let mut rig = Rig::line();
    rig.settle();
    rig.send("part");
    rig.connection.stop(100);
    assert_eq!(rig.settle(), Next::Read);
    rig.connection.would_block(|| 0);
    assert_eq!(rig.settle(), Next::Done(CloseReason::Stopping));
    assert_eq!(rig.heard(), "hi\nERR shutting-down\n");
}

#[test]
fn a_stop_waits_for_unsent_replies_and_unanswered_messages() {
    let mut rig = Rig::line();
    rig.settle();
    rig.room = 0;
    rig.send("m\n".repeat(70));
    rig.connection.stop(0);
    assert_eq!(rig.settle(), Next::Write);
    rig.room = usize::MAX;
    assert_eq!(rig.settle(), Next::Done(CloseReason::Stopping));
    assert_eq!(rig.heard().len(), 3 + 140);
}

#[test]
fn a_stop_before_the_greeting_still_greets() {
    let mut rig = Rig::line();
    rig.connection.stop(0);
    assert_eq!(rig.settle(), Next::Done(CloseReason::Stopping));
    assert_eq!(rig.heard(), "hi\n");
}

#[test]
fn a_cut_discards_unsent_output() {
    let mut rig = Rig::line();
    rig.settle();
    rig.room = 0;
    rig.send("hello\n");
    rig.connection.cut(&mut rig.out);
    assert_eq!(rig.settle(), Next::Done(CloseReason::Cut));
}

#[test]
fn a_lost_socket_ends_the_conversation_with_replies_in_the_outbox() {
    let mut rig = Rig::line();
    rig.settle();
    rig.receive(b"hello\n");
    rig.connection.lost(&mut rig.out);
    assert_eq!(rig.settle(), Next::Done(CloseReason::Lost));
    assert!(rig.out.is_empty());
}
