//! The command `anyloop` with the backends of `docs/learn` and `examples/backend`.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    anyloop_cli::Command::new().backend(&own_backend::Poll).run()
}
