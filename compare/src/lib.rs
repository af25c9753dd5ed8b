//! Compares servers: starts them, puts them under the same load in balanced rounds, and says what the rounds allow to
//! be said.

mod budget;
mod candidate;
pub mod data;
mod idle;
mod laboratory;
mod lineup;
mod machine;
mod medians;
mod progress;
mod rate;
pub mod report;
mod runner;
mod sample;
mod schedule;
mod server;
mod settings;
pub mod staircase;
pub mod statistics;
mod sweep;

pub use candidate::{Candidate, Launch};
pub use data::{
    Care, Comparison, Conditions, ConnectionPoint, IsolationPoint, Kind, MemorySample, Probe, RatePoint,
    Sample, Shape, Subject,
};
pub use progress::{Event, Stage, Step};
pub use runner::{compare, planned};
pub use settings::{MOST_ROUNDS, Settings, Tier};
