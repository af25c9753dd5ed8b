//! A request of HTTP/1.1, written as text.

use super::shown;

/// The host that is asked where the text names none.
const HOST: &str = "localhost";

/// Methods whose requests have a body, if perhaps an empty one.
const WITH_BODY: [&str; 3] = ["PATCH", "POST", "PUT"];

/// The request that a text means: a method, a path, and behind one space whatever is the body:
///
/// ```text
/// GET /
/// GET http://example.org/items?page=2
/// POST /items {"count": 1}
/// ```
///
/// Where a host is named, it becomes the field `Host`; it is `localhost` otherwise. The connection is kept alive, as
/// it is by default.
///
/// # Errors
/// If the text is something else: what, and how to write it.
pub(super) fn encode(text: &str) -> Result<Vec<u8>, String> {
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
            assert_eq!(String::from_utf8(encode(text).unwrap()).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_request_is_told() {
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
            let error = encode(text).unwrap_err();
            assert!(error.contains(expected) && error.contains("GET /path"), "{text:?}: {error}");
        }
    }
}
