use super::*;

/// The bodies, or as much of each response as is its content, in pieces of this length.
fn found(input: &[u8], piece: usize, max: usize) -> Result<Vec<String>, String> {
    let (mut http, mut kept, mut all) = (Http::new(max), Vec::new(), Vec::new());
    for piece in input.chunks(piece) {
        kept.extend_from_slice(piece);
        loop {
            match http.find(&kept, false) {
                Found::More => break,
                Found::Broken(why) => return Err(why),
                Found::Skipped(used) => drop(kept.drain(..used)),
                Found::Reply { content, used, .. } => {
                    all.push(kept[content].escape_ascii().to_string());
                    kept.drain(..used);
                }
            }
        }
    }
    if let Found::Reply { content, used, .. } = http.finish(&kept) {
        all.push(kept[content].escape_ascii().to_string());
        kept.drain(..used);
    }
    assert_eq!(kept, b"", "something is left");
    Ok(all)
}

#[test]
fn responses_of_every_form_are_found_however_they_are_split() {
    let all = [
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", Some("hello")),
        ("HTTP/1.1 100 Continue\r\n\r\n", None),
        ("HTTP/1.1 200 OK\r\ncontent-length:0\r\nX: y\r\n\r\n", Some("")),
        ("HTTP/1.1 204 No Content\r\n\r\n", Some("")),
        ("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", None),
        ("HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", Some("")),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 4, 4\r\nContent-Length: 4\r\n\r\n\r\n\r\n",
            Some("\\r\\n\\r\\n"),
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nA;x=y\r\n0\r\n1234567\r\n0\r\n\r\n",
            Some("5\\r\\nhello\\r\\nA;x=y\\r\\n0\\r\\n1234567\\r\\n0\\r\\n\\r\\n"),
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked\r\nContent-Length: 1\r\n\r\n0\r\nA: b\r\n\r\n",
            Some("0\\r\\nA: b\\r\\n\\r\\n"),
        ),
        ("HTTP/1.0 200 OK\r\nConnection: close\r\n\r\nto the end", Some("to the end")),
    ];
    let input: String = all.iter().map(|(response, _)| *response).collect();
    let expected: Vec<_> = all.iter().filter_map(|(_, content)| *content).collect();
    for piece in 1..=input.len() {
        assert_eq!(found(input.as_bytes(), piece, 10_000).unwrap(), expected, "in pieces of {piece}");
    }
}

#[test]
fn a_response_to_head_has_no_body() {
    let response = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n";
    let mut http = Http::new(100);
    assert!(matches!(http.find(response, true), Found::Reply { used, .. } if used == response.len()));
    assert!(matches!(http.find(response, false), Found::More));
    let mut http = Http::new(100);
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert!(matches!(http.find(chunked, true), Found::Reply { used, .. } if used == chunked.len()));
}

#[test]
fn a_response_of_the_maximal_length_is_accepted_and_a_longer_one_is_not() {
    for response in [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 204 OK\r\n\r\n",
    ] {
        let length = response.len();
        for (max, passes) in [(length - 1, false), (length, true), (length + 1, true)] {
            for piece in [1, length] {
                let found = found(response.as_bytes(), piece, max);
                assert_eq!(found.is_ok(), passes, "{response:?}, at most {max}: {found:?}");
            }
        }
    }
    // To the end of the connection: as soon as it is too long.
    let (mut http, response) = (Http::new(30), b"HTTP/1.1 200 OK\r\n\r\n12345678901");
    assert!(matches!(http.find(response, false), Found::More));
    let (mut http, response) = (Http::new(29), b"HTTP/1.1 200 OK\r\n\r\n12345678901");
    assert!(matches!(http.find(response, false), Found::Broken(_)));
}

#[test]
fn a_head_has_a_limit() {
    let head = |length: usize| {
        let before = "HTTP/1.1 204 OK\r\nX: ";
        format!("{before}{}\r\n\r\n", "x".repeat(length - before.len() - 4))
    };
    for (length, passes) in [(LONGEST_HEAD - 1, true), (LONGEST_HEAD, true), (LONGEST_HEAD + 1, false)] {
        let found = found(head(length).as_bytes(), 4096, 1 << 20);
        assert_eq!(found.is_ok(), passes, "{length}: {found:?}");
    }
    // Before its end comes.
    let endless = vec![b'x'; LONGEST_HEAD + 1];
    let endless = [&b"HTTP/1.1 200 OK\r\nX: "[..], &endless].concat();
    for (length, passes) in [(LONGEST_HEAD - 1, true), (LONGEST_HEAD, true), (LONGEST_HEAD + 1, false)] {
        let found = Http::new(1 << 20).find(&endless[..length], false);
        assert_eq!(found == Found::More, passes, "{length}: {found:?}");
    }
    for (count, passes) in [(MOST_FIELDS - 1, true), (MOST_FIELDS, true), (MOST_FIELDS + 1, false)] {
        let head = format!("HTTP/1.1 204 OK\r\n{}\r\n", "X: y\r\n".repeat(count));
        let found = found(head.as_bytes(), head.len(), 10_000);
        assert_eq!(found.is_ok(), passes, "{count} fields: {found:?}");
    }
}

