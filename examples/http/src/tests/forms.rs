//! Valid and invalid requests, by the sections of RFC 9110 and RFC 9112. Each is fed whole and split at every byte,
//! with the same result.

use super::*;

/// The status of the response to this, and whether the connection is kept for the next request.
fn check(request: &str, status: &str, goes_on: bool) {
    let all = [request.as_bytes(), GET].concat();
    let whole = converse(1000, &[&all]);
    let (mut statuses, _) = statuses(1000, &[&all]);
    statuses.retain(|status| status != "100 Continue");
    assert!(statuses[0].starts_with(status), "{request:?}: {statuses:?}, not {status}");
    assert_eq!(statuses.len() == 2, goes_on, "{request:?}: {statuses:?}");
    for split in 0..=all.len() {
        assert_eq!(converse(1000, &[&all[..split], &all[split..]]), whole, "{request:?} at {split}");
    }
    let bytes: Vec<&[u8]> = all.chunks(1).collect();
    assert_eq!(converse(1000, &bytes), whole, "{request:?}");
}

/// First lines, with the version that is assumed after them.
#[test]
fn first_lines() {
    for (line, status, goes_on) in [
        // RFC 9112, 3: a method, a target and a version, with one space between them.
        ("GET / HTTP/1.1", "200", true),
        ("GET /", "400", false),
        ("GET  / HTTP/1.1", "400", false),
        (" GET / HTTP/1.1", "400", false),
        ("GET / HTTP/1.1 ", "400", false),
        ("GET /\tHTTP/1.1", "400", false),
        ("GET HTTP/1.1", "400", false),
        ("GET /a b HTTP/1.1", "400", false),
        ("G(T / HTTP/1.1", "400", false),
        // RFC 9110, 9.1: a method is case-sensitive, and an unknown one has its own status.
        ("get / HTTP/1.1", "501", true),
        ("BREW / HTTP/1.1", "501", true),
        ("POST / HTTP/1.1", "405", true),
        ("POST /none HTTP/1.1", "404", true),
        ("GET /none HTTP/1.1", "404", true),
        // RFC 9110, 2.5: the same major version is accepted.
        ("GET / HTTP/1.2", "200", true),
        ("GET / HTTP/1.9", "200", true),
        ("GET / HTTP/0.9", "505", false),
        ("GET / HTTP/2.0", "505", false),
        ("GET / HTTP/1", "400", false),
        ("GET / HTTP/11", "400", false),
        ("GET / HTTP/1.10", "400", false),
        ("GET / http/1.1", "400", false),
        ("GET / HTTPS/1.1", "400", false),
        // RFC 9112, 3.2.1: the origin form.
        ("GET /?query HTTP/1.1", "200", true),
        ("GET /health?/x?y HTTP/1.1", "200", true),
        ("GET //health HTTP/1.1", "404", true),
        ("GET health HTTP/1.1", "400", false),
        ("GET ?query HTTP/1.1", "400", false),
        ("GET /#fragment HTTP/1.1", "400", false),
        ("GET /ä HTTP/1.1", "400", false),
        ("GET /\x7f HTTP/1.1", "400", false),
        // RFC 9112, 3.2.2: the absolute form. RFC 9110, 4.2: its scheme in any case, its path may be empty.
        ("GET http://a/health HTTP/1.1", "200", true),
        ("GET HTTP://a/ HTTP/1.1", "200", true),
        ("GET http://a HTTP/1.1", "200", true),
        ("GET http://a?x=/y HTTP/1.1", "200", true),
        ("GET http://a/none?/health HTTP/1.1", "404", true),
        ("GET http://a:80/health HTTP/1.1", "200", true),
        ("GET http://[::1]:80/health HTTP/1.1", "200", true),
        ("GET http:///health HTTP/1.1", "400", false),
        ("GET http://:80/ HTTP/1.1", "400", false),
        ("GET http://user@a/ HTTP/1.1", "400", false),
        ("GET http://a:x/ HTTP/1.1", "400", false),
        ("GET http:/health HTTP/1.1", "400", false),
        ("GET ://a/ HTTP/1.1", "400", false),
        ("GET 1http://a/ HTTP/1.1", "400", false),
        // RFC 9110, 7.4: requests for other servers are refused.
        ("GET https://a/ HTTP/1.1", "421", false),
        ("GET ftp://a/ HTTP/1.1", "421", false),
        // RFC 9112, 3.2.3: the authority form is for CONNECT only, and CONNECT has no other form.
        ("CONNECT a:80 HTTP/1.1", "501", true),
        ("CONNECT [::1]:80 HTTP/1.1", "501", true),
        ("CONNECT a HTTP/1.1", "400", false),
        ("CONNECT a: HTTP/1.1", "400", false),
        ("CONNECT / HTTP/1.1", "400", false),
        ("CONNECT http://a/ HTTP/1.1", "400", false),
        ("GET a:80 HTTP/1.1", "400", false),
        // RFC 9112, 3.2.4: the asterisk form is for OPTIONS.
        ("OPTIONS * HTTP/1.1", "200", true),
        ("OPTIONS / HTTP/1.1", "200", true),
        ("OPTIONS http://a HTTP/1.1", "200", true),
        ("OPTIONS /none HTTP/1.1", "404", true),
        ("GET * HTTP/1.1", "400", false),
        ("HEAD * HTTP/1.1", "400", false),
        ("OPTIONS *x HTTP/1.1", "400", false),
    ] {
        check(&format!("{line}\r\nHost: a\r\n\r\n"), status, goes_on);
        if line.ends_with("1.1") {
            check(&format!("{line}\nHost: a\n\n"), status, goes_on); // RFC 9112, 2.2: a line feed is enough
        }
    }
}

