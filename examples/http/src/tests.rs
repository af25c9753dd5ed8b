mod forms;

use std::sync::Arc;
use std::time::Duration;

use anyloop::testing::TestClient;
use anyloop::{CloseReason, Service};

use super::*;

/// The responses to a client that sends these pieces and then shuts down, and why the connection was closed. The date
/// of each response is left out.
fn converse(max: usize, pieces: &[&[u8]]) -> (String, CloseReason) {
    let limits = Limits::default().with_max_message(max);
    let mut client = TestClient::connect(Service::new(Arc::new(Http)).with_limits(limits));
    for piece in pieces {
        match *piece {
            LATE => client.advance(Duration::from_secs(11)),
            piece => client.say(piece),
        }
    }
    client.end();
    (without_dates(&client.heard()), client.over().unwrap())
}

/// Every response but `100 Continue` has a date: `Sun, 06 Nov 1994 08:49:37 GMT`.
fn without_dates(said: &str) -> String {
    let mut parts = said.split("Date: ");
    let mut rest = parts.next().unwrap().to_owned();
    for part in parts {
        let (date, behind) = part.split_once("\r\n").unwrap();
        assert!(date.len() == 29 && date.ends_with(" GMT"), "{date}");
        rest.push_str(behind);
    }
    let responses = said.matches("HTTP/1.1 ").count() - said.matches("HTTP/1.1 100 ").count();
    assert_eq!(said.matches("\r\nDate: ").count(), responses, "{said}");
    rest
}

