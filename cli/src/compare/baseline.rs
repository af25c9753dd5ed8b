//! A stored comparison, and what has changed since.

use std::path::Path;

use compare::statistics::{Refusal, against, check};
use compare::{Comparison, Settings, planned};

use super::{changes, stored};
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

    /// Says what has changed since, and how that ends.
    ///
    /// # Errors
    /// If the two can't be held against each other.
    pub(super) fn judge(&self, comparison: &Comparison) -> Result<(String, Outcome), Failure> {
        let changes = against(&self.comparison, comparison, self.force);
        changes.map(|changes| changes::since(&changes)).map_err(|refusal| self.refused(&refusal))
    }

    fn refused(&self, refusal: &Refusal) -> Failure {
        let advice = match refusal {
            Refusal::Machine(_) => "; to compare even so, add --force",
            _ => "",
        };
        Failure::Usage(format!("can't be held against {}: {refusal}{advice}", self.file.display()))
    }
}
