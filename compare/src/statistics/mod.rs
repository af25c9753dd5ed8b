//! What may be concluded from a comparison, and what may not.

mod assess;
mod column;
mod contest;
mod estimate;
pub mod former;
pub mod metric;
mod objectives;
pub mod rounds;

pub use assess::{Assessment, FEWEST, assess};
pub use column::{Absent, Cell, Column, Detail, Figure, Noise, Told, Why};
pub use contest::{contest, mean_contest};
pub use estimate::{Estimate, Interval};
pub use metric::Metric;
pub use objectives::{Kept, Objective, objectives};
