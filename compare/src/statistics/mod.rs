//! What may be concluded from a comparison, and what may not.
//!
//! The unit is the round. Requests of one run are not independent of each other, so nothing here pools them: a
//! round gives one ratio of a subject to the reference, and all uncertainty comes from how much the rounds
//! differ.
//!
//! 1. [`rounds`] pairs: for each round the logarithm of a subject's value over the reference's. The reference
//!    runs twice in each round, the second time as its own control; the mean of both is what others are
//!    divided by, because that is the better estimate.
//! 2. [`estimate`] condenses: the median of all pairwise means (Hodges and Lehmann's), which a wild round moves
//!    as little as it moves a median and which needs two thirds of a median's rounds, with an interval from a
//!    bootstrap over rounds, or from Student's t where there are fewer than ten.
//! 3. [`verdict`] decides: a difference counts only if the interval excludes 1 and the difference is larger
//!    than what the reference shows against itself.
//! 4. [`assessment`] does that for all subjects, loads and metrics; [`regression`] compares two comparisons,
//!    and [`gaps`] names what only one of them has.
//!
//! [`by_hand`] holds backends against the servers that were written by hand: figures, and no verdicts.
//!
//! How often that errs was tried on synthetic rounds (`trials.rs` repeats the essence): with a spread of 8 to
//! 30 % between rounds two equal backends are told apart in about 2 data sets of 100, four equal ones from a
//! reference in 6 to 10 of 100; a difference of 10 % at a spread of 8, 9, 10 % is found with 8, 9, 10 rounds in
//! more than 80 of 100.

pub mod assessment;
pub mod by_hand;
pub mod estimate;
pub mod gaps;
pub mod metric;
pub mod regression;
pub mod rounds;
#[cfg(test)]
mod trials;
pub mod verdict;

pub use assessment::{Assessment, Row, ShapeAssessment, Standing, assess};
pub use by_hand::{Bands, Costs, against_hand_written};
pub use estimate::{Confidence, Estimate, Interval, Method};
pub use metric::Metric;
pub use regression::{Change, Drift, Refusal};
pub use verdict::{Floor, Verdict};
