//! Messages that are pushed to a client: order, turns, the mailbox, deadlines and the end.

use std::time::Duration;

use super::talk::Talk;
use super::*;
use crate::testing::TestClient;
use crate::{MailboxFull, SendError, TURN_MESSAGES, TURN_REPLIES};

fn connected() -> (Arc<Talk>, TestClient) {
    let talk = Arc::new(Talk::default());
    let client = talk.connect(Limits::default());
    (talk, client)
}

/// A rig for [`Talk`], which does not take its marks by itself.
pub(super) fn rig(talk: &Arc<Talk>, limits: Limits) -> Rig {
    let mut rig = Rig::serving(talk.service(limits));
    rig.connection.record = Some(Arc::new(Record::new(&limits, 0)));
    assert_eq!(rig.settle(), Next::Read);
    rig
}

impl Rig {
    pub(super) fn push(&mut self, message: &[u8]) -> Result<(), SendError> {
        let record = Arc::clone(self.connection.record());
        let (pushed, wakeup) = record.cell.push(message.into(), record.mailbox);
        wakeup.wake();
        pushed
    }

    fn notify(&mut self) -> Next {
        self.connection.notified(&mut self.out);
        self.settle()
    }
}

#[test]
fn messages_are_delivered_in_order_between_two_messages() {
    let (_, mut client) = connected();
    client.say("one\ntw");
    client.pushed("a").unwrap();
    client.pushed("b").unwrap();
    client.say("o\n");
    client.pushed("c").unwrap();
    assert_eq!(client.heard(), "one\n> a\n> b\ntwo\n> c\n");
    assert_eq!(client.messages(), 2);
}

#[test]
fn pushes_and_answers_are_delivered_in_the_order_of_their_calls() {
    let (_, mut client) = connected();
    client.say("self x\nself y\n");
    assert_eq!(client.heard(), "> x 1\nx 2\n> x 3\n> y 1\ny 2\n> y 3\n");
}

#[test]
fn messages_wait_while_output_is_unsent_and_while_a_session_may_block() {
    let talk = Arc::new(Talk::default());
    let mut rig = rig(&talk, Limits::default());
    rig.room = 3;
    rig.send("hello\n");
    rig.push(b"news").unwrap();
    assert_eq!(rig.notify(), Next::Write);
    assert_eq!(rig.heard(), "hel");
    rig.room = usize::MAX;
    assert_eq!(rig.settle(), Next::Read);
    assert_eq!(rig.heard(), "lo\n> news\n");

    let mut rig = Rig::serving(Talk::blocking().service(Limits::default()));
    rig.settle();
    rig.push(b"news").unwrap();
    rig.connection.notified(&mut rig.out);
    assert_eq!(rig.connection.what_now(&mut rig.out), Next::Run);
    assert!(rig.connection.may_block(), "a push is handled where a session may block");
    assert_eq!(rig.settle(), Next::Read);
    assert_eq!(rig.heard(), "> news\n");
}

#[test]
fn a_turn_delivers_a_bounded_number_of_messages_and_answers_input_too() {
    let talk = Arc::new(Talk::default());
    let mut rig = rig(&talk, Limits::default());
    for _ in 0..100 {
        rig.push(b"m").unwrap();
    }
    rig.connection.notified(&mut rig.out);
    rig.receive("one\n");
    rig.connection.run(&mut rig.out, || rig.now);
    let output = String::from_utf8(rig.connection.output(&rig.out).to_vec()).unwrap();
    assert_eq!(output, "> m\n".repeat(64) + "one\n");
    assert_eq!(rig.settle(), Next::Read);
    assert_eq!(rig.heard(), "> m\n".repeat(64) + "one\n" + &"> m\n".repeat(36));

    for message in [&b"large"[..], b"large", b"large"] {
        rig.push(message).unwrap();
    }
    rig.connection.notified(&mut rig.out);
    rig.receive("one\ntwo\n");
    rig.connection.run(&mut rig.out, || rig.now);
    assert!(rig.out.len() > TURN_REPLIES && rig.out.bytes().ends_with(b"x\none\n"), "one of each at least");
    assert_eq!(rig.settle(), Next::Read);
    assert!(rig.heard().ends_with("x\ntwo\n"));
}

#[test]
fn a_session_may_end_the_conversation_when_it_is_notified() {
    for (message, reason, output) in [
        ("close", CloseReason::Exit, ""),
        ("fail", CloseReason::Rejected, ""),
        ("panic", CloseReason::Panicked, "ERR internal\n"),
        ("too large", CloseReason::ReplyTooLong, "ERR internal\n"),
    ] {
        let (talk, mut client) = connected();
        client.pushed(message).unwrap();
        assert_eq!((client.heard().as_str(), client.over()), (output, Some(reason)), "{message}");
        assert_eq!(talk.closed(), [(reason, Err(SendError::Gone))]);
        assert_eq!(client.pushed("more"), Err(SendError::Gone));
    }
}

#[test]
fn a_handle_closes_its_client_after_earlier_messages() {
    let (_, mut client) = connected();
    client.handle().send(*b"bye").unwrap();
    client.handle().close();
    client.handle().close();
    assert_eq!(client.handle().send(*b"more"), Err(SendError::Gone));
    assert_eq!(client.heard(), "> bye\n");
    assert_eq!(client.over(), Some(CloseReason::Closed));
    client.handle().close();
}

