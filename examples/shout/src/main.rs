//! The command `anyloop` with an additional handler and framing.

#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::sync::Arc;

use anyloop_cli::Expect;
use shout::{Mllp, Shout};

fn main() -> ExitCode {
    anyloop_cli::Command::new()
        .handler("shout", "says it louder; ends on `bye`", || Arc::new(Shout))
        .replies(Expect::Greeted)
        .expecting(|message, reply| reply == message.to_ascii_uppercase())
        .framing("mllp", "between a vertical tab and a file separator with a carriage return", Mllp::new)
        .run()
}