#[test]
fn fields() {
    for (fields, status, goes_on) in [
        // RFC 9112, 3.2 and RFC 9110, 7.2: one host, which may be empty.
        ("Host: a\r\n", "200", true),
        ("host:a\r\n", "200", true),
        ("HOST: a:80 \t\r\n", "200", true),
        ("Host: [::1]:80\r\n", "200", true),
        ("Host:\r\n", "200", true),
        ("", "400", false),
        ("Host: a\r\nHost: a\r\n", "400", false),
        ("Host: a\r\nHOST: b\r\n", "400", false),
        ("Host: a b\r\n", "400", false),
        ("Host: a/\r\n", "400", false),
        ("Host: a,b:80,c:x\r\n", "400", false),
        ("Host: u@a\r\n", "400", false),
        ("Host: :80\r\n", "400", false),
        ("Host: a:b\r\n", "400", false),
        ("Host: [::1\r\n", "400", false),
        ("Host: ä\r\n", "400", false),
        // RFC 9112, 5: fields.
        ("Host: a\r\nA: \tb\tc \r\nB:\r\n", "200", true),
        ("Host: a\r\nA: \u{e4}\r\n", "200", true),
        ("Host: a\r\n folded: x\r\n", "400", false),
        ("Host : a\r\n", "400", false),
        (" Host: a\r\n", "400", false),
        ("Host: a\r\nA\r\n", "400", false),
        ("Host: a\r\n: b\r\n", "400", false),
        ("Host: a\r\nA b: c\r\n", "400", false),
        ("Host: a\r\nA: b\0\r\n", "400", false),
        ("Host: a\r\nA: b\rc\r\n", "400", false),
        ("Host: a\r\nA: b\x1bc\r\n", "400", false),
        // RFC 9112, 9.3 and 9.6: whether the connection is kept.
        ("Host: a\r\nConnection: close\r\n", "200", false),
        ("Host: a\r\nConnection: x, Close\r\n", "200", false),
        ("Host: a\r\nConnection: x\r\nConnection:,close,\r\n", "200", false),
        ("Host: a\r\nConnection: closed\r\n", "200", true),
        // RFC 9110, 10.1.1: expectations.
        ("Host: a\r\nExpect: 100-continue\r\n", "200", true),
        ("Host: a\r\nExpect: , 100-CONTINUE,\r\n", "200", true),
        ("Host: a\r\nExpect: 100-continue, x\r\n", "417", false),
        ("Host: a\r\nExpect: x\r\n", "417", false),
        ("Host: a\r\nExpect: 100-continue=x\r\n", "417", false),
    ] {
        check(&format!("GET / HTTP/1.1\r\n{fields}\r\n"), status, goes_on);
    }
    for (fields, status, goes_on) in [
        ("", "200", false),
        ("Connection: Keep-Alive\r\n", "200", true),
        ("Connection: Keep-Alive, close\r\n", "200", false),
        ("Connection: Keep-Alive\r\nHost: a\r\n", "200", true),
        ("Host: a b\r\n", "400", false),
        ("Host: a\r\nHost: a\r\n", "400", false),
        // RFC 9112, 6.1: HTTP/1.0 has no transfer codings.
        ("Connection: Keep-Alive\r\nTransfer-Encoding: chunked\r\n", "400", false),
    ] {
        check(&format!("GET / HTTP/1.0\r\n{fields}\r\n"), status, goes_on);
    }
    for (count, passes) in [(63, true), (64, true), (65, false)] {
        let fields = "a:\r\n".repeat(count - 1);
        check(
            &format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n"),
            if passes { "200" } else { "431" },
            passes,
        );
    }
}

