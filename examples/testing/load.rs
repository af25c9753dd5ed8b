//! Loads an example with its own command.

use std::path::{Path, PathBuf};
use std::process::Output;

use crate::PROGRAM;
use crate::server::{Server, command};

/// Loads a server briefly, with these flags and one more argument for each of `more`. Returns the exit code and the
/// output.
pub(crate) fn load(server: &Server, flags: &str, more: &[&str]) -> (Option<i32>, String) {
    let short = "--connections 4 --depth 4 --duration 200ms --warmup 50ms";
    let mut command = command(PROGRAM, &format!("load {} {short} {flags}", server.address));
    let Output { status, stdout, stderr } = command.args(more).output().expect("it runs");
    (status.code(), format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr)))
}

#[test]
fn every_reply_to_its_own_messages_is_verified() {
    let (code, text) = load(&Server::start(PROGRAM, ""), "", &[]);
    assert!(code == Some(0) && text.contains("verified, all as they should be"), "{code:?}: {text}");
}

#[test]
fn backends_are_compared_with_its_own_messages() {
    let name = Path::new(PROGRAM).file_stem().and_then(|name| name.to_str()).expect("it has a name");
    // This folder is shared by the tests of all packages.
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("report-{name}"));
    let flags = "--quick --rounds 1 --backends threads,smol --connections 2 --depth 2";
    let mut command = command(PROGRAM, &format!("compare {flags} --handler {name} --output"));
    let compared = command.arg(&folder).output().expect("it runs");
    // The machine may be too noisy for a verdict.
    assert!(matches!(compared.status.code(), Some(0 | 3)), "{compared:?}");
    let report = std::fs::read_to_string(folder.join("report.md")).expect("it is written");
    assert!(report.contains(name), "{report}");
}
