//! A stored comparison, and what has changed since.

use std::path::Path;

use compare::statistics::{
    Change, Changes, Drift, Outcome as Judged, Refusal, WORTHWHILE, against, check, gaps,
};
use compare::{Comparison, Settings, planned};

use super::stored;
use crate::exit::Outcome;
use crate::failure::Failure;

/// A stored comparison, with which another one is compared.
pub(super) struct Baseline<'a> {
    file: &'a Path,
    /// Whether it may be another machine's.
    force: bool,
    pub(super) comparison: Comparison,
}

impl<'a> Baseline<'a> {
    pub(super) fn read(file: &'a Path, force: bool) -> Result<Self, Failure> {
        Ok(Self { file, force, comparison: stored::read(file)? })
    }

    /// Finds out, before anything is measured, whether that can be held against it.
    pub(super) fn check(&self, settings: &Settings) -> Result<(), Failure> {
        check(&self.comparison, &planned(settings), self.force).map_err(|refusal| {
            let advice = match refusal {
                Refusal::Machine(_) => "; to compare even so, add --force",
                _ => "",
            };
            Failure::Usage(format!("can't be held against {}: {refusal}{advice}", self.file.display()))
        })
    }

    /// Says what has changed since, and how that ends: what can't be told is no success either.
    pub(super) fn judge(&self, comparison: &Comparison, text: &mut String) -> Outcome {
        text.push_str("since the baseline\n");
        match against(&self.comparison, comparison, self.force) {
            Ok(changes) => {
                describe(&changes).iter().for_each(|line| text.push_str(&format!("  {line}\n")));
                match changes.outcome() {
                    Judged::Passed => Outcome::Passed,
                    Judged::Regressed => Outcome::Regressed,
                    Judged::CouldNotTell => Outcome::Undecided,
                }
            }
            Err(refusal) => {
                for gap in gaps(&self.comparison, comparison) {
                    text.push_str(&format!("  {gap}\n"));
                }
                text.push_str(&format!("  nothing can be told: {refusal}\n"));
                Outcome::Undecided
            }
        }
    }
}

/// What has changed, a line for each fact.
fn describe(changes: &Changes) -> Vec<String> {
    let differs = |(name, then, now): &(String, String, String)| {
        format!("another machine: {name} was {then:?}, is {now:?}, so a change may be the machine's")
    };
    let mut lines: Vec<String> = changes.machine.iter().map(differs).collect();
    lines.extend(changes.gaps.iter().map(ToString::to_string));
    lines.extend(changes.changes.iter().filter_map(line));
    if changes.changes.iter().all(|change| matches!(change.drift, Drift::Unchanged | Drift::NotTold)) {
        lines.push("no change was seen".to_owned());
    }
    lines.push(match changes.smallest() {
        Some(smallest) => {
            format!("the smallest change in server CPU per message that could be seen: {}", percent(smallest))
        }
        None => "no change could be seen, however large: there are too few rounds in one of them".to_owned(),
    });
    lines
}

/// A change, or why it is not known whether there is one; `None` if nothing has changed.
fn line(change: &Change) -> Option<String> {
    let of_what = format!("{} {}, {}", change.subject, change.shape, change.metric.name());
    let range = change.interval.map_or(String::new(), |of| format!(" ({:.2} to {:.2})", of.low, of.high));
    let known = |word| Some(format!("{of_what}: {:.2}x{range}: {word}", change.ratio));
    match change.drift {
        Drift::Regressed => known("WORSE"),
        Drift::Improved => known("better"),
        Drift::Unchanged => None,
        Drift::NotTold => Some(match change.smallest.filter(|smallest| *smallest > WORTHWHILE) {
            Some(smallest) => {
                format!("{of_what}: could not tell; a change below {} could not be seen", percent(smallest))
            }
            None => format!("{of_what}: could not tell; too few rounds, or too many that are flagged"),
        }),
    }
}

fn percent(part: f64) -> String {
    format!("{:.0} %", part * 100.0)
}
