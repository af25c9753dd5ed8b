//! Messages written as text: Redis commands, and HTTP/1.1 requests.

use super::shown;

/// The words of a line as redis-cli splits it, separated by white space. A word in double quotes has escapes: `\n`, `\r`, `\t`, `\b`, `\a`, two
/// hexadecimal digits behind `\x`, and any other byte behind a backslash for itself; one in single quotes has only
/// `\'`. A quote may begin within a word, and ends it.
///
/// The quoting is not that of a shell, so that no library for shells does it: within double quotes `\x00` is a byte and
/// `\n` a line end, and outside of quotes a backslash is itself.
///
/// # Errors
/// If there is no word, a quote is not closed, or something follows a closing quote directly.
pub(super) fn words(line: &str) -> Result<Vec<Vec<u8>>, String> {
    let mut words = Vec::new();
    let mut rest = behind_spaces(line.as_bytes());
    while !rest.is_empty() {
        let (word, behind) = word(rest).map_err(|why| format!("`{}` is no command: {why}", shown(line)))?;
        words.push(word);
        rest = behind_spaces(behind);
    }
    if words.is_empty() {
        return Err("a command has no words; write one such as `PING` or `SET key \"a value\"`".to_owned());
    }
    Ok(words)
}

/// The first word, and the rest.
fn word(mut rest: &[u8]) -> Result<(Vec<u8>, &[u8]), &'static str> {
    let mut word = Vec::new();
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        match byte {
            b'"' | b'\'' => {
                rest = quoted(byte, rest, &mut word)?;
                return match rest.first() {
                    Some(byte) if !is_space(*byte) => Err("a space must follow a closing quote"),
                    _ => Ok((word, rest)),
                };
            }
            b' ' | b'\t' | b'\n' | b'\r' => break,
            byte => word.push(byte),
        }
    }
    Ok((word, rest))
}

/// Parses up to the closing quote, and returns the rest.
fn quoted<'a>(quote: u8, mut rest: &'a [u8], word: &mut Vec<u8>) -> Result<&'a [u8], &'static str> {
    loop {
        let (byte, used) = match *rest {
            [] => return Err("a quote is not closed"),
            [byte, ..] if byte == quote => return Ok(&rest[1..]),
            [b'\\', b'\'', ..] if quote == b'\'' => (b'\'', 2),
            [b'\\', b'x', high, low, ..] if quote == b'"' && hexadecimal(high, low).is_some() => {
                (hexadecimal(high, low).unwrap_or_default(), 4)
            }
            [b'\\', escaped, ..] if quote == b'"' => (unescaped(escaped), 2),
            [byte, ..] => (byte, 1),
        };
        word.push(byte);
        rest = &rest[used..];
    }
}

fn unescaped(byte: u8) -> u8 {
    match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 8,
        b'a' => 7,
        byte => byte,
    }
}

fn hexadecimal(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? << 4 | digit(low)?).ok()
}

fn behind_spaces(text: &[u8]) -> &[u8] {
    let spaces = text.iter().take_while(|&&byte| is_space(byte)).count();
    &text[spaces..]
}

/// White space as in C, which has one byte more than in Rust. It may precede a word and follow a quote. Only four of these
/// bytes end a word without quotes.
fn is_space(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}

/// The default host.
const HOST: &str = "localhost";

/// Methods whose requests have a body, which may be empty.
const WITH_BODY: [&str; 3] = ["PATCH", "POST", "PUT"];

