//! Tells the command which commit it was built from, if that is known.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=src");
    let commit = Command::new("git").args(["rev-parse", "--short", "HEAD"]).output();
    if let Ok(output) = commit
        && output.status.success()
    {
        println!("cargo::rustc-env=ANYLOOP_COMMIT={}", String::from_utf8_lossy(&output.stdout).trim());
    }
}
