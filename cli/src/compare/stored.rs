//! Stored comparisons: `anyloop report`, `anyloop diff`, and `--baseline`.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use compare::statistics::{Incomparable, against, check, gaps};
use compare::{Comparison, Settings, preview, report};

use super::{outcome, output, style};
use crate::arguments::{Diff, Format, Report};
use crate::exit::Outcome;
use crate::failure::{Failure, print};

/// Renders a report.json again.
pub(crate) fn render(arguments: &Report) -> Result<ExitCode, Failure> {
    let comparison = read(&arguments.file)?;
    let folder = match &arguments.output {
        Some(folder) => folder,
        None => arguments.file.parent().unwrap_or(Path::new("")),
    };
    let name = arguments.file.file_stem().unwrap_or_default();
    let text = match arguments.format {
        Format::Text => report::to_text(&comparison, style(arguments.verbose)),
        Format::Json => output::to_json(&comparison)?,
    };
    let written = output::render(&comparison, folder, Path::new(name));
    print(text.as_bytes())?;
    let written = written?;
    if arguments.format == Format::Text {
        print(written.as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints the changes from one report.json to another.
pub(crate) fn diff(arguments: &Diff) -> Result<ExitCode, Failure> {
    let before = Baseline::read(&arguments.before, arguments.force)?;
    let after = read(&arguments.after)?;
    before.can_be_compared(&after)?;
    let (text, outcome) = before.judge(&after);
    print(text.as_bytes())?;
    Ok(outcome.into())
}

/// A stored comparison, with which another one is compared.
pub(super) struct Baseline<'a> {
    file: &'a Path,
    /// Whether it may be from another machine.
    force: bool,
    pub(super) comparison: Comparison,
}

impl<'a> Baseline<'a> {
    pub(super) fn read(file: &'a Path, force: bool) -> Result<Self, Failure> {
        Ok(Self { file, force, comparison: read(file)? })
    }

    /// Checks before anything is measured that the comparison will be comparable.
    pub(super) fn check(&self, settings: &Settings) -> Result<(), Failure> {
        check(&self.comparison, &preview(settings), self.force).map_err(|refusal| self.refused(&refusal))
    }

    /// Checks that another stored comparison can be compared with it.
    pub(super) fn can_be_compared(&self, other: &Comparison) -> Result<(), Failure> {
        let changes = against(&self.comparison, other, self.force);
        changes.map(drop).map_err(|refusal| self.refused(&refusal))
    }

    /// Returns the changes since, and the outcome. Without a verdict the outcome is not a success.
    pub(super) fn judge(&self, comparison: &Comparison) -> (String, Outcome) {
        match against(&self.comparison, comparison, self.force) {
            Ok(changes) => (report::changes_to_text(&changes, style(false)), outcome::since(&changes)),
            Err(refusal) => {
                let mut said = String::from("Since the baseline\n");
                for gap in gaps(&self.comparison, comparison) {
                    said.push_str(&format!("Not compared: {gap}.\n"));
                }
                (said + &format!("There is no verdict: {refusal}\n"), Outcome::Undecided)
            }
        }
    }

    fn refused(&self, refusal: &Incomparable) -> Failure {
        let advice = match refusal {
            Incomparable::Machine(_) => "; to compare nevertheless, add --force",
            _ => "",
        };
        Failure::Usage(format!("can't be compared with {}: {refusal}{advice}", self.file.display()))
    }
}

/// Reads a report.json.
fn read(file: &Path) -> Result<Comparison, Failure> {
    let wrong = |why: String| Failure::Usage(format!("{} can't be read: {why}", file.display()));
    let text = fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
    report::from_json(&text).map_err(|error| wrong(error.to_string()))
}
