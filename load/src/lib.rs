//! A load generator for servers that measures latency, throughput and the server's resource use.

pub mod checks;
pub mod engine;
pub mod escape;
mod expect;
pub mod export;
pub mod framing;
mod generator;
mod handshakes;
pub mod histogram;
pub mod host;
mod hostile;
pub mod measurement;
mod merge;
mod messages;
pub mod plan;
pub mod process;
mod pushes;
pub mod quantity;
pub mod search;
mod settings;
pub mod shard;
pub mod slo;
mod subscribers;
pub mod transform;

#[doc(hidden)]
pub mod testing; // measurements for tests, those of `compare` among them
