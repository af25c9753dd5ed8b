//! What can be said on the command line. Defaults that are somebody else's are asked of their owner, and what
//! there is to choose from is the [`Catalogue`](crate::catalogue::Catalogue)'s affair.

mod client;
mod serve;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use anstream::ColorChoice;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use handwritten::SERVERS;

use crate::address::{Target, of_tcp};
use crate::compare::arguments::Compare;
use crate::load::arguments::{Load, Merge};
use crate::service;

pub(crate) use client::Client;
pub(crate) use serve::{LogFormat, Serve};

/// Write the handler once; serve it on any loop
#[derive(Debug, Parser)]
#[command(name = "anyloop", version, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) task: Task,

    /// When to use colors: auto, always or never; auto heeds NO_COLOR and CLICOLOR_FORCE
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", hide_possible_values = true,
          value_parser = colors(), display_order = LAST)]
    pub(crate) color: ColorChoice,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    /// Serve a handler on a backend, until SIGINT, SIGTERM or SIGHUP
    Serve(Box<Serve>),
    /// Talk to a server, from a terminal or through a pipe
    Client(Client),
    /// Put a server under load, and measure its latency and throughput
    Load(Box<Load>),
    /// Merge measurements of `load` that several machines made, without loss
    Merge(Merge),
    /// Compare servers under the same load
    Compare(Box<Compare>),
    /// Render the report.json of an earlier comparison again
    Report(Report),
    /// Compare two report.json: what became better or worse from A to B
    Diff(Diff),
    /// Run a server that was written by hand on one runtime; without a name, list them
    Handwritten(Handwritten),
    /// List the backends, and what they can do
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
        /// The command that the page is about [default: all of it]
        command: Option<String>,
    },
}

/// What `handwritten` is told.
#[derive(Debug, Args)]
pub(crate) struct Handwritten {
    /// The server to run
    #[arg(value_parser = PossibleValuesParser::new(SERVERS.iter().map(|server| PossibleValue::new(server.name).help(server.model))))]
    pub(crate) name: Option<String>,

    /// The address to listen on; port 0 is any free one
    #[arg(long, env, value_name = "HOST:PORT", default_value = "127.0.0.1:0", value_parser = of_tcp)]
    pub(crate) listen: Target,

    /// Number of worker threads [default: the number of cores]
    #[arg(short = 't', long, env, value_name = "COUNT", value_parser = service::workers)]
    pub(crate) workers: Option<NonZeroUsize>,

    /// The form of the list
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

/// What `report` is told.
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

    /// The form of standard output
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

/// What `diff` is told.
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

/// How a list is written.
#[derive(Args, Debug)]
pub(crate) struct List {
    /// The form of the list
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

/// The form of what goes to standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A table for people
    Text,
    /// JSON for programs
    Json,
}

/// Stands where the catalogue puts its values.
pub(crate) fn chosen<T>(name: &str) -> Result<T, String> {
    Err(format!("there is nothing to choose `{name}` from"))
}

/// Where a flag of all commands stands in the help of each: behind its own, before `--help`.
const LAST: usize = 998;

fn colors() -> impl TypedValueParser<Value = ColorChoice> {
    PossibleValuesParser::new(["auto", "always", "never"]).map(|name| crate::color::choice(&name))
}

#[cfg(test)]
mod tests {
    use crate::catalogue::Catalogue;
    use crate::program::Program;

    #[test]
    fn the_command_line_is_sound() {
        Catalogue::built_in().command(&Program::new()).debug_assert();
    }
}
