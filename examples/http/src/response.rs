//! Responses.

use std::fmt::Write;

use anyloop::protocol::Outbox;

use crate::date::Date;
use crate::request::{Method, Request};

/// The status of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Ok,
    BadRequest,
    NotFound,
    MethodNotAllowed,
    RequestTimeout,
    ContentTooLarge,
    UriTooLong,
    ExpectationFailed,
    Misdirected,
    HeadersTooLarge,
    InternalError,
    NotImplemented,
    Unavailable,
    VersionNotSupported,
}

/// A response, before it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Response {
    status: Status,
    kind: &'static str,
    content: &'static str,
    /// Whether the content is left out, as it is for a HEAD.
    without_content: bool,
    /// Whether the supported methods are listed (`Allow`).
    names_methods: bool,
    /// Whether another response may follow.
    pub(crate) keeps_alive: bool,
    /// Whether it is for a client that speaks HTTP/1.0.
    is_old: bool,
}

/// Sent to a client that waits for `100 Continue` before it sends a body.
pub(crate) const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// The page at `/`.
const PAGE: &str = "\
<!doctype html>
<html lang=\"en\">
<meta charset=\"utf-8\">
<title>anyloop</title>
<h1>Hello!</h1>
<p>This page is the same on every loop.</p>
</html>
";

const HTML: &str = "text/html; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

impl Status {
    fn line(self) -> &'static str {
        match self {
            Self::Ok => "200 OK",
            Self::BadRequest => "400 Bad Request",
            Self::NotFound => "404 Not Found",
            Self::MethodNotAllowed => "405 Method Not Allowed",
            Self::RequestTimeout => "408 Request Timeout",
            Self::ContentTooLarge => "413 Content Too Large",
            Self::UriTooLong => "414 URI Too Long",
            Self::ExpectationFailed => "417 Expectation Failed",
            Self::Misdirected => "421 Misdirected Request",
            Self::HeadersTooLarge => "431 Request Header Fields Too Large",
            Self::InternalError => "500 Internal Server Error",
            Self::NotImplemented => "501 Not Implemented",
            Self::Unavailable => "503 Service Unavailable",
            Self::VersionNotSupported => "505 HTTP Version Not Supported",
        }
    }
}

impl Response {
    /// The response to a request.
    pub(crate) fn to(request: &Request<'_>) -> Self {
        let (status, kind, content) = match (request.path, request.method) {
            (_, Method::Unknown) => error(Status::NotImplemented),
            ("/" | "/health" | "*", Method::Options) => (Status::Ok, TEXT, ""),
            ("/" | "/health", Method::Other) => error(Status::MethodNotAllowed),
            ("/", _) => (Status::Ok, HTML, PAGE),
            ("/health", _) => (Status::Ok, TEXT, "ok\n"),
            _ => error(Status::NotFound),
        };
        let without_content = request.method == Method::Head;
        let names_methods = status == Status::MethodNotAllowed || content.is_empty();
        let Request { keeps_alive, is_old, .. } = *request;
        Self { status, kind, content, without_content, names_methods, keeps_alive, is_old }
    }

    /// The last response on a connection, to an invalid request.
    pub(crate) fn refusal(status: Status, to_head: bool) -> Self {
        let (status, kind, content) = error(status);
        let (without_content, names_methods) = (to_head, false);
        Self { status, kind, content, without_content, names_methods, keeps_alive: false, is_old: false }
    }

    /// The same, with nothing to follow.
    pub(crate) fn last(self) -> Self {
        Self { keeps_alive: false, ..self }
    }

    /// Whether the request succeeded.
    pub(crate) fn is_success(&self) -> bool {
        self.status == Status::Ok
    }

    pub(crate) fn write(&self, out: &mut Outbox) {
        // By default, HTTP/1.1 keeps the connection and HTTP/1.0 closes it.
        let connection = match (self.keeps_alive, self.is_old) {
            (true, true) => "Connection: keep-alive\r\n",
            (true, false) => "",
            (false, _) => "Connection: close\r\n",
        };
        let allow = if self.names_methods { "Allow: GET, HEAD, OPTIONS\r\n" } else { "" };
        // Writing to an outbox can't fail.
        let _ = write!(
            out,
            "HTTP/1.1 {}\r\nDate: {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n{allow}{connection}\r\n",
            self.status.line(),
            Date::now(),
            self.kind,
            self.content.len()
        );
        if !self.without_content {
            out.push(self.content.as_bytes());
        }
    }
}

fn error(status: Status) -> (Status, &'static str, &'static str) {
    (status, TEXT, status.line())
}
