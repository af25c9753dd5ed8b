//! The bodies of the fuzz targets. `fuzz/libfuzzer` runs them with libFuzzer, and a test runs them with the corpus.
//!
//! Each takes any bytes, and panics if it finds a fault. A target for a codec or a protocol checks that what a client
//! receives doesn't depend on how its input is cut into pieces, and that it is what a model expects.

#![forbid(unsafe_code)]

mod codecs;
mod connection;
mod http;
mod key_value;
mod load;
mod pieces;
mod proxy_header;
mod text;

pub use codecs::{length, line, mllp, raw};
pub use connection::connection;
pub use http::http;
pub use key_value::resp;
pub use load::{load_messages, load_replies};
pub use proxy_header::proxy_header;
pub use text::{client_replies, escape, values};

/// The body of a target.
pub type Target = fn(&[u8]);

/// All targets, with the names of their corpora.
pub const TARGETS: &[(&str, Target)] = &[
    ("client_replies", client_replies),
    ("connection", connection),
    ("escape", escape),
    ("http", http),
    ("length", length),
    ("line", line),
    ("load_messages", load_messages),
    ("load_replies", load_replies),
    ("mllp", mllp),
    ("proxy_header", proxy_header),
    ("raw", raw),
    ("resp", resp),
    ("values", values),
];