#[test]
fn a_slow_client_is_closed_if_its_mailbox_is_full() {
    let talk = Arc::new(Talk::default());
    let limits = Limits::default().with_mailbox(200);
    let mut rig = rig(&talk, limits);
    rig.room = 0;
    rig.send("unsent\n");
    assert_eq!((rig.push(&[0; 36]), rig.push(&[0; 36])), (Ok(()), Ok(())));
    assert_eq!(rig.notify(), Next::Write, "it has not exceeded the bound");
    assert_eq!(rig.push(b""), Err(SendError::Full));
    assert_eq!(rig.notify(), Next::Done(CloseReason::MailboxFull));
    assert_eq!(rig.heard(), "");
}

#[test]
fn a_slow_client_is_notified_of_the_number_of_missed_messages() {
    let talk = Arc::new(Talk::default());
    let limits = Limits::default().with_mailbox(3 * 65).with_mailbox_full(MailboxFull::DropOldest);
    let mut rig = rig(&talk, limits);
    rig.room = 0;
    rig.send("unsent\n");
    for message in [b"1", b"2", b"3", b"4", b"5"] {
        rig.push(message).unwrap();
    }
    rig.room = usize::MAX;
    rig.notify();
    rig.push(b"6").unwrap();
    rig.notify();
    assert_eq!(rig.heard(), "unsent\nmissed 2\n> 3\n> 4\n> 5\n> 6\n");
}

#[test]
fn a_pushed_message_restarts_the_idle_timeout_only() {
    let idle = Limits::default().idle_timeout.unwrap();
    let message = Limits::default().message_timeout;
    let (_, mut client) = connected();
    client.advance(idle - Duration::from_secs(1));
    client.pushed("news").unwrap();
    client.advance(idle - Duration::from_secs(1));
    assert_eq!(client.over(), None);
    client.say("begun");
    for _ in 0..4 {
        client.advance(message / 4);
        let _ = client.pushed("news");
    }
    assert_eq!(client.over(), Some(CloseReason::MessageTimeout));
}

#[test]
fn input_is_accepted_while_more_is_pushed_than_a_turn_delivers() {
    let mut rig = rig(&Arc::default(), Limits::default());
    let now = rig.now;
    for _ in 0..=TURN_MESSAGES {
        rig.push(b"news").unwrap();
    }
    rig.connection.notified(&mut rig.out);
    rig.connection.run(&mut rig.out, || now);
    rig.connection.wrote(rig.out.len(), &mut rig.out, now);
    assert_eq!(rig.connection.what_now(&mut rig.out), Next::Run);
    assert!(rig.connection.accepts_input());
    rig.receive("hello\n");
    assert!(!rig.connection.accepts_input(), "it has input to answer");
    rig.connection.run(&mut rig.out, || now);
    assert_eq!(rig.connection.output(&rig.out), b"> news\nhello\n");
}

#[test]
fn a_message_times_out_while_pushed_messages_wait() {
    let limits = Limits::default();
    let mut rig = rig(&Arc::default(), limits);
    rig.send("begun");
    rig.push(b"news").unwrap();
    rig.connection.notified(&mut rig.out);
    assert_eq!(rig.pass(limits.message_timeout), Next::Done(CloseReason::MessageTimeout));
}

#[test]
fn the_message_timeout_excludes_time_with_unsent_pushes() {
    let limits = Limits::default().with_min_rate(0);
    let talk = Arc::new(Talk::default());
    let mut rig = rig(&talk, limits);
    rig.send("begun");
    rig.pass(limits.message_timeout / 2);
    rig.room = 1;
    rig.push(b"news").unwrap();
    rig.notify();
    for queued in (1..10).rev() {
        assert_eq!(
            rig.pass_with_queue(limits.write_timeout / 2, queued),
            Next::Write,
            "it is received slowly"
        );
    }
    rig.room = usize::MAX;
    assert_eq!(rig.settle(), Next::Read);
    assert_eq!(rig.heard(), "> news\n");
    assert_eq!(rig.pass(limits.message_timeout / 2 - Duration::from_secs(1)), Next::Read);
    assert_eq!(rig.pass(Duration::from_secs(1)), Next::Done(CloseReason::MessageTimeout));
}

#[test]
fn accepted_messages_are_delivered_before_a_stop_and_the_end_of_input() {
    let talk = Arc::new(Talk::default());
    let mut rig = rig(&talk, Limits::default());
    rig.push(b"news").unwrap();
    rig.connection.record().cell.mark(Marks::STOPPING);
    assert_eq!(rig.push(b"late"), Err(SendError::Gone));
    rig.connection.stop(0);
    rig.connection.would_block(|| 0);
    assert_eq!(rig.settle(), Next::Done(CloseReason::Stopping));
    assert_eq!(rig.heard(), "> news\n");

    let mut rig = self::rig(&talk, Limits::default());
    rig.receive("one\n");
    rig.push(b"news").unwrap();
    assert_eq!(rig.end_input(), Next::Done(CloseReason::EndOfInput));
    assert_eq!(rig.heard(), "one\n> news\n");
}

#[test]
fn each_push_is_counted_once() {
    let talk = Arc::new(Talk::default());
    let limits = Limits::default().with_mailbox(2 * 65).with_mailbox_full(MailboxFull::Refuse);
    let mut rig = rig(&talk, limits);
    rig.push(b"1").unwrap();
    rig.notify();
    assert_eq!([rig.push(b"2"), rig.push(b"3"), rig.push(b"4")], [Ok(()), Ok(()), Err(SendError::Full)]);
    let record = Arc::clone(rig.connection.record());
    rig.connection.cut(&mut rig.out);
    assert_eq!(rig.settle(), Next::Done(CloseReason::Cut));
    assert_eq!(rig.push(b"5"), Err(SendError::Gone));
    let counts = record.cell.push_counts();
    assert_eq!((counts.pushed, counts.delivered, counts.dropped, counts.refused), (4, 1, 2, 1));
}