#[test]
fn bodies() {
    for (fields, body, status, goes_on) in [
        // RFC 9112, 6.2: a length.
        ("Content-Length: 0", "", "200", true),
        ("Content-Length: 4", "\r\n\r\n", "200", true),
        ("Content-Length: 004", "body", "200", true),
        ("Content-Length: 4\r\nContent-Length: 4", "body", "400", false),
        ("Content-Length: 4, 4", "body", "400", false),
        ("Content-Length: +4", "body", "400", false),
        ("Content-Length: -4", "body", "400", false),
        ("Content-Length: 0x4", "body", "400", false),
        ("Content-Length: 4 4", "body", "400", false),
        ("Content-Length:", "", "400", false),
        ("Content-Length: 1001", "", "413", false),
        ("Content-Length: 4\r\nExpect: 100-continue", "body", "200", true),
        ("Transfer-Encoding: chunked\r\nExpect: 100-continue", "1\r\na\r\n0\r\n\r\n", "200", true),
        ("Content-Length: 4\r\nExpect: x", "body", "417", false),
        ("Content-Length: 99999999999999999999", "", "413", false),
        // RFC 9112, 6.1: transfer codings.
        ("Transfer-Encoding: chunked\r\nContent-Length: 5", "0\r\n\r\n", "400", false),
        ("Content-Length: 5\r\nTransfer-Encoding: chunked", "0\r\n\r\n", "400", false),
        ("Content-Length: 5\r\nTransfer-Encoding:", "12345", "400", false),
        ("Transfer-Encoding: Chunked", "0\r\n\r\n", "200", true),
        ("Transfer-Encoding: ,chunked,", "0\r\n\r\n", "200", true),
        ("Transfer-Encoding: chunked, chunked", "0\r\n\r\n", "400", false),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "0\r\n\r\n", "400", false),
        ("Transfer-Encoding: chunked, gzip", "0\r\n\r\n", "400", false),
        ("Transfer-Encoding:", "0\r\n\r\n", "400", false),
        ("Transfer-Encoding: gzip, chunked", "0\r\n\r\n", "501", false),
        ("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked", "0\r\n\r\n", "501", false),
        ("Transfer-Encoding: gzip", "", "501", false),
        ("Transfer-Encoding: identity", "", "501", false),
        ("Transfer-Encoding: chunked;q=1", "0\r\n\r\n", "501", false),
        ("Transfer-Encoding: xchunked", "0\r\n\r\n", "501", false),
    ] {
        check(&format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n{body}"), status, goes_on);
    }
    for (body, status, goes_on) in [
        // RFC 9112, 7.1: chunks.
        ("4\r\nbody\r\n0\r\n\r\n", "200", true),
        ("00a\r\n\r\n\r\n\r\n\r\n\r\n\r\n1\r\na\r\n00\r\n\r\n", "200", true),
        ("A\r\n0123456789\r\n0\r\n\r\n", "200", true),
        ("1;a=b;c=\"d\"\r\na\r\n0;x\r\n\r\n", "200", true),
        ("1 \t;a\r\na\r\n0\r\n\r\n", "200", true),
        ("0\r\na: b\r\nc:\r\n\r\n", "200", true),
        ("\r\n", "400", false),
        ("x\r\n", "400", false),
        ("-1\r\n", "400", false),
        ("+1\r\n", "400", false),
        ("0x1\r\na\r\n", "400", false),
        (" 1\r\na\r\n", "400", false),
        ("1 \r\na\r\n", "400", false),
        ("1 a\r\na\r\n", "400", false),
        (";a\r\n", "400", false),
        ("1\na\n0\n\n", "400", false),
        ("1;a\rb\r\na\r\n", "400", false),
        ("1;\0\r\na\r\n", "400", false),
        ("1\r\nab\r\n0\r\n\r\n", "400", false),
        ("1\r\na\n0\r\n\r\n", "400", false),
        ("2\r\na\r\n0\r\n\r\n", "400", false),
        ("0\r\na\r\n\r\n", "400", false),
        ("0\r\n a: b\r\n\r\n", "400", false),
        ("0\r\na : b\r\n\r\n", "400", false),
        ("0\r\n\n", "400", false),
        ("3e8\r\n", "413", false),
        ("ffffffffffffffffffffff\r\n", "413", false),
    ] {
        let head = "POST /none HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        check(&format!("{head}{body}"), if status == "200" { "404" } else { status }, goes_on);
    }
}
