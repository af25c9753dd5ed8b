//! The programs of `docs/learn` that have a fault on purpose, and in its tests the solutions of the exercises.

pub mod chores;
#[cfg(target_os = "linux")]
pub mod edges;
#[cfg(target_os = "linux")]
pub mod ring;
