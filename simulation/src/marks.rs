//! Marks: which reasons for the end of a conversation were reached, and how the connections were driven then.

use std::collections::BTreeMap;
use std::fmt;

use common::CloseReason;

use crate::words::counted;
use crate::{Driving, Format, Options, Summary};

/// A combination that a run may reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// The name of the reason for which a conversation ended.
    pub reason: &'static str,
    /// How the connections were driven.
    pub driving: Driving,
    /// The format of the messages.
    pub format: Format,
    /// Whether the handler may block.
    pub blocking: bool,
    /// Whether there was a transform.
    pub transform: bool,
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { reason, driving, format, blocking, transform } = self;
        write!(f, "{reason} / {driving:?} / {format} / blocking {blocking} / transform {transform}")
    }
}

impl Mark {
    /// Why no run reaches it, if none does.
    pub fn unreachable(self) -> Option<&'static str> {
        let Self { reason, driving, format, transform, .. } = self;
        let is = |reasons: &[CloseReason]| reasons.iter().any(|other| other.name() == reason);
        if driving.is_core() && is(&[CloseReason::Busy, CloseReason::Unserved, CloseReason::TooLate]) {
            return Some("without a server nothing accepts or refuses clients");
        }
        if format != Format::Tagged && !transform && is(&[CloseReason::Malformed]) {
            return Some("this framing has no invalid messages");
        }
        if format == Format::Raw && !transform && is(&[CloseReason::Incomplete]) {
            return Some("without a framing the rest of the input is a message");
        }
        if !transform && is(&[CloseReason::Truncated]) {
            return Some("only a transform expects that the end of the input is announced");
        }
        if format == Format::Raw && is(&[CloseReason::MessageTimeout]) {
            return Some("without a framing a message has no parts");
        }
        None
    }

    /// All combinations.
    fn all() -> impl Iterator<Item = Self> {
        CloseReason::ALL.iter().flat_map(|reason| {
            Driving::ALL.iter().flat_map(move |&driving| {
                Format::ALL.iter().flat_map(move |&format| {
                    (0..4).map(move |bits| {
                        let (blocking, transform) = (bits & 1 != 0, bits & 2 != 0);
                        Self { reason: reason.name(), driving, format, blocking, transform }
                    })
                })
            })
        })
    }
}

/// So many seeds reach all combinations, as `.ci/run` checks.
const ENOUGH_SEEDS: u64 = 200_000;

/// The combinations that were reached, and how often.
#[derive(Clone, Debug, Default)]
pub struct Marks(BTreeMap<Mark, u64>);

impl Marks {
    /// Adds what a run has reached.
    pub fn add(&mut self, options: &Options, summary: &Summary) {
        let &Options { driving, format, blocking, transform, .. } = options;
        for (&reason, &count) in &summary.reasons {
            *self.0.entry(Mark { reason, driving, format, blocking, transform }).or_default() += count;
        }
    }

    /// The combinations that can be reached and were not.
    pub fn missing(&self) -> Vec<Mark> {
        let is_missing = |mark: &Mark| mark.unreachable().is_none() && !self.0.contains_key(mark);
        Mark::all().filter(is_missing).collect()
    }

    /// The combinations that were reached although nothing reaches them, which is an error of this list.
    pub fn unexpected(&self) -> Vec<Mark> {
        self.0.keys().copied().filter(|mark| mark.unreachable().is_some()).collect()
    }

    /// Why the list is not complete and right, if it is not.
    pub fn fault(&self) -> Option<String> {
        match (self.unexpected().len(), self.missing().len()) {
            (0, 0) => None,
            (0, missing) => {
                let missing = counted(missing, "combination");
                Some(format!("--marks misses {missing}; {ENOUGH_SEEDS} seeds reach all"))
            }
            (unexpected, _) => {
                let unexpected = counted(unexpected, "combination");
                Some(format!("--marks has {unexpected} that `Mark::unreachable` excludes"))
            }
        }
    }

    /// How often a reason was reached with this way of driving.
    pub fn count(&self, reason: CloseReason, driving: Driving) -> u64 {
        let counts =
            self.0.iter().filter(|(mark, _)| mark.reason == reason.name() && mark.driving == driving);
        counts.map(|(_, count)| count).sum()
    }
}

/// So many of the missing combinations are shown. A few seeds leave over a thousand.
const MOST_SHOWN: usize = 20;

/// A line for each reason with its counts for each way of driving, then the first of the missing combinations, and then how
/// many can't be reached.
impl fmt::Display for Marks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<20}", "")?;
        Driving::ALL.iter().try_for_each(|driving| write!(f, "{:>10}", format!("{driving:?}")))?;
        for reason in CloseReason::ALL {
            write!(f, "\n{:<20}", reason.name())?;
            Driving::ALL.iter().try_for_each(|&driving| write!(f, "{:>10}", self.count(*reason, driving)))?;
        }
        let (missing, unexpected) = (self.missing(), self.unexpected());
        write!(f, "\n{} of {} combinations were reached", self.0.len(), Mark::all().count())?;
        missing.iter().take(MOST_SHOWN).try_for_each(|mark| write!(f, "\nmissing: {mark}"))?;
        if missing.len() > MOST_SHOWN {
            write!(f, "\nmissing: {} more", missing.len() - MOST_SHOWN)?;
        }
        unexpected.iter().try_for_each(|mark| write!(f, "\nreached, and counted as unreachable: {mark}"))?;
        let mut reasons: BTreeMap<&str, u64> = BTreeMap::new();
        Mark::all().filter_map(Mark::unreachable).for_each(|why| *reasons.entry(why).or_default() += 1);
        reasons.iter().try_for_each(|(why, count)| write!(f, "\n{count} can't be reached: {why}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fault_of_a_list_is_said() {
        let missing = Marks::default().missing();
        let mut marks = Marks(missing.iter().map(|&mark| (mark, 1)).collect());
        assert_eq!(marks.fault(), None);
        marks.0.remove(&missing[0]);
        let said = "--marks misses 1 combination; 200000 seeds reach all";
        assert_eq!(marks.fault().as_deref(), Some(said));
        let unreachable = Mark::all().find(|mark| mark.unreachable().is_some()).unwrap();
        marks.0.insert(unreachable, 1);
        let said = "--marks has 1 combination that `Mark::unreachable` excludes";
        assert_eq!(marks.fault().as_deref(), Some(said));
        assert!(
            marks.to_string().contains(&format!("\nreached, and counted as unreachable: {unreachable}\n"))
        );
    }

    #[test]
    fn what_was_not_reached_is_missing_unless_nothing_reaches_it() {
        let missing = Marks::default().missing();
        assert_eq!(missing.len(), Mark::all().filter(|mark| mark.unreachable().is_none()).count());
        assert!(missing.len() > 1600 && missing.len() < Mark::all().count(), "{}", missing.len());
        let text = Marks::default().to_string();
        assert!(text.contains("missing: exit / Events / line / blocking false / transform false"));
        let more = format!("\nmissing: {} more\n", missing.len() - MOST_SHOWN);
        assert!(text.matches("\nmissing: ").count() == MOST_SHOWN + 1 && text.contains(&more), "{text}");
    }
}
