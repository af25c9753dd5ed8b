//! The statistics: which conclusions a comparison supports.
//!
//! The unit is the round. The messages of one run are not independent of each other, so they are not pooled: a round
//! gives one ratio of a subject to another, and the uncertainty is estimated from the differences between rounds.
//! Everything is a function of the data alone: there is no seed and no clock.
//!
//! 1. [`rounds`] makes pairs: for each round the logarithm of one subject's value divided by another's. The reference
//!    runs twice in each round, the second time as its own control; others are compared with the mean of both.
//! 2. `estimate` computes the Hodges–Lehmann estimate, its confidence interval and Wilcoxon's signed rank p, all from
//!    the Walsh averages and the exact distribution in `significance`.
//! 3. `noise` estimates how much two runs of the reference differ. Only larger differences count, and only those above
//!    3 %.
//! 4. `pairwise` tests pairs, with the flagged rounds and without them. In a column of the matrix Friedman's test comes
//!    first. If it rejects that all are equal, Holm's method limits the probability of any wrong verdict to 5 %, once
//!    among the pairs with the reference and once among all pairs.
//! 5. `verdict` decides. *Better* and *worse* need all of this. *Same* needs an interval that excludes a difference of
//!    a tenth, and a band of noise below that. Everything else is *undecided*, with the reason.
//! 6. [`assess()`] does this for the whole matrix. [`objectives()`] checks the objectives at the common rate,
//!    [`builds()`] compares two builds in the same rounds, and [`against`] compares a comparison with a stored one.
//!
//! # Error rates
//!
//! The error rates were measured on synthetic comparisons with known true values. `trials` repeats the main ones with
//! 400 comparisons for each rate; those below are from 2,000, so that the binomial error is half a percentage point at
//! 5 %.
//!
//! - Of 2 to 9 equal subjects, with noise that is normal, heavy-tailed or one-sided and a machine that becomes slower,
//!   at a spread of 8 or 30 % between rounds and with 13 or 25 rounds, any subject is called better or worse than the
//!   reference or the leader in 1 to 3 of 100 comparisons. Friedman's test keeps that below 5 for any kind of noise.
//! - If one of several subjects really differs, any of the others is called better or worse in up to 4 of 100
//!   comparisons with 13 rounds and 6 with 25.
//! - At a spread of 8 % (of the ratio of two runs of the same subject) a value that is lower by a tenth is detected
//!   among 8 subjects in 52 of 100 comparisons with 9 rounds, 85 with 11, 94 with 13; one that is higher by a tenth,
//!   which is less in logarithms, in 42, 73 and 84. Between two subjects 9 rounds detect it in 90 and 85, 13 in 98 and
//!   97. So 13 rounds are the default, and [`rounds_needed`] returns how many it takes for 80 of 100.
//! - With fewer rounds than [`min_rounds`] there is no verdict, however large the difference: 6 for two subjects, 9 for the
//!   reference among 8. Fewer than 6 rounds are for screening only.

mod assess;
mod baseline;
mod column;
mod estimate;
pub mod metric;
mod noise;
mod objectives;
mod pairwise;
mod readings;
mod regression;
pub mod rounds;
mod significance;
#[cfg(test)]
mod trials;
mod verdict;

pub use assess::{Assessment, assess};
pub use baseline::{Gap, Incomparable, Measured, check, gaps};
pub use column::{Absent, Cell, Column, Detail, Figure};
pub use estimate::{Estimate, Interval};
pub use metric::Metric;
pub use noise::{MIN_BAND, Noise};
pub use objectives::{Objective, SloResult, objectives};
pub use pairwise::{Build, builds, compare_pair, compare_pair_mean};
pub use readings::per_connection;
pub use regression::{Change, Changes, Drift, Outcome, against};
pub use verdict::{MIN_ROUNDS, RELEVANT_DIFFERENCE, Verdict, Why, min_rounds, rounds_needed};
