//! How it ends if something has become better or worse: since a stored comparison, and from another build to this one.
//! What is said of it is the report's.

use compare::Comparison;
use compare::statistics::Outcome as Verdict;
use compare::statistics::{Changes, Told, builds};

use crate::exit::Outcome;

/// How a comparison ends that was held against a stored one.
pub(super) fn since(changes: &Changes) -> Outcome {
    match changes.outcome() {
        Verdict::Passed => Outcome::Passed,
        Verdict::Regressed => Outcome::Regressed,
        Verdict::CouldNotTell => Outcome::Undecided,
    }
}

/// How a comparison of this build with another one ends; `None` if there is no other build.
pub(super) fn between_builds(comparison: &Comparison) -> Option<Outcome> {
    let builds = builds(comparison);
    (!builds.is_empty()).then(|| {
        Outcome::of(&[
            (builds.iter().any(|build| matches!(build.told, Told::NotTold(_))), Outcome::Undecided),
            (builds.iter().any(|build| build.told == Told::Worse), Outcome::Regressed),
        ])
    })
}
