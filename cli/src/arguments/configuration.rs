//! The arguments of `serve` that concern its configuration as a whole.

use std::path::PathBuf;

use clap::Args;

/// The arguments of `serve` that concern its configuration as a whole.
#[derive(Args, Debug)]
#[group(skip)]
pub(crate) struct Configuration {
    /// File with flags, in TOML: `workers = 4`. A flag overrides its variable, which overrides the file
    #[arg(long, env, help_heading = CONFIGURATION, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Check the flags, the file of --config and the files that they name, and exit without listening
    #[arg(long, help_heading = CONFIGURATION, conflicts_with = "show_config")]
    pub(crate) check: bool,

    /// Print the effective limits and the most memory that they allow, as a file for --config, and exit
    #[arg(long, help_heading = CONFIGURATION)]
    pub(crate) show_config: bool,
}

const CONFIGURATION: &str = "Configuration";
