//! The store as a product: a command with its own name, flags and handler, and no others.

#![forbid(unsafe_code)]

mod load;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyloop::protocol::Application;
use anyloop_cli::quantity::Size;
use anyloop_cli::{LoadFraming, clap};
use key_value::KeyValue;

/// The flags of the store.
#[derive(clap::Args)]
struct Flags {
    /// Most memory for keys and values
    #[arg(long, value_name = "SIZE", default_value_t = Size(KeyValue::MAX_MEMORY))]
    max_memory: Size,

    /// File with what to store at the start: a key, a blank and a value on each line
    #[arg(long, value_name = "FILE")]
    import: Option<PathBuf>,
}

fn open(flags: &Flags) -> Result<Arc<dyn Application>, String> {
    let store = KeyValue::new(flags.max_memory.0);
    if let Some(file) = &flags.import {
        let wrong = |why: &dyn std::fmt::Display| format!("{} can't be imported: {why}", file.display());
        let text = fs::read_to_string(file).map_err(|error| wrong(&error))?;
        store.import(&text).map_err(|error| wrong(&error))?;
    }
    Ok(Arc::new(store))
}

fn main() -> ExitCode {
    anyloop_cli::Command::new()
        .name("key-value")
        .about("A key-value store that speaks a subset of the Redis protocol")
        .version(env!("CARGO_PKG_VERSION"))
        .without_builtins()
        .try_application("key-value", "stores values under keys, for clients of Redis", open)
        .load_framing(LoadFraming::Resp)
        .messages(load::write)
        .expecting(load::is_answer)
        .run()
}
