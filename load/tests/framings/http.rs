use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyloop_load::framing::Framing;
use anyloop_load::plan::{Expect, Hostile, Messages, Plan, ReplyHook};
use common::Address;

use crate::{assert_good, own, run, serve};

/// A server that answers by path, in pieces of this many bytes.
fn server(piece: usize) -> Address {
    serve(move |socket| converse(socket, piece))
}

fn converse(mut socket: TcpStream, piece: usize) -> io::Result<()> {
    let mut input = BufReader::new(socket.try_clone()?);
    loop {
        let (line, body) = request(&mut input)?;
        let (method, path) = line.split_once(' ').unwrap_or_default();
        let response = match path {
            "/" => "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello".to_owned(),
            "/chunked" => {
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n"
                    .to_owned()
            }
            "/empty" => "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
            "/early" => {
                "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_owned()
            }
            "/echo" => format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()),
            "/last" => "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbye".to_owned(),
            "/end" => "HTTP/1.1 200 OK\r\n\r\nto the end".to_owned(),
            "/busy" => "HTTP/1.1 503 Busy\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".to_owned(),
            _ => "HTTP/1.1 404 Not Found\r\nContent-Length: 7\r\n\r\nnothing".to_owned(),
        };
        let head = response.find("\r\n\r\n").map_or(0, |at| at + 4);
        let response = if method == "HEAD" { &response[..head] } else { &response[..] };
        response.as_bytes().chunks(piece).try_for_each(|piece| socket.write_all(piece))?;
        if matches!(path, "/last" | "/end" | "/busy") {
            return Ok(());
        }
    }
}

/// Method and path of the next request, and its body.
fn request(input: &mut impl BufRead) -> io::Result<(String, String)> {
    let (mut first, mut length) = (None, 0);
    loop {
        let mut line = String::new();
        if input.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end();
        if let Some(value) = line.strip_prefix("Content-Length: ") {
            length = value.parse().map_err(|_| io::ErrorKind::InvalidData)?;
        }
        if line.is_empty() {
            break;
        }
        first.get_or_insert_with(|| line.trim_end_matches(" HTTP/1.1").to_owned());
    }
    let mut body = vec![0; length];
    input.read_exact(&mut body)?;
    Ok((first.unwrap_or_default(), String::from_utf8(body).unwrap_or_default()))
}

fn plan(address: Address, texts: &[&str]) -> Plan {
    let messages = own(Framing::Http, texts);
    Plan { messages, expect: Expect::Any, ..crate::plan(address, Framing::Http) }
}

#[test]
fn responses_of_all_forms_answer_one_request_each() {
    let texts =
        ["GET /", "HEAD /", "GET /chunked", "HEAD /chunked", "GET /empty", "GET /early", "POST /echo a b"];
    for piece in [1, 7, 10_000] {
        assert_good(&run(&plan(server(piece), &texts)));
    }
    let hostile = Hostile { idle: 1, slow_readers: 1, slow_writers: 1 };
    assert_good(&run(&Plan { hostile, ..plan(server(100), &texts) }));
}

#[test]
fn responses_are_verified_by_a_function() {
    let expect = ReplyHook::new(|request, response| {
        let body = |message: &[u8]| message.split(|&byte| byte == b'\n').next_back().map(<[u8]>::to_vec);
        body(request) == body(response)
    });
    let expect = Expect::By(expect);
    assert_good(&run(&Plan {
        expect: expect.clone(),
        ..plan(server(9), &["POST /echo one", "POST /echo two"])
    }));
    let m = run(&Plan { expect, ..plan(server(9), &["POST /echo one", "GET /"]) });
    assert!(m.verification.wrong > 0 && m.verification.wrong == m.verification.bad(), "{:?}", m.verification);
}

