//! A stored comparison, and what has changed since.

use std::path::Path;

use compare::statistics::former::Drift;
use compare::statistics::former::gaps::gaps;
use compare::statistics::former::regression::{Refusal, against, check, has_regressed};
use compare::{Comparison, Settings, planned};

use super::stored;
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

    /// Says what has changed since, and whether something has regressed. What can't be told is no success either.
    pub(super) fn judge(&self, comparison: &Comparison, text: &mut String) -> bool {
        text.push_str("since the baseline\n");
        for gap in gaps(&self.comparison, comparison) {
            text.push_str(&format!("  {gap}\n"));
        }
        let changes = match against(&self.comparison, comparison, self.force) {
            Ok(changes) => changes,
            Err(refusal) => {
                text.push_str(&format!("  nothing can be told: {refusal}\n"));
                return true;
            }
        };
        for change in &changes {
            let word = match change.drift {
                Drift::Regressed => "WORSE",
                Drift::Improved => "better",
                Drift::Unchanged => continue,
            };
            text.push_str(&format!(
                "  {} {}, {}: {:.2}x, where ±{:.0} % may be chance: {word}\n",
                change.subject,
                change.shape,
                change.metric.name(),
                change.ratio,
                change.band * 100.0
            ));
        }
        if changes.iter().all(|change| change.drift == Drift::Unchanged) {
            text.push_str("  nothing that could not be chance\n");
        }
        has_regressed(&changes)
    }
}
