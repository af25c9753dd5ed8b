use std::net::TcpListener;

use common::testing::TestClient;
use common::{CloseReason, Framing, Service};
use handlers::Echo;
use serving::Running;

use super::*;
use crate::{MAX_REQUEST, TIMEOUT, registry, service};

/// A server, and its responder.
fn observed() -> (Running, Http) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let service = Service::framed(Arc::new(Echo), Framing::Line);
    let running = serving::start(backend_threads::Threads, listener, service).unwrap();
    let http = Http::new(registry(&running.monitor()), running.monitor());
    (running, http)
}

/// The responses to a client that sends these pieces and then shuts down, and why the connection was closed.
fn converse(pieces: &[&[u8]]) -> (String, CloseReason) {
    let (_running, http) = observed();
    let mut client = TestClient::connect(service(http));
    pieces.iter().for_each(|piece| client.say(piece));
    client.end();
    (client.heard(), client.over().unwrap())
}

/// The status lines of the responses to this, without the version.
fn statuses(request: impl AsRef<[u8]>) -> (Vec<String>, CloseReason) {
    let (said, reason) = converse(&[request.as_ref()]);
    (said.split("HTTP/1.1 ").skip(1).map(|one| one.lines().next().unwrap().to_owned()).collect(), reason)
}

fn get(path: &str, fields: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n")
}

#[test]
fn every_path_is_served_and_the_connection_kept() {
    for (path, content) in [
        ("/", PATHS),
        ("/healthz", "ok\n"),
        ("/readyz?verbose", "ok\n"),
        ("http://a:1/healthz", "ok\n"),
        ("http://a", PATHS),
    ] {
        let (said, reason) = converse(&[get(path, "").as_bytes()]);
        let length = format!("\r\nContent-Type: {PLAIN}\r\nContent-Length: {}\r\n", content.len());
        assert!(said.starts_with("HTTP/1.1 200 OK\r\nDate: ") && said.contains(&length), "{path}: {said}");
        assert!(said.ends_with(&format!("\r\n\r\n{content}")), "{path}: {said}");
        assert_eq!(reason, CloseReason::EndOfInput, "{path}");
    }
    let (said, _) = converse(&[get("/metrics", "").as_bytes()]);
    assert!(said.contains(OPENMETRICS) && said.ends_with("\n# EOF\n"), "{said}");
}

#[test]
fn requests_may_be_pipelined_and_arrive_in_any_pieces() {
    let all =
        ["\r\n", &get("/healthz", "").repeat(3), &get("/none", "Connection: x, Close\r\n"), "more"].concat();
    let whole = converse(&[all.as_bytes()]);
    let pieces: Vec<&[u8]> = all.as_bytes().chunks(1).collect();
    for (said, reason) in [whole, converse(&pieces)] {
        assert_eq!(said.matches("HTTP/1.1 200 OK\r\n").count(), 3, "{said}");
        assert!(said.contains("404 Not Found") && said.contains("Connection: close\r\n"), "{said}");
        assert_eq!(reason, CloseReason::Exit);
    }
}

#[test]
fn a_head_has_no_content() {
    for (request, length) in [
        ("HEAD /healthz HTTP/1.1\r\nHost: a\r\n\r\n", 3),
        ("HEAD /none HTTP/1.1\r\nHost: a\r\n\r\n", "404 Not Found\n".len()),
        ("HEAD / HTTP/1.1\r\n\r\n", "400 Bad Request: a request has to name one host\n".len()),
    ] {
        let (said, _) = converse(&[request.as_bytes()]);
        assert!(said.contains(&format!("Content-Length: {length}\r\n")), "{said}");
        assert!(said.ends_with("\r\n\r\n") && said.matches("\r\n\r\n").count() == 1, "{said}");
    }
}

