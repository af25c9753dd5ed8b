//! Compares servers: starts them, puts them under the same load in balanced rounds, and draws the conclusions that the
//! rounds support.

mod budget;
mod candidate;
mod conditions;
pub mod data;
mod design;
mod failure;
mod fanout;
mod idle;
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
mod testbed;

pub use budget::Tier;
pub use candidate::{Candidate, Launch};
pub use data::{
    Care, Comparison, Conditions, ConnectionPoint, Deliveries, Kind, MemorySample, NotHeld, Probe, RatePoint,
    Sample, Shape, Subject,
};
pub use progress::{Event, Stage, Step};
pub use runner::{compare, preview};
pub use settings::{MAX_ROUNDS, Settings};
pub use testbed::try_start;
