//! The store is loaded and compared with commands of its own.

use std::path::PathBuf;
use std::process::Output;

use crate::PROGRAM;
use crate::server::{Server, command};

const SHORT: &str = "--connections 4 --depth 4 --duration 200ms --warmup 50ms";

fn run(flags: &str) -> Output {
    command(PROGRAM, flags).output().expect("it runs")
}

#[test]
fn every_reply_to_its_own_commands_is_verified() {
    let server = Server::start(PROGRAM, "");
    let loaded = run(&format!("load {} {SHORT}", server.address));
    let text = String::from_utf8_lossy(&loaded.stdout).into_owned();
    assert!(
        loaded.status.code() == Some(0) && text.contains("verified, all as they should be"),
        "{loaded:?}"
    );
}

#[test]
fn commands_of_the_command_line_are_counted() {
    let server = Server::start(PROGRAM, "");
    let loaded = run(&format!("load {} {SHORT} --message PING --message DBSIZE", server.address));
    let text = String::from_utf8_lossy(&loaded.stdout).into_owned();
    assert!(loaded.status.code() == Some(0) && text.contains("counted, not verified"), "{loaded:?}");
    let loaded = run(&format!("load {} {SHORT} --message PING --message FROB", server.address));
    let text = String::from_utf8_lossy(&loaded.stdout).into_owned();
    assert!(loaded.status.code() == Some(4) && text.contains("such as `-ERR unknown command"), "{loaded:?}");
}

#[test]
fn backends_are_compared_with_its_own_commands() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("report");
    let flags = "--quick --rounds 1 --backends threads,smol --connections 2 --depth 2 --handler key-value";
    let compared = run(&format!("compare {flags} --output {}", folder.display()));
    // Whether it is too noisy for a verdict is the machine's affair.
    assert!(matches!(compared.status.code(), Some(0 | 3)), "{compared:?}");
    let report = std::fs::read_to_string(folder.join("report.md")).expect("it is written");
    assert!(report.contains("key-value"), "{report}");
}