#[test]
fn a_line_of_a_body_in_chunks_has_a_limit() {
    for (length, passes) in [(LONGEST_LINE - 1, true), (LONGEST_LINE, true), (LONGEST_LINE + 1, false)] {
        let line = format!("0;{}\r\n", "x".repeat(length - 4));
        let response = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{line}\r\n");
        for piece in [response.len(), 1000] {
            let found = found(response.as_bytes(), piece, 100_000);
            assert_eq!(found.is_ok(), passes, "{length}: {found:?}");
        }
    }
}

#[test]
fn invalid_responses_are_errors() {
    let fields = |fields: &str| format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n");
    let chunks = |chunks: &str| fields("Transfer-Encoding: chunked") + chunks;
    for (input, expected) in [
        ("+OK\r\n".to_owned(), "does not begin with `HTTP/`"),
        ("HTTP/x 200 OK\r\n\r\n".to_owned(), "can't be read"),
        ("HTTP/1.1 abc OK\r\n\r\n".to_owned(), "can't be read"),
        (fields("no field"), "can't be read"),
        (fields("Content-Length: -1"), "`-1` is no length"),
        (fields("Content-Length: +1"), "`+1` is no length"),
        (fields("Content-Length: x"), "`x` is no length"),
        (fields("Content-Length: 1, 2"), "`2` is no length"),
        (fields("Content-Length: 99999999999999999999"), "is no length"),
        (fields("Content-Length: 18446744073709551615"), "more than 1000 bytes"),
        (chunks("x\r\n"), "is no size of a chunk"),
        (chunks("ffffffffffffffff\r\n"), "more than 1000 bytes"),
        (chunks("fffffffffffffffff\r\n"), "is no size of a chunk"),
        (chunks("1\r\nab\r\n"), "does not end where it should"),
    ] {
        for piece in [1, input.len()] {
            let error = found(input.as_bytes(), piece, 1000).unwrap_err();
            assert!(error.contains(expected), "{input:?}: {error}");
        }
    }
}

#[test]
fn errors_and_last_responses_are_recognised() {
    for (head, kind, is_last) in [
        ("HTTP/1.1 200 OK\r\n", Kind::Answer, false),
        ("HTTP/1.1 302 Found\r\n", Kind::Answer, false),
        ("HTTP/1.1 404 Not Found\r\n", Kind::Refusal, false),
        ("HTTP/1.1 500 No\r\nConnection: close\r\n", Kind::Refusal, true),
        ("HTTP/1.1 503 No\r\n", Kind::Refusal, false),
        ("HTTP/1.1 503 No\r\nconnection: Upgrade, CLOSE\r\n", Kind::Farewell, true),
        ("HTTP/1.1 408 No\r\nConnection: close\r\n", Kind::Farewell, true),
        ("HTTP/1.1 200 OK\r\nConnection: close\r\n", Kind::Answer, true),
        ("HTTP/1.0 200 OK\r\n", Kind::Answer, true),
        ("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n", Kind::Answer, false),
    ] {
        let response = format!("{head}Content-Length: 0\r\n\r\n");
        let used = response.len();
        let expected = Found::Reply { whole: 0..used, content: used..used, used, kind, is_last };
        assert_eq!(Http::new(1000).find(response.as_bytes(), false), expected, "{response}");
        assert_eq!(Http::kind(response.as_bytes()), kind, "{response}");
    }
}

#[test]
fn empty_lines_before_a_response_are_invalid_however_they_are_split() {
    let input = b"\r\nHTTP/1.1 204 No Content\r\n\r\n";
    for split in 1..=input.len() {
        let found = Http::new(1000).find(&input[..split], false);
        assert_eq!(found, Found::Broken("it does not begin with `HTTP/`".to_owned()), "{split}");
    }
}
