//! x
mod assess;
mod column;
mod contest;
mod estimate;
pub mod former;
mod friedman;
mod holm;
mod matrix;
mod memory;
pub mod metric;
mod noise;
mod normal;
mod objectives;
pub mod rounds;
mod signed_rank;
mod thresholds;
mod told;
#[cfg(test)]
mod trials;

pub use assess::{Assessment, assess};
pub use column::{Absent, Cell, Column, Detail, Figure};
pub use contest::{contest, mean_contest};
pub use estimate::{Estimate, Interval};
pub use memory::per_connection;
pub use metric::Metric;
pub use noise::Noise;
pub use objectives::{Kept, Objective, objectives};
pub use told::{FEWEST, Told, WORTHWHILE, Why, rounds_needed};
