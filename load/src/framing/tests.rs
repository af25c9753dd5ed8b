use std::io::{self, ErrorKind, Read};

use common::Length;

use super::*;

fn length() -> Framing {
    Framing::of("length", Length::new)
}

#[test]
fn messages_are_framed_and_replies_found() {
    for (framing, sent) in [
        (Framing::Line, &b"hi\n"[..]),
        (length(), b"\0\0\0\x02hi"),
        (Framing::Resp, b"*2\r\n$4\r\nECHO\r\n$2\r\nhi\r\n"),
    ] {
        assert_eq!(framing.message(b"hi"), sent, "{framing:?}");
        let twice = [sent, sent].concat();
        let mut replies =
            framing.replies(twice.chunks(1).fold(Box::new(io::empty()) as Box<dyn Read>, chain));
        let expected = if framing == Framing::Resp { sent } else { b"hi" };
        assert_eq!(
            (replies.receive().unwrap(), replies.receive().unwrap()),
            (expected.to_vec(), expected.to_vec())
        );
        assert_eq!(replies.receive().unwrap_err().kind(), ErrorKind::UnexpectedEof);
    }
}

fn chain<'a>(before: Box<dyn Read + 'a>, piece: &'a [u8]) -> Box<dyn Read + 'a> {
    Box::new(before.chain(piece))
}

#[test]
fn responses_are_found_to_the_end_of_a_connection_and_to_head() {
    let response = b"HTTP/1.1 200 OK\r\n\r\nbody";
    assert_eq!(Framing::Http.replies(&response[..]).receive().unwrap(), response);
    let response = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n";
    let head = Framing::Http.encode("HEAD /").unwrap();
    assert_eq!(Framing::Http.replies(&response[..]).to(&head).receive().unwrap(), response);
    assert!(Framing::Http.replies(&response[..]).receive().is_err());
}

#[test]
fn an_invalid_reply_is_an_error() {
    for (framing, input) in
        [(length(), &[255; 4][..]), (Framing::Resp, b"hi\r\n"), (Framing::Http, b"hi\r\n")]
    {
        let mut replies = framing.replies(input);
        assert_eq!(replies.receive().unwrap_err().kind(), ErrorKind::InvalidData, "{framing:?}");
    }
}

#[test]
fn a_size_includes_the_line_end_and_not_a_codecs_bytes() {
    assert_eq!((Framing::Line.payload(32), length().payload(32)), (31, 32));
}

#[test]
fn texts_become_messages() {
    for (framing, text, expected) in [
        (Framing::Line, "a b", "a b"),
        (Framing::Line, "", ""),
        (length(), "a\nb", "a\nb"),
        (Framing::Resp, "GET \"a b\"", "*2\r\n$3\r\nGET\r\n$3\r\na b\r\n"),
        (Framing::Http, "GET /a", "GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    ] {
        let payload = framing.encode(text).unwrap();
        assert_eq!(String::from_utf8(payload.clone()).unwrap(), expected, "{framing:?}");
        if matches!(framing, Framing::Resp | Framing::Http) {
            assert_eq!(framing.frame(&payload), payload);
        }
    }
    for (framing, text, expected) in [
        (Framing::Line, "a\nb", "`a\\nb` is several lines"),
        (Framing::Resp, " ", "a command has no words"),
        (Framing::Http, "/", "is no request"),
    ] {
        let error = framing.encode(text).unwrap_err();
        assert!(error.contains(expected), "{framing:?}: {error}");
    }
}

#[test]
fn a_message_of_the_maximal_length_is_accepted_and_a_longer_one_is_not() {
    // How many bytes a framing adds to a text.
    for (framing, before, around) in [
        (Framing::Line, "", 1),
        (length(), "", 0),
        (Framing::Resp, "PING ", "*2\r\n$4\r\nPING\r\n$1048543\r\n\r\n".len()),
        (Framing::Http, "GET /", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".len()),
    ] {
        for (length, passes) in [(LONGEST - 1, true), (LONGEST, true), (LONGEST + 1, false)] {
            let text = format!("{before}{}", "x".repeat(length - around));
            let encoded = framing.encode(&text);
            assert_eq!(encoded.is_ok(), passes, "{framing:?}, {length} bytes");
            if let Err(error) = encoded {
                assert!(
                    error.contains(&format!("{length} bytes; write one of at most {LONGEST}")),
                    "{error}"
                );
                assert!(error.contains('…') && error.len() < 200, "{error}");
            }
        }
    }
}

#[test]
fn errors_are_recognised_in_every_framing() {
    for (framing, answer, error) in [
        (Framing::Line, "ERRATA", "ERR rate-limited"),
        (length(), "ok", "ERR busy"),
        (Framing::Resp, "+OK\r\n", "-ERR no\r\n"),
        (Framing::Http, "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 429 Slow down\r\n\r\n"),
    ] {
        assert!(!framing.is_error(answer.as_bytes()) && framing.is_error(error.as_bytes()), "{framing:?}");
    }
}
