//! The command `anyloop`.

mod address;
mod arguments;
mod client;
mod compare;
mod describe;
mod descriptors;
mod escape;
mod failure;
mod list;
mod listen;
mod load;
mod log;
mod quantity;
mod receipt;
mod serve;
mod service;
mod signals;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::{Arguments, Command};
use crate::failure::{Failure, print};

fn main() -> ExitCode {
    run(Arguments::parse().command).unwrap_or_else(|failure| failure.report())
}

fn run(command: Command) -> Result<ExitCode, Failure> {
    let output = match command {
        Command::Serve(arguments) => return serve::serve(&arguments),
        Command::Client(arguments) => return client::client(&arguments).map(|()| ExitCode::SUCCESS),
        Command::Compare(arguments) => return compare::compare(&arguments),
        Command::Load(arguments) => return load::load(&arguments),
        Command::Backends(list) => list::backends(list.json).into_bytes(),
        Command::Handlers(list) => list::handlers(list.json).into_bytes(),
        Command::Completions { shell } => describe::completions(shell),
        Command::Man { command } => describe::manual(command.as_deref())?,
    };
    print(&output).map(|()| ExitCode::SUCCESS)
}
