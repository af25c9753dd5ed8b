//! The outcome of a comparison, which determines the exit code.

use compare::Comparison;
use compare::statistics::{
    Assessment, Changes, Outcome as Since, SloResult, Verdict, assess, builds, objectives,
};
use load::measurement::too_many_refused;

use crate::exit::Outcome;

/// The outcome of a comparison. A build that is worse than the one that it is compared with has regressed.
pub(super) fn outcome(comparison: &Comparison, allow_refusals: bool) -> Outcome {
    let assessment = assess(comparison);
    let subjects = 0..comparison.subjects.len();
    Outcome::of(&[
        (!has_verdicts(&assessment), Outcome::Undecided),
        (objectives_are(comparison, SloResult::Unknown), Outcome::Undecided),
        (objectives_are(comparison, SloResult::Missed), Outcome::Missed),
        (
            builds(comparison).iter().any(|build| matches!(build.verdict, Verdict::Undecided(_))),
            Outcome::Undecided,
        ),
        (builds(comparison).iter().any(|build| build.verdict == Verdict::Worse), Outcome::Regressed),
        (!assessment.failed.is_empty() || comparison.samples.is_empty(), Outcome::Failed),
        (
            subjects.into_iter().any(|subject| is_wrong(comparison, subject, allow_refusals)),
            Outcome::WrongReplies,
        ),
        (comparison.interrupted, Outcome::Interrupted),
    ])
}

/// The outcome of a comparison with a stored one.
pub(super) fn since(changes: &Changes) -> Outcome {
    match changes.outcome() {
        Since::Passed => Outcome::Passed,
        Since::Regressed => Outcome::Regressed,
        Since::Undecided => Outcome::Undecided,
    }
}

/// Whether there is any verdict, or nothing to compare with the reference.
fn has_verdicts(assessment: &Assessment) -> bool {
    let is_decided =
        |verdict: &Verdict| matches!(verdict, Verdict::Better | Verdict::Worse | Verdict::Same { .. });
    let mut cells = assessment.columns.iter().flat_map(|column| &column.cells);
    assessment.ranked.len() < 2 || cells.any(|cell| is_decided(&cell.verdict))
}

/// Whether there is an objective for which this is the best result of all servers.
fn objectives_are(comparison: &Comparison, answer: SloResult) -> bool {
    let objectives = objectives(comparison);
    let best = |slo: &str| {
        let answers = || objectives.iter().filter(|one| one.slo == slo).map(|one| one.result);
        let found = |result: SloResult| answers().any(|one| one == result);
        [SloResult::Met, SloResult::Unknown, SloResult::Missed].into_iter().find(|&result| found(result))
    };
    comparison.conditions.slos.iter().any(|slo| best(slo) == Some(answer))
}

/// Whether a server's replies were wrong, or too many of them refusals.
fn is_wrong(comparison: &Comparison, subject: usize, allow_refusals: bool) -> bool {
    let samples = || comparison.samples.iter().filter(|sample| sample.subject == subject);
    // For each load by itself: the refusals of one load would be hidden among the replies of a faster one.
    let refuses = |shape: usize| {
        let of_it = || samples().filter(|sample| sample.shape == shape);
        let refused = of_it().map(|sample| sample.refused).sum();
        too_many_refused(refused, of_it().map(|sample| sample.replies).sum())
    };
    let bad = comparison.subjects[subject].bad > 0 || samples().any(|sample| sample.bad > 0);
    bad || !allow_refusals && (0..comparison.shapes.len()).any(refuses)
}

#[cfg(test)]
mod tests {
    use compare::{Sample, Shape, Subject};

    use super::*;

    #[test]
    fn the_refusals_of_one_load_are_not_hidden_by_the_replies_of_another() {
        let sample = |shape, replies, refused| Sample { shape, replies, refused, ..Sample::default() };
        let comparison = Comparison {
            subjects: vec![Subject::default()],
            shapes: vec![Shape::default(), Shape::default()],
            samples: vec![sample(0, 1_000_000, 0), sample(1, 1000, 900)],
            ..Comparison::default()
        };
        assert!(is_wrong(&comparison, 0, false));
        assert!(!is_wrong(&comparison, 0, true));
    }
}
