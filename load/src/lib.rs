//! Load for servers, and what it shows: a generator, measurements, a comparison of backends, its report.

pub mod account;
pub mod checks;
pub mod comparison;
pub mod distribution;
pub mod engine;
pub mod export;
pub mod framing;
pub mod measurement;
pub mod plan;
pub mod report;
pub mod search;
pub mod slo;
pub mod statistics;

#[cfg(test)]
mod testing;
