//! The command `anyloop` as a library: a `main` of five lines adds handlers, framings, protocols and backends to the
//! built-in ones, in `serve`, `client`, `load`, `compare`, their help and their lists.
//!
//! ```no_run
//! use std::process::ExitCode;
//! use std::sync::Arc;
//!
//! use anyloop::{Flow, Handler, Client, Replies, Session};
//!
//! struct Shout;
//!
//! impl Handler for Shout {
//!     fn open(&self, _client: &Client, _out: &mut Replies<'_>) -> Box<dyn Session> {
//!         Box::new(Self)
//!     }
//! }
//!
//! impl Session for Shout {
//!     fn message(&mut self, message: &[u8], out: &mut Replies<'_>) -> Flow {
//!         out.send(&message.to_ascii_uppercase());
//!         Flow::Continue
//!     }
//! }
//!
//! fn main() -> ExitCode {
//!     anyloop_cli::Command::new().handler("shout", "says it louder", || Arc::new(Shout)).run()
//! }
//! ```
//!
//! With [`Command::name`], [`Command::without_builtins`] and [`Command::try_handler`] it becomes a product with its own
//! name, handlers and flags. `docs/write-a-handler.md` shows how to add a framing and a protocol.

mod activation;
mod address;
mod admin;
mod arguments;
mod catalogue;
mod client;
mod color;
mod command;
mod compare;
mod config;
mod connector;
mod describe;
mod descriptors;
mod environment;
mod exit;
mod failure;
mod file;
mod flags;
#[doc(hidden)]
pub mod fuzzing; // what the fuzz targets of the workspace call
mod handover;
mod handwritten;
mod help;
mod list;
mod listen;
mod load;
mod locale;
mod log;
mod messages;
mod notify;
mod program;
mod progress;
pub mod quantity;
mod receipt;
mod serve;
mod service;
mod signals;
mod sockets;
mod terminal;
mod tls;
mod usage;

use ::load::escape;
pub use ::load::framing::Framing as LoadFraming;
pub use ::load::plan::Expect;
pub use clap;
pub use command::Command;
pub use registry::BACKENDS;

/// The README's program is compiled with the tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
mod readme {}
