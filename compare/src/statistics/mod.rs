//! What may be concluded from a comparison, and what may not.
//!
//! The unit is the round. Requests of one run are not independent of each other, so nothing here pools them: a round gives
//! one ratio of a subject to another, and all uncertainty comes from how much the rounds differ. All is a function of the
//! data alone: there is no seed and no clock.
//!
//! 1. [`rounds`] pairs: for each round the logarithm of one subject's value over another's. The reference runs twice in
//!    each round, the second time as its own control; others are compared with the mean of both.
//! 2. `estimate` condenses, by the Walsh averages: their median (Hodges and Lehmann's estimate), an interval from one
//!    of them to another, and Wilcoxon's signed rank p, from the exact distribution in `significance`.
//! 3. `noise` says how much the reference differs from itself. A difference counts only beyond that, and beyond 3 %.
//! 4. `contest` judges any two, with the flagged rounds and without them. In a column of the matrix Friedman's test
//!    asks whether all may be equal, and only if not, Holm's method keeps what is told of somebody against the reference,
//!    and what is told of anybody against anybody, each wrong in at most 5 of 100 comparisons.
//! 5. `verdict` says what may be said. *Better* and *worse* need all of this. *Same* needs an interval that excludes a
//!    difference of a tenth, and a band of noise below that. Everything else is *not told*, with the reason.
//! 6. [`assess()`] does that for the whole matrix; [`objectives()`] judges the objectives at the common rate, [`builds()`] two builds in the same
//!    rounds, and [`against`] a comparison against a stored one.
//!
//! # What a verdict allows
//!
//! How often it errs was tried on synthetic comparisons whose truth is known. `trials` repeats the essence with 400
//! comparisons for each figure; these are from 2,000, so that the binomial error is half a percentage point at 5 %.
//!
//! - Of 2 to 9 equals, with noise that is normal, heavy-tailed or one-sided and a machine that becomes slower, at a spread
//!   of 8 or 30 % between rounds and with 13 or 25 rounds, somebody is named better or worse, than the reference or than
//!   the leader, in 1 to 3 of 100 comparisons. Friedman's test holds that below 5 whatever the noise is like.
//! - Where one of several really differs, somebody of the rest is named wrongly in up to 4 of 100 comparisons with 13
//!   rounds and 6 with 25.
//! - At a spread of 8 % (that of the ratio of two runs of the same) a value that is a tenth lower is found among 8
//!   subjects in 52 of 100 comparisons with 9 rounds, 85 with 11, 94 with 13; one that is a tenth higher, which in
//!   logarithms is less, in 42, 73 and 84. Between two subjects 9 rounds find it in 90 and 85, 13 in 98 and 97. So 13
//!   rounds are the default, and [`rounds_needed`] says how many it takes for 80 of 100.
//! - With fewer rounds than [`fewest`] nothing can be told, however large the difference: 6 for two subjects, 9 for
//!   the reference among 8. Under 6 all is screening.

mod assess;
mod baseline;
mod column;
mod contest;
mod estimate;
pub mod metric;
mod noise;
mod objectives;
mod readings;
mod regression;
pub mod rounds;
mod significance;
#[cfg(test)]
mod trials;
mod verdict;

pub use assess::{Assessment, assess};
pub use baseline::{Gap, Measured, Refusal, check, gaps};
pub use column::{Absent, Cell, Column, Detail, Figure};
pub use contest::{Build, builds, contest, mean_contest};
pub use estimate::{Estimate, Interval};
pub use metric::Metric;
pub use noise::{LEAST, Noise};
pub use objectives::{Kept, Objective, objectives};
pub use readings::per_connection;
pub use regression::{Change, Changes, Drift, Outcome, against};
pub use verdict::{FEWEST, Told, WORTHWHILE, Why, fewest, rounds_needed};
