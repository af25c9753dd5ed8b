//! The command `anyloop` with the backends and handlers of `docs/learn` and `examples/backend`.

#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::sync::Arc;

use anyloop_cli::{Command, Expect};
use learn::chores::{CARELESS, DECLARED};

fn main() -> ExitCode {
    let command = Command::new()
        .handler("careless", "computes or sleeps as the message says, undeclared", || Arc::new(CARELESS))
        .replies(Expect::Echo)
        .handler("declared", "computes or sleeps as the message says, declared", || Arc::new(DECLARED))
        .replies(Expect::Echo);
    let command = command.backend(&own_backend::Poll);
    #[cfg(target_os = "linux")]
    let command = command.backend(&learn::edges::FORGETFUL).backend(&learn::edges::GREEDY);
    command.run()
}