#[test]
fn errors_are_refusals() {
    let m = run(&plan(server(50), &["GET /", "GET /missing"]));
    assert!((m.refused_share() - 0.5).abs() < 0.05, "{:?}", m.verification);
    assert_eq!(m.verification.refusal.as_deref(), Some("HTTP/1.1 404 Not Found"));
    assert_eq!((m.verification.bad(), m.failures.connections()), (0, 0), "{:?}", m.verification);
}

#[test]
fn a_connection_closed_by_the_server_is_re_established_only_on_request() {
    for text in ["GET /last", "GET /end"] {
        let closing = Plan {
            depth: 1,
            duration: Duration::from_secs(1),
            ..plan(server(50), &["GET /", "GET /", text])
        };
        let m = run(&closing);
        assert_eq!(
            (m.failures.ended, m.failures.unanswered, m.verification.replies),
            (2, 0, 6),
            "{:?}",
            m.failures
        );
        let why = m.stopped_early.expect("no connection is left");
        assert!(why.contains("no connection was left"), "{why}");
        assert!(why.contains("the server closes it behind a reply that says so; --reconnect"), "{why}");
        let m = run(&Plan { reconnect: true, ..closing });
        assert_good(&m);
        assert!(m.reconnected > 10 && m.stopped_early.is_none(), "{}", m.reconnected);
    }
}

#[test]
fn a_response_cut_off_by_a_reset_is_not_a_reply() {
    let address = serve(|mut socket| {
        // The other requests are not read, so that closing resets the connection.
        socket.read_exact(&mut [0; 8])?;
        socket.write_all(b"HTTP/1.1 200 OK\r\n\r\nto the")?;
        // The client reads the partial response before the reset: it has messages in flight, so it sends no more.
        std::thread::sleep(Duration::from_millis(100));
        Ok(())
    });
    let m = run(&plan(address, &["GET /", "GET /"]));
    assert_eq!((m.failures.ended, m.verification.replies), (2, 0), "{:?}", m.failures);
}

#[test]
fn messages_after_the_last_response_are_sent_again() {
    // The second of four in flight closes the connection, so that two of them may have no response there.
    let texts = ["GET /", "GET /last", "GET /", "GET /"];
    let m = run(&Plan { reconnect: true, ..plan(server(50), &texts) });
    assert_good(&m);
    assert!(m.resent > 0 && m.reconnected > 0, "{} and {}", m.resent, m.reconnected);
}

#[test]
fn connections_closed_after_their_last_message_are_no_failures() {
    let m = run(&Plan {
        messages_per_connection: Some(3),
        depth: 1,
        ..plan(server(50), &["GET /", "GET /", "GET /last"])
    });
    assert_good(&m);
    assert!(m.verification.replies > 10, "{:?}", m.verification);
}

#[test]
fn a_server_that_is_too_busy_refuses_the_connection() {
    let m = run(&plan(server(50), &["GET /busy"]));
    assert_eq!((m.failures.ended, m.verification.refused), (2, 0), "{:?}", m.failures);
    assert!(m.failures.examples[0].contains("the server says `HTTP/1.1 503 Busy`"), "{:?}", m.failures);
}

#[test]
fn an_invalid_response_ends_the_connection() {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let address = serve(|mut socket| {
        let mut input = BufReader::new(socket.try_clone()?);
        request(&mut input)?;
        COUNT.fetch_add(1, Ordering::SeqCst);
        socket.write_all(b"hello\r\n")?;
        input.read_to_end(&mut Vec::new()).map(drop)
    });
    let m = run(&plan(address, &["GET /"]));
    assert_eq!((m.failures.ended, COUNT.load(Ordering::SeqCst)), (2, 2), "{:?}", m.failures);
    assert!(m.failures.examples[0].contains("does not begin with `HTTP/`"), "{:?}", m.failures);
}

#[test]
fn generated_messages_are_refused_in_http() {
    let made = Plan { messages: Messages::default(), ..plan(server(50), &["GET /"]) };
    let error = made.check().expect_err("there is nothing to ask for");
    assert!(error.contains("--message 'GET /'"), "{error}");
}
