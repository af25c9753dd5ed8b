//! The outcomes of `load`, `merge`, `verify`, `compare` and `diff`, and their exit codes.

use std::process::ExitCode;

/// The outcome of a command that has measured something. If several apply, the greatest counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// Success.
    Passed,
    /// There is no verdict for --slo, --baseline or --against, or none at all.
    Undecided,
    /// An objective was missed.
    Missed,
    /// Something is worse than in the baseline, or than in the build of --against.
    Regressed,
    /// A server or a connection failed, or there was no reply.
    Failed,
    /// Replies were wrong, or too many were refusals.
    WrongReplies,
    /// A signal ended it early.
    Interrupted,
}

impl Outcome {
    /// The greatest of those whose condition holds.
    pub(crate) fn of(conditions: &[(bool, Self)]) -> Self {
        let held = conditions.iter().filter(|(holds, _)| *holds).map(|&(_, outcome)| outcome);
        held.max().unwrap_or(Self::Passed)
    }

    /// The exit code.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Passed => 0,
            Self::Failed => 1,
            Self::Undecided => 3,
            Self::WrongReplies => 4,
            Self::Missed => 5,
            Self::Regressed => 6,
            Self::Interrupted => 130, // 128 and the number of SIGINT, as shells have it
        }
    }
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(outcome.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greatest_outcome_counts() {
        use Outcome::*;
        assert_eq!(Outcome::of(&[]), Passed);
        assert_eq!(Outcome::of(&[(false, Failed), (true, Missed), (true, Undecided)]), Missed);
        assert_eq!(Outcome::of(&[(true, WrongReplies), (true, Failed), (true, Regressed)]), WrongReplies);
        assert_eq!(Outcome::of(&[(true, Interrupted), (true, WrongReplies)]), Interrupted);
    }

    #[test]
    fn each_outcome_has_a_different_code() {
        use Outcome::*;
        let codes =
            [Passed, Failed, Undecided, WrongReplies, Missed, Regressed, Interrupted].map(Outcome::code);
        assert_eq!(codes, [0, 1, 3, 4, 5, 6, 130]);
    }
}