/// Parses a request: a method, a path, and after one space an optional body:
///
/// ```text
/// GET /
/// GET http://example.org/items?page=2
/// POST /items {"count": 1}
/// ```
///
/// A host becomes the field `Host`, which is `localhost` by default. The connection is kept alive, as it is by default.
///
/// # Errors
/// If the text is invalid: why, and how to write it.
pub(super) fn request(text: &str) -> Result<Vec<u8>, String> {
    let wrong = |why: &str| {
        Err(format!(
            "`{}` is no request: {why}; write one such as `GET /path` or `POST /path body`",
            shown(text)
        ))
    };
    let mut parts = text.splitn(3, ' ');
    let (method, target) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let body = parts.next();
    if method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-') {
        return wrong("it does not begin with a method in capitals");
    }
    let (host, path) = match target.strip_prefix("http://") {
        Some(rest) => rest.find('/').map_or((rest, "/"), |at| rest.split_at(at)),
        None => (HOST, target),
    };
    if host.is_empty() || !path.starts_with('/') && path != "*" {
        return wrong("its path does not begin with a slash");
    }
    if !(host.bytes().chain(path.bytes())).all(|byte| byte.is_ascii_graphic()) {
        return wrong("its path has characters that must be percent-encoded");
    }
    if body.is_some_and(|body| body.starts_with("HTTP/")) {
        return wrong("the version is not written");
    }
    let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n");
    if body.is_some() || WITH_BODY.contains(&method) {
        request.push_str(&format!("Content-Length: {}\r\n", body.unwrap_or_default().len()));
    }
    request.push_str("\r\n");
    request.push_str(body.unwrap_or_default());
    Ok(request.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_redis_cli() {
        for (line, expected) in [
            ("PING", &[&b"PING"[..]][..]),
            ("  SET  key\t\x0bvalue  ", &[b"SET", b"key", b"value"]),
            (r#"SET k "a b""#, &[b"SET", b"k", b"a b"]),
            (r#"SET k "\x00\xfFa\n\r\t\b\a\"\\\q""#, &[b"SET", b"k", b"\0\xffa\n\r\t\x08\x07\"\\q"]),
            (r#"SET k "\xg0\x1""#, &[b"SET", b"k", b"xg0x1"]),
            (r"SET k 'it\'s \n'", &[b"SET", b"k", br"it's \n"]),
            (r#"SET k """#, &[b"SET", b"k", b""]),
            (r"SET k \x00\n", &[b"SET", b"k", br"\x00\n"]),
            (r#"SET k a"b c""#, &[b"SET", b"k", b"ab c"]),
            ("SET k # no comment", &[b"SET", b"k", b"#", b"no", b"comment"]),
            ("SET k a\x0bb\x0cc", &[b"SET", b"k", b"a\x0bb\x0cc"]),
            ("SET k é", &[b"SET", b"k", "é".as_bytes()]),
        ] {
            assert_eq!(words(line).unwrap(), expected, "{line}");
        }
    }

    #[test]
    fn invalid_commands_are_errors() {
        for (line, expected) in [
            ("", "no words"),
            (" \t", "no words"),
            ("SET k \"a", "a quote is not closed"),
            ("SET k 'a", "a quote is not closed"),
            (r#"SET k "a\"#, "a quote is not closed"),
            ("SET k \"a\"b", "a space must follow"),
            ("SET k 'a''b'", "a space must follow"),
        ] {
            let error = words(line).unwrap_err();
            assert!(error.contains(expected), "{line}: {error}");
        }
    }

    #[test]
    fn a_text_becomes_a_request() {
        for (text, expected) in [
            ("GET /", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            ("HEAD /a?b=c#d", "HEAD /a?b=c#d HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            ("OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            ("GET http://example.org:8080/a", "GET /a HTTP/1.1\r\nHost: example.org:8080\r\n\r\n"),
            ("GET http://example.org", "GET / HTTP/1.1\r\nHost: example.org\r\n\r\n"),
            ("GET http://localhost", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            ("POST /a", "POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"),
            ("PUT /a  é b", "PUT /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n é b"),
            ("DELETE /a x", "DELETE /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx"),
        ] {
            assert_eq!(String::from_utf8(request(text).unwrap()).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn invalid_requests_are_errors() {
        for (text, expected) in [
            ("", "does not begin with a method"),
            ("get /", "does not begin with a method"),
            (" GET /", "does not begin with a method"),
            ("/path", "does not begin with a method"),
            ("GET", "does not begin with a slash"),
            ("GET path", "does not begin with a slash"),
            ("GET http:///path", "does not begin with a slash"),
            ("GET /pfad/ü", "percent-encoded"),
            ("GET /a\tb", "percent-encoded"),
            ("GET /\r\nX: y", "percent-encoded"),
            ("GET / HTTP/1.1", "the version is not written"),
        ] {
            let error = request(text).unwrap_err();
            assert!(error.contains(expected) && error.contains("GET /path"), "{text:?}: {error}");
        }
    }
}
