//! A request to stop.

use std::process::{Child, Command};

/// Asks a program to stop.
pub(crate) fn terminate(child: &Child) {
    let stop = format!("kill -TERM {}", child.id());
    assert!(Command::new("sh").args(["-c", &stop]).status().expect("it runs").success());
}
