//! A message that is too long or malformed gets one error reply, and the server continues.

use std::sync::Arc;

use common::{CloseReason, Codec, Decoded, ErrorReply, FramedHandler, Framing, Limits, Outbox, Service};

use crate::handlers::{IntoService, Scripted, limited};
use crate::server::Server;
use crate::subject::Subject;

/// The maximum length of a message in these cases.
const MAX: usize = 10;

pub(crate) fn line_framing_enforces_max_message(subject: &Subject) {
    check_max_message(Framing::Line, subject);

    let server = subject.serve(Scripted::new().limited(|limits| limits.max_message = MAX));
    let mut client = server.connect_greeted();
    client.send("0123456789\r\n");
    client.expect_reply("1:0123456789");
    client.send("0123456789a\r\n");
    client.expect_last("ERR too-long max=10");
}

pub(crate) fn length_framing_enforces_max_message(subject: &Subject) {
    check_max_message(Framing::Length, subject);
}

pub(crate) fn raw_framing_enforces_max_message(subject: &Subject) {
    check_max_message(Framing::Raw, subject);
}

fn check_max_message(framing: Framing, subject: &Subject) {
    let server =
        subject.serve(limited(Scripted::new().service_in(framing), |limits| limits.max_message = MAX));
    for _ in 0..2 {
        let mut client = server.connect_in(framing);
        client.expect_reply("hello");
        for (number, length) in [(1, MAX - 1), (2, MAX), (3, 0), (4, MAX)] {
            if framing == Framing::Raw && length == 0 {
                continue; // a message of no bytes can't be sent
            }
            let number = if framing == Framing::Raw && number > 3 { number - 1 } else { number };
            client.send_message("x".repeat(length));
            client.expect_reply(format!("{number}:{}", "x".repeat(length)));
        }
        client.send_message("x".repeat(MAX + 1));
        client.expect_last(format!("ERR too-long max={MAX}"));
    }
    assert_eq!(server.stop().reason(CloseReason::TooLong), 2);
}

pub(crate) fn too_long_message_is_rejected_early(subject: &Subject) {
    for (framing, beginning) in
        [(Framing::Line, b"0123456789a".as_slice()), (Framing::Length, &[0, 0, 0, 11])]
    {
        let server =
            subject.serve(limited(Scripted::new().service_in(framing), |limits| limits.max_message = MAX));
        let mut client = server.connect_in(framing);
        client.expect_reply("hello");
        client.send(beginning);
        client.expect_last("ERR too-long max=10");
    }
}

pub(crate) fn malformed_message_ends_the_conversation(subject: &Subject) {
    let application = FramedHandler::new(Arc::new(Scripted::new()), |_: &Limits| WithoutExclamationMarks);
    let server = subject.serve(Service::new(Arc::new(application)));
    let mut client = server.connect_greeted();
    client.send("a\nb!\nc\n");
    client.expect_reply("1:a");
    client.expect_last("ERR malformed exclamation-mark");
    assert_still_serves(&server);
    assert_eq!(server.stop().reason(CloseReason::Malformed), 1);
}

/// Lines without exclamation marks.
struct WithoutExclamationMarks;

impl Codec for WithoutExclamationMarks {
    fn decode(&mut self, input: &mut [u8]) -> Decoded {
        match input.iter().position(|&byte| byte == b'\n') {
            None => Decoded::More,
            Some(end) if input[..end].contains(&b'!') => {
                Decoded::Broken(ErrorReply::malformed("exclamation-mark"))
            }
            Some(end) => Decoded::Message { payload: 0..end, used: end + 1 },
        }
    }

    fn end(&self, _start: usize, out: &mut Outbox) {
        out.push(b"\n");
    }
}

pub(crate) fn rejection_does_not_end_the_conversation(subject: &Subject) {
    let server = subject.serve(Scripted::new().service());
    let mut client = server.connect_greeted();
    client.send(b"a\n\xff\xfe\nb\n");
    client.expect_reply("1:a");
    client.expect_reply("ERR not-utf8");
    client.expect_reply("2:b");
    client.send(b"\xe6\n");
    client.expect_reply("ERR not-utf8");
    client.send_message("c");
    client.expect_reply("3:c");
}

pub(crate) fn max_reply_is_enforced(subject: &Subject) {
    let server = subject.serve(Scripted::new().limited(|limits| limits.max_reply = 1000));
    let mut client = server.connect_greeted();
    // The line feed at the end of a reply counts.
    for length in [998, 999] {
        client.send_message(format!("big {length}"));
        assert_eq!(client.receive().len(), length);
    }
    client.send("a\nbig 1000\nnever\n");
    client.expect_reply("3:a");
    client.expect_last("ERR internal");
    assert_still_serves(&server);
    assert_eq!(server.stop().reason(CloseReason::ReplyTooLong), 1);
}

/// Checks that the server serves another client.
pub(crate) fn assert_still_serves(server: &Server) {
    let mut client = server.connect_greeted();
    client.send_message("message");
    client.expect_reply("1:message");
    client.send_message("exit");
    client.expect_end();
}
