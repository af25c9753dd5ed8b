//! The command `anyloop`, with the HTTP responder.

use std::process::ExitCode;
use std::sync::Arc;

fn main() -> ExitCode {
    anyloop::Command::new()
        .application("http", "a page and a health check over HTTP/1.1", || Arc::new(http::Http))
        .run()
}
