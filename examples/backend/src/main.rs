//! The command `anyloop`, with a backend more.

use std::process::ExitCode;

fn main() -> ExitCode {
    anyloop_cli::Command::new().backend(&own_backend::Poll).run()
}
