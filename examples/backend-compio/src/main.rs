//! The command `anyloop` with an additional backend.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    anyloop_cli::Command::new().backend(&backend_compio::Compio::Suggested).run()
}
