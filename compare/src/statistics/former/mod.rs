//! What the report and the baseline read until they read the [`Assessment`](super::Assessment).

pub mod assessment;
pub mod by_hand;
pub mod estimate;
pub mod gaps;
pub mod regression;
#[cfg(test)]
mod trials;
pub mod verdict;

pub use super::metric::Metric;
pub use assessment::{Assessment, Row, ShapeAssessment, Standing, assess};
pub use by_hand::{Bands, Costs, against_hand_written};
pub use estimate::{Confidence, Estimate, Interval, Method};
pub use regression::{Change, Drift, Refusal};
pub use verdict::{Floor, Verdict};
