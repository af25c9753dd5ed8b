use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{CloseReason, Connection, Next, Service};

use super::*;

/// What a client is told who sends these pieces and then no more, and how the conversation ended.
fn converse(max: usize, pieces: &[&[u8]]) -> (String, CloseReason) {
    let limits = Limits { max_message: max, ..Limits::default() };
    let service = Arc::new(Service::new(Arc::new(Http)).with_limits(limits));
    let (mut now, mut out, mut said) = (Instant::now(), Outbox::new(), Vec::new());
    let mut connection = Connection::new(service, ([127, 0, 0, 1], 1).into(), now);
    let mut pieces = pieces.iter();
    loop {
        match connection.what_now(&mut out) {
            Next::Run => connection.run(&mut out, || now),
            Next::Read => match pieces.next() {
                Some(&LATE) => {
                    now += Duration::from_secs(11);
                    connection.expire(0, 0, &mut out, now);
                }
                Some(piece) => connection.receive(piece, &mut out, || now),
                None => connection.end_of_input(&mut out, || now),
            },
            Next::Write => {
                let bytes = connection.output(&out).to_vec();
                said.extend_from_slice(&bytes);
                connection.wrote(bytes.len(), &mut out, now);
            }
            Next::Done(reason) => return (String::from_utf8(said).unwrap(), reason),
        }
    }
}

/// A piece that never comes.
const LATE: &[u8] = b"late";

/// The status lines of the responses to this, without the version.
fn statuses(max: usize, pieces: &[&[u8]]) -> (Vec<String>, CloseReason) {
    let (said, reason) = converse(max, pieces);
    let lines = said.split("HTTP/1.1 ").skip(1).map(|response| response.lines().next().unwrap().to_owned());
    (lines.collect(), reason)
}

const GET: &[u8] = b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn a_request_is_answered_and_the_connection_kept() {
    let response =
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 3\r\n\r\nok\n";
    let (said, reason) = converse(1000, &[GET, &[GET, GET].concat()]);
    assert_eq!((said, reason), (response.repeat(3), CloseReason::EndOfInput));
    let (said, _) = converse(1000, &[b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"]);
    assert!(said.starts_with("HTTP/1.1 200 OK\r\n") && said.ends_with("\r\n\r\n"), "{said}");
    assert!(!said.contains("Content-Length: 0"), "it is as long as it would be: {said}");
}

#[test]
fn what_is_said_does_not_depend_on_how_it_comes() {
    let requests = [b"\r\nGET / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n\r\n\r\n\r\n", GET].concat();
    let expected = converse(1000, &[&requests]);
    assert_eq!(expected.0.matches("200 OK").count(), 2);
    for split in 0..=requests.len() {
        assert_eq!(converse(1000, &[&requests[..split], &requests[split..]]), expected, "{split}");
    }
    let bytes: Vec<&[u8]> = requests.chunks(1).collect();
    assert_eq!(converse(1000, &bytes), expected);
}

#[test]
fn every_request_gets_the_status_that_fits() {
    for (request, expected, goes_on) in [
        ("GET / HTTP/1.1\r\nHost: a\r\n", "200 OK", true),
        ("GET /?query HTTP/1.1\r\nHost: a\r\n", "200 OK", true),
        ("GET http://a/health HTTP/1.1\r\nHost: a\r\n", "200 OK", true),
        ("GET http://a HTTP/1.1\r\nHost: a\r\n", "200 OK", true),
        ("GET /health HTTP/1.1\nHost: a\n", "200 OK", true),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n", "200 OK", false),
        ("GET / HTTP/1.0\r\n", "200 OK", false),
        ("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n", "200 OK", true),
        ("GET /none HTTP/1.1\r\nHost: a\r\n", "404 Not Found", true),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n", "405 Method Not Allowed", true),
        ("BREW / HTTP/1.1\r\nHost: a\r\n", "501 Not Implemented", true),
        ("GET / HTTP/2.0\r\nHost: a\r\n", "505 HTTP Version Not Supported", false),
        ("GET /\r\n", "400 Bad Request", false),
        ("GET / HTTP/1.1\r\n", "400 Bad Request", false),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n", "400 Bad Request", false),
        ("GET / HTTP/1.1\r\nHost: a\r\n folded: x\r\n", "400 Bad Request", false),
        ("GET / HTTP/1.1\r\nHost : a\r\n", "400 Bad Request", false),
        ("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n", "501 Not Implemented", false),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n",
            "400 Bad Request",
            false,
        ),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n", "400 Bad Request", false),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n", "400 Bad Request", false),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n", "400 Bad Request", false),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n", "413 Content Too Large", false),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n",
            "413 Content Too Large",
            false,
        ),
        (
            &format!("GET / HTTP/1.1\r\nHost: a\r\n{}", "a: b\r\n".repeat(64)),
            "431 Request Header Fields Too Large",
            false,
        ),
    ] {
        let end = if request.contains("\r\n") { "\r\n" } else { "\n" };
        let (all, _) = statuses(1000, &[format!("{request}{end}").as_bytes(), GET]);
        assert_eq!(all[0], expected, "{request}");
        assert_eq!(all.len() == 2, goes_on, "{request}: {all:?}");
    }
    assert!(converse(1000, &[b"PUT / HTTP/1.1\r\nHost: a\r\n\r\n"]).0.contains("Allow: GET, HEAD\r\n"));
}

#[test]
fn a_request_has_a_limit_with_its_body() {
    for (max, passes) in [(GET.len() + 1, true), (GET.len(), true), (GET.len() - 1, false)] {
        for pieces in [vec![GET], GET.chunks(1).collect()] {
            let expected = if passes { "200 OK" } else { "431 Request Header Fields Too Large" };
            assert_eq!(statuses(max, &pieces).0, [expected], "{max}");
        }
    }
    let request = b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n123456789";
    for (max, expected) in [(request.len(), "200 OK"), (request.len() - 1, "413 Content Too Large")] {
        assert_eq!(statuses(max, &[request]).0, [expected], "{max}");
    }
}

#[test]
fn an_end_within_a_request_is_told_unless_it_was_answered() {
    let (all, reason) = statuses(1000, &[b"GET / HTT"]);
    assert_eq!((all, reason), (vec!["400 Bad Request".to_owned()], CloseReason::Incomplete));
    let (all, reason) = statuses(1000, &[b"GET / HTT", LATE]);
    assert_eq!((all, reason), (vec!["408 Request Timeout".to_owned()], CloseReason::MessageTimeout));
    let begun = b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n123";
    let (all, reason) = statuses(1000, &[begun]);
    assert_eq!((all, reason), (vec!["200 OK".to_owned()], CloseReason::EndOfInput));
    let (all, reason) = statuses(1000, &[begun, LATE]);
    assert_eq!((all, reason), (vec!["200 OK".to_owned()], CloseReason::MessageTimeout));
}

#[test]
fn who_is_not_let_in_is_told_so() {
    let mut out = Outbox::new();
    Http.refuse(&ErrorReply::Busy, &Limits::default(), &mut out);
    assert!(out.bytes().starts_with(b"HTTP/1.1 503 Service Unavailable\r\n"));
}
