//! A stored comparison, and what has changed since.

use std::path::Path;

use compare::statistics::{Refusal, against, check, gaps};
use compare::{Comparison, Settings, planned, report};

use super::{outcome, stored};
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
        check(&self.comparison, &planned(settings), self.force).map_err(|refusal| self.refused(&refusal))
    }

    /// Finds out whether another stored comparison can be held against it.
    pub(super) fn can_be_compared(&self, other: &Comparison) -> Result<(), Failure> {
        let changes = against(&self.comparison, other, self.force);
        changes.map(drop).map_err(|refusal| self.refused(&refusal))
    }

    /// Says what has changed since, and how that ends: what can't be told is no success either.
    pub(super) fn judge(&self, comparison: &Comparison) -> (String, Outcome) {
        match against(&self.comparison, comparison, self.force) {
            Ok(changes) => (report::changes_to_text(&changes, super::style(false)), outcome::since(&changes)),
            Err(refusal) => {
                let mut said = String::from("Since the baseline\n");
                for gap in gaps(&self.comparison, comparison) {
                    said.push_str(&format!("Not compared: {gap}.\n"));
                }
                (said + &format!("Nothing can be told: {refusal}\n"), Outcome::Undecided)
            }
        }
    }

    fn refused(&self, refusal: &Refusal) -> Failure {
        let advice = match refusal {
            Refusal::Machine(_) => "; to compare even so, add --force",
            _ => "",
        };
        Failure::Usage(format!("can't be held against {}: {refusal}{advice}", self.file.display()))
    }
}
