//! Compares servers: starts them, puts them under the same load in balanced rounds, and says what the rounds allow to
//! be said.

mod budget;
mod candidate;
mod conditions;
pub mod data;
mod design;
mod failure;
mod idle;
mod laboratory;
mod pinning;
mod progress;
mod rate;
pub mod report;
mod rounds;
mod runner;
mod sample;
mod server;
mod settings;
pub mod staircase;
pub mod statistics;
mod sweep;

pub use budget::Tier;
pub use candidate::{Candidate, Launch};
pub use data::{
    Care, Comparison, Conditions, ConnectionPoint, Kind, MemorySample, Probe, RatePoint, Sample, Shape,
    Subject,
};
pub use laboratory::starts;
pub use progress::{Event, Stage, Step};
pub use runner::{compare, planned};
pub use settings::{MOST_ROUNDS, Settings};
