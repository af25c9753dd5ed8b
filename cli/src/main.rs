//! The command `anyloop`.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    anyloop_cli::Command::new().version(env!("CARGO_PKG_VERSION")).run()
}
