//! The command `anyloop`, with the HTTP responder.

#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::sync::Arc;

use anyloop_cli::LoadFraming;
use http::Http;

fn main() -> ExitCode {
    anyloop_cli::Command::new()
        .application("http", "a page and a health check over HTTP/1.1", || Arc::new(Http))
        .load_framing(LoadFraming::Http)
        .messages(|_client, _number, request| {
            request.extend_from_slice(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
        })
        .expecting(|_request, response| {
            response.starts_with(b"HTTP/1.1 200 ") && response.ends_with(b"\r\n\r\nok\n")
        })
        .run()
}
