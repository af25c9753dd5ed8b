//! The command `anyloop` with the backends of `docs/learn`.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    anyloop_cli::Command::new().run()
}
