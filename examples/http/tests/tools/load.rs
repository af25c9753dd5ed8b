//! The responder is loaded and compared with requests.

use std::path::PathBuf;
use std::process::Output;

use crate::PROGRAM;
use crate::server::{Server, command};

const SHORT: &str = "--connections 4 --depth 4 --duration 200ms --warmup 50ms";

fn run(flags: &str) -> Output {
    command(PROGRAM, flags).output().expect("it runs")
}

#[test]
fn every_response_is_verified() {
    let server = Server::start(PROGRAM, "");
    let loaded = run(&format!("load {} {SHORT}", server.address));
    let text = String::from_utf8_lossy(&loaded.stdout).into_owned();
    assert!(
        loaded.status.code() == Some(0) && text.contains("verified, all as they should be"),
        "{loaded:?}"
    );
}

#[test]
fn requests_of_the_command_line_are_counted() {
    let server = Server::start(PROGRAM, "");
    for (request, code, expected) in [
        ("GET /health", 0, "counted, not verified"),
        ("HEAD /", 0, "counted, not verified"),
        ("GET /nowhere", 4, "such as `HTTP/1.1 404 Not Found`"),
    ] {
        let mut load = command(PROGRAM, &format!("load {} {SHORT} --message", server.address));
        let loaded = load.arg(request).output().expect("it runs");
        let text = String::from_utf8_lossy(&loaded.stdout).into_owned();
        assert!(loaded.status.code() == Some(code) && text.contains(expected), "{request}: {loaded:?}");
    }
}

#[test]
fn backends_are_compared_with_requests() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("report");
    let flags = "--quick --rounds 1 --backends threads,smol --connections 2 --depth 2 --handler http";
    let compared = run(&format!("compare {flags} --output {}", folder.display()));
    // Whether it is too noisy for a verdict is the machine's affair.
    assert!(matches!(compared.status.code(), Some(0 | 3)), "{compared:?}");
    let report = std::fs::read_to_string(folder.join("report.md")).expect("it is written");
    assert!(report.contains("http"), "{report}");
}
