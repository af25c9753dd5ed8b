//! Judges a conversation that has ended.

use std::borrow::Cow;

use anyloop::{Answer, CloseReason};

use super::client::Client;
use super::session::{self, Kind};
use super::transform;

pub(super) fn check(client: &Client) {
    let over = client.over.expect("the conversation is over");
    let events = client.script.events();
    assert!(events.opened <= 1);
    assert_eq!(events.closed, vec![over; events.opened], "`closed` is called once, with the reason");
    let counts = client.record.cell.push_counts();
    assert_eq!(counts.pushed, counts.delivered + counts.dropped + counts.refused, "{counts:?}");
    assert_eq!(
        (counts.pushed - counts.refused, counts.refused),
        (client.pushes.len() as u64, client.refused)
    );
    assert!(client.connection.messages() <= events.handled as u64);
    if over == CloseReason::Panicked {
        let last = events.handled.checked_sub(1).map(|last| client.messages[last].0);
        assert_eq!(last, Some(Kind::Panic), "a session has panicked");
    }

    let (plain, ended) = match client.settings.transformed {
        true => transform::open(&client.received),
        false => (client.received.clone(), false),
    };
    // If the socket fails after all was delivered, the reason stays.
    let is_abrupt = client.is_lost
        || matches!(
            over,
            CloseReason::Cut | CloseReason::Lost | CloseReason::WriteTimeout | CloseReason::MailboxFull
        );
    assert!(is_abrupt || !client.settings.transformed || ended, "the last record is missing: {over:?}");
    let (replies, error) = replies(client, &plain, is_abrupt);
    let expected = expected(client, &events.answers);
    let count = replies.len().min(expected.replies.len());
    assert_eq!(replies, expected.replies[..count], "{over:?}");
    assert!(replies.len() <= expected.replies.len(), "{replies:?} {over:?}");
    // A client whose message is incomplete when the server stops is told.
    let is_told = over == CloseReason::Stopping && error == Some(b"ERR shutting-down");
    if error != expected_error(client, over) && !is_abrupt && !is_told {
        panic!("{over:?} is reported by {error:?}");
    }

    // What must have been answered.
    let (mut end, messages) = (expected.replies.len(), &client.messages);
    let answered = match over {
        CloseReason::EndOfInput | CloseReason::Incomplete | CloseReason::TooLong => messages.len(),
        CloseReason::Stopping => {
            let stopped = client.stopped.expect("a stop");
            messages.iter().filter(|(_, end)| *end <= stopped).count()
        }
        CloseReason::Exit | CloseReason::Rejected | CloseReason::Panicked | CloseReason::ReplyTooLong => {
            events.handled
        }
        _ => return,
    };
    if let Some(&at) = expected.starts.get(answered) {
        end = at;
    }
    assert!(replies.len() >= end, "{over:?}: {} of {end} replies", replies.len());
}

/// The replies to messages, and the error at the end. All else is checked.
fn replies<'a>(
    client: &Client,
    mut plain: &'a [u8],
    is_abrupt: bool,
) -> (Vec<Cow<'a, [u8]>>, Option<&'a [u8]>) {
    let (mut replies, mut error, mut is_first) = (Vec::new(), None, true);
    let mut pushes = client.pushes.iter();
    while let Some((reply, rest)) = client.settings.unframe(plain) {
        assert!(error.is_none(), "a reply after an error: {reply:?}");
        plain = rest;
        match reply {
            b"hi" if is_first => {}
            b"timer" => {}
            [b'm', b'i', b's', b's', ..] => {}
            [b'p', b'u', b's', b'h', ..] => {
                assert!(pushes.any(|push| push == reply), "pushed twice, or too early: {reply:?}");
            }
            [b'E', b'R', b'R', b' ', b'n', b'o', ..] => replies.push(Cow::Borrowed(reply)),
            [b'E', b'R', b'R', ..] => error = Some(reply),
            _ if !is_first => replies.push(Cow::Borrowed(reply)),
            _ => panic!("{reply:?} instead of a greeting"),
        }
        is_first = false;
    }
    assert!(plain.is_empty() || is_abrupt, "the last reply is incomplete");
    (replies, error)
}

/// What the messages are answered with.
struct Expected {
    replies: Vec<Cow<'static, [u8]>>,
    /// The number of replies before those to each message.
    starts: Vec<usize>,
}

fn expected(client: &Client, answers: &[(usize, Option<Answer>)]) -> Expected {
    let (mut replies, mut starts) = (Vec::new(), Vec::new());
    for (number, (kind, _)) in client.messages.iter().enumerate() {
        starts.push(replies.len());
        let message = || Cow::Owned(kind.message(number));
        match kind {
            Kind::Echo => replies.push(message()),
            Kind::Two => replies.extend([message(), message()]),
            Kind::Nothing | Kind::Timer => {}
            Kind::Long => replies.push(Cow::Owned(vec![b'x'; session::long(&client.settings)])),
            Kind::Later => match answers.iter().find(|(answered, _)| *answered == number) {
                Some((_, Some(Answer::Reply(reply)))) => replies.push(Cow::Owned(reply.clone())),
                Some((_, Some(Answer::Reject(why)))) => {
                    replies.push(Cow::Owned(format!("ERR {why}").into_bytes()));
                }
                Some((_, Some(Answer::Close(reply)))) => {
                    replies.push(Cow::Owned(reply.clone()));
                    break;
                }
                _ => break,
            },
            Kind::Fail => {
                replies.extend([message(), Cow::Borrowed(&b"ERR no"[..])]);
                break;
            }
            Kind::Close | Kind::Panic | Kind::TooMuch => break,
        }
    }
    Expected { replies, starts }
}

/// The error that is sent for this reason.
fn expected_error(client: &Client, over: CloseReason) -> Option<&'static [u8]> {
    Some(match over {
        CloseReason::IdleTimeout => b"ERR timeout idle",
        CloseReason::MessageTimeout if client.settings.framing == anyloop::Framing::Line => {
            b"ERR timeout message: no line end"
        }
        CloseReason::MessageTimeout => b"ERR timeout message",
        CloseReason::AnswerTimeout => b"ERR timeout answer",
        CloseReason::TooLong => b"ERR too-long max=16",
        CloseReason::Incomplete => b"ERR incomplete",
        CloseReason::Panicked | CloseReason::ReplyTooLong | CloseReason::Unanswered => b"ERR internal",
        _ => return None,
    })
}
