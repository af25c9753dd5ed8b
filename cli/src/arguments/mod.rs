//! The arguments of the command line. Defaults come from the module that owns them, and the possible values of some
//! arguments from the [`Catalogue`](crate::catalogue::Catalogue).

mod admin;
mod client;
mod configuration;
mod serve;
mod tls;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use anstream::ColorChoice;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use handwritten::SERVERS;

use crate::address::{Target, of_tcp};
use crate::compare::arguments::Compare;
use crate::load::Verify;
use crate::load::arguments::{Load, Merge};
use crate::service;

pub(crate) use client::Client;
pub(crate) use configuration::Configuration;
pub(crate) use serve::{LogFormat, Serve};
pub(crate) use tls::Tls;

/// Write the handler once; serve it on any loop
#[derive(Debug, Parser)]
#[command(name = "anyloop", version, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) task: Task,

    /// When to use colors: auto, always or never; auto respects NO_COLOR and CLICOLOR_FORCE
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", hide_possible_values = true,
          value_parser = colors(), display_order = LAST)]
    pub(crate) color: ColorChoice,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    /// Serve a handler on a backend, until SIGINT or SIGTERM
    Serve(Box<Serve>),
    /// Talk to a server, from a terminal or through a pipe
    Client(Client),
    /// Put a server under load, and measure its latency and throughput
    Load(Box<Load>),
    /// Merge measurements of `load` from several machines, without loss
    Merge(Merge),
    /// Judge the history that `load --history` wrote: whether each message was answered once, in order and unaltered
    Verify(Verify),
    /// Compare servers under the same load
    Compare(Box<Compare>),
    /// Render the report.json of an earlier comparison again
    Report(Report),
    /// Compare two report.json: what became better or worse from A to B
    Diff(Diff),
    /// Run a handwritten server; without a name, list them
    Handwritten(Handwritten),
    /// List the backends and their properties
    Backends(List),
    /// List the handlers
    Handlers(List),
    /// Write the completions for a shell to standard output
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write a manual page to standard output
    Man {
        /// The command of the page [default: all commands]
        command: Option<String>,
    },
}

/// The arguments of `handwritten`.
#[derive(Debug, Args)]
pub(crate) struct Handwritten {
    /// The server to run
    #[arg(value_parser = PossibleValuesParser::new(SERVERS.iter().map(|server| PossibleValue::new(server.name).help(server.model))))]
    pub(crate) name: Option<String>,

    /// The address to listen on; port 0 means any free port
    #[arg(long, env, value_name = "HOST:PORT", default_value = "127.0.0.1:0", value_parser = of_tcp)]
    pub(crate) listen: Target,

    /// Accept clients from other machines: without it, --listen takes only loopback addresses
    #[arg(long, env, value_parser = boolean)]
    pub(crate) expose: bool,

    /// Number of worker threads [default: the number of cores]
    #[arg(short = 't', long, env, value_name = "COUNT", value_parser = service::workers)]
    pub(crate) workers: Option<NonZeroUsize>,

    /// The certificate in PEM, followed by the intermediate ones, of a server that speaks TLS
    #[arg(long, env, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,

    /// The private key of --tls-cert in PEM
    #[arg(long, env, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,

    /// The format of the list
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

/// The arguments of `report`.
#[derive(Debug, Args)]
pub(crate) struct Report {
    /// The report.json to render
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    /// Show details: every metric under every load, and the conditions
    #[arg(short, long)]
    pub(crate) verbose: bool,

    /// The folder to write report.html and report.md to [default: the folder of FILE]
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,

    /// The format of standard output
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

/// The arguments of `diff`.
#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// The report.json of the earlier comparison
    #[arg(value_name = "A")]
    pub(crate) before: PathBuf,

    /// The report.json of the later comparison
    #[arg(value_name = "B")]
    pub(crate) after: PathBuf,

    /// Compare them even if they were measured on different machines
    #[arg(long)]
    pub(crate) force: bool,
}

/// Parses the variable of a flag that has no value.
pub(crate) fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err("it is neither true nor false; write one of these".to_owned()),
    }
}

/// The arguments of a command that prints a list.
#[derive(Args, Debug)]
pub(crate) struct List {
    /// The format of the list
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

/// The format of standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A table for people
    Text,
    /// JSON for programs
    Json,
}

/// A placeholder for a parser that the catalogue replaces.
pub(crate) fn chosen<T>(name: &str) -> Result<T, String> {
    Err(format!("there is nothing to choose `{name}` from"))
}

/// The position of a global flag in the help of each command: after the command's own flags, before `--help`.
const LAST: usize = 998;

fn colors() -> impl TypedValueParser<Value = ColorChoice> {
    PossibleValuesParser::new(["auto", "always", "never"]).map(|name| crate::color::choice(&name))
}

#[cfg(test)]
mod tests {
    use crate::catalogue::Catalogue;
    use crate::program::Program;

    #[test]
    fn the_command_line_is_valid() {
        Catalogue::built_in().command(&Program::new()).debug_assert();
    }
}