/// A piece that is never sent.
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
    let (said, _) = converse(1000, &[b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"]);
    assert!(said.contains("Content-Length: 0\r\nAllow: GET, HEAD, OPTIONS\r\n"), "{said}");
}

#[test]
fn a_head_has_no_body_however_it_goes() {
    let long = format!("/{}", "x".repeat(2000));
    for (line, fields, content) in [
        ("HEAD /health HTTP/1.1", "Host: a\r\n", "ok\n"),
        ("HEAD /none HTTP/1.1", "Host: a\r\n", "404 Not Found"),
        ("HEAD / HTTP/1.1", "", "400 Bad Request"),
        ("HEAD / HTTP/1.1", "Host: a\r\nContent-Length: 9999\r\n", "413 Content Too Large"),
        ("HEAD / HTTP/1.1", "Host: a\r\nExpect: x\r\n", "417 Expectation Failed"),
        ("HEAD / HTTP/1.1", "Host: a\r\nTransfer-Encoding: x\r\n", "501 Not Implemented"),
        ("HEAD / HTTP/3.0", "Host: a\r\n", "505 HTTP Version Not Supported"),
        (&format!("HEAD {long} HTTP/1.1"), "Host: a\r\n", "414 URI Too Long"),
    ] {
        let (said, _) = converse(1000, &[format!("{line}\r\n{fields}\r\n").as_bytes()]);
        let length = format!("Content-Length: {}\r\n", content.len());
        assert!(said.contains(&length) && said.ends_with("\r\n\r\n"), "{line}: {said}");
        assert_eq!(said.matches("\r\n\r\n").count(), 1, "{line}: {said}");
    }
    for pieces in [&[&b"HEAD / HTTP/1.1\r\nHo"[..], LATE][..], &[&b"HEAD /"[..]]] {
        assert!(converse(1000, pieces).0.ends_with("\r\n\r\n"));
    }
    let invalid = b"HEAD / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n";
    let (said, _) = converse(1000, &[invalid]);
    assert!(said.starts_with("HTTP/1.1 400 ") && said.ends_with("\r\n\r\n"), "{said}");
}

#[test]
fn expect_100_continue_is_answered() {
    let request = |line: &str, fields: &str| {
        format!("{line}\r\nHost: a\r\nExpect: 100-Continue\r\n{fields}\r\n").into_bytes()
    };
    let known = "Content-Length: 4\r\n";
    let chunked = "Transfer-Encoding: chunked\r\n";
    // The body is sent only after `100 Continue`.
    let (all, reason) = statuses(1000, &[&request("GET / HTTP/1.1", known), b"body", GET]);
    assert_eq!(
        (all, reason),
        (["100 Continue", "200 OK", "200 OK"].map(String::from).into(), CloseReason::EndOfInput)
    );
    let (all, _) = statuses(1000, &[&request("GET / HTTP/1.1", chunked), b"1\r\nx\r\n0\r\n\r\n", GET]);
    assert_eq!(all, ["100 Continue", "200 OK", "200 OK"]);
    // The client does not send the body, since it has the response: the following bytes must not be taken for the body.
    for (line, fields, expected) in [
        ("POST / HTTP/1.1", known, "405 Method Not Allowed"),
        ("PUT /none HTTP/1.1", chunked, "404 Not Found"),
        ("BREW / HTTP/1.1", known, "501 Not Implemented"),
        ("GET / HTTP/1.1", "Content-Length: 1000\r\n", "413 Content Too Large"),
    ] {
        let (all, reason) = statuses(1000, &[&request(line, fields), GET]);
        assert_eq!((all, reason), (vec![expected.to_owned()], CloseReason::Exit), "{line}");
    }
    // There is nothing to wait for.
    let (all, _) = statuses(1000, &[&request("POST / HTTP/1.1", "Content-Length: 0\r\n"), GET]);
    assert_eq!(all, ["405 Method Not Allowed", "200 OK"]);
    let (all, _) = statuses(1000, &[&request("GET / HTTP/1.1", ""), GET]);
    assert_eq!(all, ["200 OK", "200 OK"]);
    // HTTP/1.0 doesn't have it.
    let old = request("GET / HTTP/1.0", "Connection: keep-alive\r\nContent-Length: 4\r\n");
    assert_eq!(statuses(1000, &[&old, b"body", GET]).0, ["200 OK", "200 OK"]);
}

#[test]
fn empty_lines_are_passed_over_in_any_pieces() {
    for (count, passes) in [(7, true), (8, true), (9, false)] {
        for line in ["\r\n", "\n"] {
            let lines = line.repeat(count);
            let all = [lines.as_bytes(), GET].concat();
            let bytes: Vec<&[u8]> = all.chunks(1).collect();
            for pieces in [vec![&*all], bytes] {
                let expected = if passes { "200 OK" } else { "400 Bad Request" };
                assert_eq!(statuses(1000, &pieces).0, [expected], "{count}");
            }
        }
    }
    // They are counted separately for each request.
    let all = [b"\r\n\r\n\r\n\r\n\r\n\r\n", GET].concat();
    assert_eq!(statuses(1000, &[&all, &all]).0, ["200 OK", "200 OK"]);
}

#[test]
fn requests_that_have_not_begun_do_not_delay_the_end() {
    let mut out = Outbox::new();
    let mut client = Http.open(Client::new(anyloop::Address::Unknown), &Limits::default(), &mut out);
    assert_eq!(client.receive(&mut b"\r".to_vec(), &mut out), Progress::More { used: 0, begun: false });
    assert_eq!(client.receive(&mut b"\r\n".to_vec(), &mut out), Progress::More { used: 2, begun: false });
    assert_eq!(
        client.receive(&mut b"\r\n\r\n\r".to_vec(), &mut out),
        Progress::More { used: 4, begun: false }
    );
    assert_eq!(client.receive(&mut b"\r\nG".to_vec(), &mut out), Progress::More { used: 2, begun: true });
    // A body is the rest of its request.
    let head = b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n";
    let used = head.len();
    assert_eq!(client.receive(&mut head.to_vec(), &mut out), Progress::More { used, begun: true });
    assert_eq!(client.receive(&mut b"".to_vec(), &mut out), Progress::More { used: 0, begun: true });
    assert_eq!(
        client.receive(&mut b"x".to_vec(), &mut out),
        Progress::Message { used: 1, flow: Flow::Continue }
    );
    // At the end of the input, half an empty line is ignored.
    assert_eq!(converse(1000, &[b"\r"]), (String::new(), CloseReason::EndOfInput));
}

#[test]
fn a_request_has_a_limit_with_its_body() {
    for (max, passes) in [(GET.len() + 1, true), (GET.len(), true), (GET.len() - 1, false)] {
        for pieces in [vec![GET], GET.chunks(1).collect()] {
            let expected = if passes { "200 OK" } else { "431 Request Header Fields Too Large" };
            assert_eq!(statuses(max, &pieces).0, [expected], "{max}");
        }
    }
    let known = &b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n123456789"[..];
    let chunked = b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n02 ;x\r\nbc\r\n0\r\na: b\r\n\r\n";
    for request in [known, chunked] {
        for (max, passes) in [(request.len() + 1, true), (request.len(), true), (request.len() - 1, false)] {
            for pieces in [vec![request], request.chunks(1).collect()] {
                let expected = if passes { "200 OK" } else { "413 Content Too Large" };
                assert_eq!(statuses(max, &pieces).0, [expected], "{max}");
            }
        }
    }
}

#[test]
fn a_first_line_has_a_limit() {
    let around = "GET / HTTP/1.1\r".len();
    for (length, passes) in [(8 * 1024 - 1, true), (8 * 1024, true), (8 * 1024 + 1, false)] {
        let line = format!("GET /?{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(length - around - 1));
        for pieces in [vec![line.as_bytes()], line.as_bytes().chunks(1).collect()] {
            let expected = if passes { "200 OK" } else { "414 URI Too Long" };
            assert_eq!(statuses(64 * 1024, &pieces).0, [expected], "{length}");
        }
    }
    // It is sent as soon as the error is certain. Without a space, the method is too long.
    assert_eq!(statuses(100, &[&[b'x'; 99]]).0, ["400 Bad Request"]);
    assert_eq!(statuses(100, &[&[b'x'; 100]]).0, ["501 Not Implemented"]);
    assert_eq!(statuses(100, &[&[b"GET ", &[b'x'; 96][..]].concat()]).0, ["414 URI Too Long"]);
}

#[test]
fn the_lines_of_a_body_in_chunks_have_a_limit() {
    for (length, passes) in [(1023, true), (1024, true), (1025, false)] {
        let head = "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        let line = format!("1;{}\r\n", "x".repeat(length - 4));
        let request = format!("{head}{line}a\r\n0\r\na:{}\r\n\r\n", "x".repeat(length - 4));
        for pieces in [vec![request.as_bytes()], request.as_bytes().chunks(1).collect()] {
            let expected = if passes { "200 OK" } else { "400 Bad Request" };
            assert_eq!(statuses(64 * 1024, &pieces).0, [expected], "{length}");
        }
    }
}

#[test]
fn an_end_within_a_request_is_reported() {
    let body = b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n123";
    for begun in [&b"GET / HTT"[..], body] {
        let (all, reason) = statuses(1000, &[begun]);
        assert_eq!((all, reason), (vec!["400 Bad Request".to_owned()], CloseReason::Incomplete));
        let (all, reason) = statuses(1000, &[begun, LATE]);
        assert_eq!((all, reason), (vec!["408 Request Timeout".to_owned()], CloseReason::MessageTimeout));
    }
}

#[test]
fn a_refused_client_receives_a_503() {
    let mut out = Outbox::new();
    Http.refuse(&ErrorReply::Busy, &Limits::default(), &mut out);
    assert!(out.bytes().starts_with(b"HTTP/1.1 503 Service Unavailable\r\n"));
}