#[test]
fn what_is_not_served_has_a_status() {
    let long = format!("/{}", "x".repeat(MAX_REQUEST));
    let fields = "a: b\r\n".repeat(FIELDS);
    for (request, status, reason) in [
        (get("/metrics/", ""), "404 Not Found", CloseReason::EndOfInput),
        (
            "POST /metrics HTTP/1.1\r\nHost: a\r\n\r\n".into(),
            "405 Method Not Allowed",
            CloseReason::EndOfInput,
        ),
        (
            "POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx".into(),
            "405 Method Not Allowed",
            CloseReason::Exit,
        ),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n".into(), "405 Method Not Allowed", CloseReason::EndOfInput),
        (get("/", "Content-Length: 1\r\n"), "413 Content Too Large", CloseReason::Exit),
        (get("/", "Content-Length: 0\r\n"), "200 OK", CloseReason::EndOfInput),
        (get("/", "Transfer-Encoding: chunked\r\n"), "413 Content Too Large", CloseReason::Exit),
        ("GET / HTTP/1.0\r\n\r\n".into(), "200 OK", CloseReason::Exit),
        ("GET / HTTP/1.1\r\n\r\n".into(), "400 Bad Request", CloseReason::Malformed),
        (get("/", "Host: b\r\n"), "400 Bad Request", CloseReason::Malformed),
        ("GET / HTTP/3.0\r\nHost: a\r\n\r\n".into(), "400 Bad Request", CloseReason::Malformed),
        ("hello\r\n\r\n".into(), "400 Bad Request", CloseReason::Malformed),
        (get("/", "a b: c\r\n"), "400 Bad Request", CloseReason::Malformed),
        ("\0".into(), "400 Bad Request", CloseReason::Malformed),
        ("GET / HT".into(), "400 Bad Request", CloseReason::Incomplete),
        (get("/", &fields), "431 Request Header Fields Too Large", CloseReason::TooLong),
        (get(&long, ""), "431 Request Header Fields Too Large", CloseReason::TooLong),
        ("\r\n".repeat(MAX_REQUEST / 2), "431 Request Header Fields Too Large", CloseReason::TooLong),
    ] {
        assert_eq!(statuses(&request), (vec![status.to_owned()], reason), "{request}");
    }
}

#[test]
fn a_request_has_a_longest_length() {
    let around = get("/", "a: \r\n").len();
    for (length, status) in
        [(MAX_REQUEST, "200 OK"), (MAX_REQUEST + 1, "431 Request Header Fields Too Large")]
    {
        let request = get("/", &format!("a: {}\r\n", "x".repeat(length - around)));
        assert_eq!(request.len(), length);
        assert_eq!(statuses(&request).0, [status]);
        let pieces: Vec<&[u8]> = request.as_bytes().chunks(1000).collect();
        assert!(converse(&pieces).0.starts_with(&format!("HTTP/1.1 {status}\r\n")));
    }
}

#[test]
fn openmetrics_is_the_default_and_the_older_format_is_for_those_who_accept_no_other() {
    let plain = prometheus_text::CONTENT_TYPE;
    for (accept, expected) in [
        ("", OPENMETRICS),
        ("Accept: */*\r\n", OPENMETRICS),
        ("Accept: text/plain\r\n", plain),
        ("Accept: text/plain;version=0.0.4;q=1\r\n", plain),
        ("Accept: text/plain, application/openmetrics-text;version=1.0.0\r\n", OPENMETRICS),
        ("Accept: text/plain\r\nAccept: */*;q=0.1\r\n", OPENMETRICS),
        ("Accept: text/html\r\n", OPENMETRICS),
    ] {
        let (said, _) = converse(&[get("/metrics", accept).as_bytes()]);
        assert!(said.contains(&format!("\r\nContent-Type: {expected}\r\n")), "{accept}: {said}");
        assert_eq!(said.ends_with("\n# EOF\n"), expected == OPENMETRICS, "{accept}");
        let name = if expected == plain { "anyloop_messages_total" } else { "anyloop_messages" };
        assert!(said.contains(&format!("\n# TYPE {name} counter\n")), "{accept}: {said}");
    }
}

#[test]
fn a_request_has_its_time_and_an_idle_client_is_told_nothing() {
    for (begun, expected, reason) in [
        ("GET / HT", "HTTP/1.1 408 Request Timeout\r\n", CloseReason::MessageTimeout),
        ("", "", CloseReason::IdleTimeout),
    ] {
        let (_running, http) = observed();
        let mut client = TestClient::connect(service(http));
        client.say(begun);
        client.advance(if begun.is_empty() { crate::IDLE_TIMEOUT } else { TIMEOUT });
        assert!(client.heard().starts_with(expected));
        assert_eq!(client.over(), Some(reason));
    }
}

#[test]
fn while_many_are_connected_none_is_kept() {
    let (_running, http) = observed();
    let service = Arc::new(service(http));
    let connect = || TestClient::connect_as(Client::new(common::Address::Unknown), Arc::clone(&service));
    let mut clients: Vec<_> = (0..=KEPT).map(|_| connect()).collect();
    for (kept, client) in clients.iter_mut().rev().enumerate() {
        client.say(get("/healthz", "").as_bytes());
        assert_eq!(client.heard().contains("Connection: close\r\n"), kept == 0);
        assert_eq!(client.over(), (kept == 0).then_some(CloseReason::Exit));
    }
}

#[test]
fn a_refused_client_receives_a_503() {
    let (_running, http) = observed();
    let mut out = Outbox::new();
    http.refuse(&ErrorReply::Busy, &Limits::default(), &mut out);
    assert!(out.bytes().starts_with(b"HTTP/1.1 503 Service Unavailable\r\n"));
}
