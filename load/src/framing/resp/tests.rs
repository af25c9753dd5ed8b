use super::*;

/// All results: whole replies with their text, and skipped bytes.
fn found(input: &[u8], piece: usize, max: usize) -> Result<Vec<(String, String)>, String> {
    let (mut resp, mut kept, mut all) = (Resp::new(max), Vec::new(), Vec::new());
    let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
    for piece in input.chunks(piece) {
        kept.extend_from_slice(piece);
        loop {
            match resp.find(&kept) {
                Found::More => break,
                Found::Broken(why) => return Err(why),
                Found::Skipped(used) => drop(kept.drain(..used)),
                Found::Reply { whole, content, used, .. } => {
                    all.push((text(&kept[whole]), text(&kept[content])));
                    kept.drain(..used);
                }
            }
        }
    }
    assert_eq!(kept, b"", "something is left");
    Ok(all)
}

#[test]
fn replies_of_every_type_are_found_however_they_are_split() {
    let replies = [
        ("+OK\r\n", "OK"),
        (":12\r\n", "12"),
        ("$5\r\nhello\r\n", "hello"),
        ("$4\r\na\r\nb\r\n", "a\\r\\nb"),
        ("$0\r\n\r\n", ""),
        ("$-1\r\n", ""),
        ("*-1\r\n", ""),
        ("_\r\n", ""),
        ("#t\r\n", "t"),
        (",1.5\r\n", "1.5"),
        ("(3492890328409238509\r\n", "3492890328409238509"),
        ("=6\r\ntxt:hi\r\n", "txt:hi"),
        ("!5\r\nERR x\r\n", "ERR x"),
        ("-ERR x\r\n", "ERR x"),
    ];
    let whole = [
        "*0\r\n",
        "*2\r\n$1\r\na\r\n:1\r\n",
        "*3\r\n*2\r\n+a\r\n*0\r\n%1\r\n+k\r\n~2\r\n:1\r\n:2\r\n$-1\r\n",
        "%2\r\n+a\r\n:1\r\n+b\r\n*1\r\n_\r\n",
        "*2\r\n|1\r\n+ttl\r\n:9\r\n:1\r\n:2\r\n",
    ];
    let escaped = |text: &str| text.as_bytes().escape_ascii().to_string();
    let of_one = replies.map(|(reply, text)| (escaped(reply), text.to_owned()));
    let expected: Vec<_> =
        of_one.into_iter().chain(whole.map(|reply| (escaped(reply), escaped(reply)))).collect();
    let all = replies.iter().map(|(reply, _)| *reply).chain(whole).collect::<String>();
    for piece in (1..=all.len()).rev() {
        assert_eq!(found(all.as_bytes(), piece, 1000).unwrap(), expected, "in pieces of {piece}");
    }
}

#[test]
fn push_messages_and_attributes_are_skipped() {
    let all = "|1\r\n+ttl\r\n*1\r\n:9\r\n$1\r\na\r\n>2\r\n+message\r\n$2\r\nhi\r\n+OK\r\n";
    for piece in 1..=all.len() {
        let texts: Vec<_> =
            found(all.as_bytes(), piece, 1000).unwrap().into_iter().map(|(_, text)| text).collect();
        assert_eq!(texts, ["a", "OK"], "in pieces of {piece}");
    }
}

#[test]
fn a_reply_of_the_maximal_length_is_accepted_and_a_longer_one_is_not() {
    for (reply, length) in [("$5\r\nhello\r\n", 11), ("*2\r\n:1\r\n:2\r\n", 12), ("+hello\r\n", 8)] {
        assert_eq!(reply.len(), length);
        for (max, passes) in [(length - 1, false), (length, true), (length + 1, true)] {
            for piece in [1, length] {
                let found = found(reply.as_bytes(), piece, max);
                assert_eq!(
                    found.is_ok(),
                    passes,
                    "{reply:?}, at most {max}, in pieces of {piece}: {found:?}"
                );
            }
        }
    }
    // Before its bytes come.
    assert!(matches!(Resp::new(9).find(b"$10\r\n"), Found::Broken(_)));
    assert!(matches!(Resp::new(9).find(b"$9\r\n"), Found::More));
    assert!(matches!(Resp::new(9).find(b"+123456789"), Found::Broken(_)));
    assert!(matches!(Resp::new(9).find(b"+12345678"), Found::More));
}

#[test]
fn invalid_replies_are_errors() {
    for (input, expected) in [
        ("HTTP/1.1 200 OK\r\n", "`H` begins no reply"),
        ("\r\n", "does not end with a carriage return"),
        ("+OK\n", "does not end with a carriage return"),
        ("\n", "does not end with"),
        ("$x\r\n", "`x` is no count"),
        ("$-2\r\n", "`-2` is no count"),
        ("$+1\r\n", "`+1` is no count"),
        ("$99999999999999999999\r\n", "is no count"),
        ("$18446744073709551615\r\n", "more than 1000 bytes"),
        ("$1\r\nab\r\n", "does not end where it should"),
        ("*1\r\n?\r\n", "`?` begins no reply"),
    ] {
        let error = found(input.as_bytes(), 1, 1000).unwrap_err();
        assert!(error.contains(expected), "{input:?}: {error}");
    }
    // The largest number of elements needs no memory.
    for input in ["*18446744073709551615\r\n*18446744073709551615\r\n", "%18446744073709551615\r\n"] {
        assert!(matches!(Resp::new(1000).find(input.as_bytes()), Found::More));
    }
}

#[test]
fn errors_are_distinguished_from_answers() {
    for (reply, kind) in [
        ("+OK\r\n", Kind::Answer),
        ("$5\r\n-ERR \r\n", Kind::Answer),
        ("*1\r\n-ERR x\r\n", Kind::Answer),
        ("-ERR unknown command\r\n", Kind::Refusal),
        ("-WRONGTYPE x\r\n", Kind::Refusal),
        ("!5\r\nERR x\r\n", Kind::Refusal),
        ("-ERR busy\r\n", Kind::Busy),
        ("-ERR max number of clients reached\r\n", Kind::Busy),
        ("-ERR shutting-down\r\n", Kind::Farewell),
    ] {
        assert_eq!(Resp::kind(reply.as_bytes()), kind, "{reply}");
    }
}
