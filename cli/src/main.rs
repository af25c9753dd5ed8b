//! The command `anyloop`.

mod arguments;
mod client;
mod descriptors;
mod escape;
mod failure;
mod list;
mod listen;
mod log;
mod quantity;
mod receipt;
mod serve;
mod service;
mod signals;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::arguments::{Arguments, Command};
use crate::failure::{Failure, print};

fn main() -> ExitCode {
    run(Arguments::parse().command).unwrap_or_else(|failure| failure.report())
}

fn run(command: Command) -> Result<ExitCode, Failure> {
    let output = match command {
        Command::Serve(arguments) => return serve::serve(&arguments),
        Command::Client(_) => todo!(),
        Command::Backends(list) => list::backends(list.json).into_bytes(),
        Command::Handlers(list) => list::handlers(list.json).into_bytes(),
        Command::Completions { shell } => completions(shell),
        Command::Man { command } => manual(command.as_deref())?,
    };
    print(&output).map(|()| ExitCode::SUCCESS)
}

fn completions(shell: clap_complete::Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "anyloop", &mut script);
    script
}

fn manual(command: Option<&str>) -> Result<Vec<u8>, Failure> {
    let mut all = Arguments::command();
    all.build();
    let about = match command {
        Some(name) => all.find_subcommand(name).cloned(),
        None => Some(all),
    };
    let Some(about) = about else {
        return Err(Failure::Usage(format!("there is no such command; `anyloop help` lists them")));
    };
    let mut page = Vec::new();
    clap_mangen::Man::new(about).render(&mut page).map_err(|error| Failure::Failed(error.to_string()))?;
    Ok(page)
}
