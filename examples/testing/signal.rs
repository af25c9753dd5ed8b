//! Signals for programs under test.

use std::process::{Child, Command};

/// Sends a signal to a process.
pub(crate) fn signal(process: &Child, signal: &str) {
    let status = Command::new("kill").args(["-s", signal, &process.id().to_string()]).status();
    assert!(status.expect("kill runs").success());
}
