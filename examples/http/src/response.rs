//! What is answered.

use std::fmt::Write;

use common::Outbox;

use crate::request::{Method, Request};

/// How a request went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Ok,
    BadRequest,
    NotFound,
    MethodNotAllowed,
    RequestTimeout,
    ContentTooLarge,
    HeadersTooLarge,
    InternalError,
    NotImplemented,
    Unavailable,
    VersionNotSupported,
}

const PAGE: &str = "\
<!doctype html>
<html lang=\"en\">
<meta charset=\"utf-8\">
<title>anyloop</title>
<h1>Hello!</h1>
<p>This page is the same on every loop.</p>
</html>
";

impl Status {
    fn line(self) -> &'static str {
        match self {
            Self::Ok => "200 OK",
            Self::BadRequest => "400 Bad Request",
            Self::NotFound => "404 Not Found",
            Self::MethodNotAllowed => "405 Method Not Allowed",
            Self::RequestTimeout => "408 Request Timeout",
            Self::ContentTooLarge => "413 Content Too Large",
            Self::HeadersTooLarge => "431 Request Header Fields Too Large",
            Self::InternalError => "500 Internal Server Error",
            Self::NotImplemented => "501 Not Implemented",
            Self::Unavailable => "503 Service Unavailable",
            Self::VersionNotSupported => "505 HTTP Version Not Supported",
        }
    }
}

/// Answers a request.
pub(crate) fn answer(request: &Request<'_>, out: &mut Outbox) {
    let (status, kind, body) = match (path(request.target), request.method) {
        (_, Method::Unknown) => return error(Status::NotImplemented, request, out),
        ("/" | "/health", Method::Other) => return error(Status::MethodNotAllowed, request, out),
        ("/", _) => (Status::Ok, "text/html; charset=utf-8", PAGE),
        ("/health", _) => (Status::Ok, "text/plain; charset=utf-8", "ok\n"),
        _ => return error(Status::NotFound, request, out),
    };
    write(status, kind, body, request, out);
}

/// The path of a target, which may come with the server's name in front, and with a query behind.
fn path(target: &str) -> &str {
    let path = match target.strip_prefix("http://") {
        Some(rest) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => target,
    };
    path.split_once('?').map_or(path, |(path, _)| path)
}

/// Answers what can't be answered otherwise, for the last time on this connection.
pub(crate) fn refuse(status: Status, out: &mut Outbox) {
    let request = Request { method: Method::Get, target: "", keeps_alive: false, is_old: false };
    error(status, &request, out);
}

fn error(status: Status, request: &Request<'_>, out: &mut Outbox) {
    write(status, "text/plain; charset=utf-8", status.line(), request, out);
}

fn write(status: Status, kind: &str, body: &str, request: &Request<'_>, out: &mut Outbox) {
    // HTTP/1.1 keeps the connection unless told otherwise, HTTP/1.0 closes it.
    let connection = match (request.keeps_alive, request.is_old) {
        (true, true) => "Connection: keep-alive\r\n",
        (true, false) => "",
        (false, _) => "Connection: close\r\n",
    };
    let allow = if status == Status::MethodNotAllowed { "Allow: GET, HEAD\r\n" } else { "" };
    // An outbox takes or counts everything.
    let _ = write!(
        out,
        "HTTP/1.1 {}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n{allow}{connection}\r\n",
        status.line(),
        body.len()
    );
    if request.method != Method::Head {
        out.push(body.as_bytes());
    }
}
