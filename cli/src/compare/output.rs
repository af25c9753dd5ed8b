//! The folder to which the reports are written.

use std::fs;
use std::path::{Path, PathBuf};

use compare::Comparison;
use compare::report;

use crate::failure::Failure;
use crate::file;

/// The folder to which the reports are written.
pub(super) struct Output<'a> {
    folder: &'a Path,
}

/// The names of the files without extension. An interrupted comparison has other names, so that it doesn't replace a
/// complete one.
const COMPLETE: &str = "report";
const INTERRUPTED: &str = "report-interrupted";

/// The extensions of the files.
const FORMS: [&str; 3] = ["html", "md", "json"];

impl<'a> Output<'a> {
    /// Checks before anything is measured that the reports can be written without overwriting the baseline.
    pub(super) fn prepare(folder: &'a Path, baseline: Option<&Path>) -> Result<Self, Failure> {
        make(folder)?;
        for path in [COMPLETE, INTERRUPTED].into_iter().flat_map(|name| files(folder, Path::new(name))) {
            if let Some(baseline) = baseline.filter(|baseline| is_same(baseline, &path)) {
                return Err(Failure::Usage(format!(
                    "the report would overwrite the baseline {}; choose another folder with --output",
                    baseline.display()
                )));
            }
            file::can_replace(&path).map_err(|error| {
                Failure::Usage(format!("--output: can't write {}: {error}", path.display()))
            })?;
        }
        Ok(Self { folder })
    }

    /// Writes the reports. Returns a text with the names of the files.
    pub(super) fn write(&self, comparison: &Comparison) -> Result<String, Failure> {
        let name = if comparison.interrupted { INTERRUPTED } else { COMPLETE };
        let [html, markdown, json] = files(self.folder, Path::new(name));
        let mut text = write(&html, &report::to_html(comparison))?;
        text.push_str(&write(&markdown, &report::to_markdown(comparison))?);
        text.push_str(&write(&json, &to_json(comparison)?)?);
        if comparison.interrupted {
            text.push_str(&format!(
                "because of the interruption, {COMPLETE}.html, .md and .json were not changed\n"
            ));
        }
        Ok(text)
    }
}

/// Writes the page and the Markdown of a stored comparison. Returns a text with the names of the files.
pub(super) fn render(comparison: &Comparison, folder: &Path, name: &Path) -> Result<String, Failure> {
    make(folder)?;
    let [html, markdown, _] = files(folder, name);
    Ok(write(&html, &report::to_html(comparison))? + &write(&markdown, &report::to_markdown(comparison))?)
}

/// A report.json.
pub(super) fn to_json(comparison: &Comparison) -> Result<String, Failure> {
    report::to_json(comparison).map_err(|error| Failure::Failed(error.to_string()))
}

/// Creates the folder if it doesn't exist.
fn make(folder: &Path) -> Result<(), Failure> {
    let shown = folder.display();
    if folder.as_os_str().is_empty() {
        return Ok(());
    }
    fs::create_dir_all(folder)
        .map_err(|error| Failure::Usage(format!("--output: can't create {shown}: {error}")))
}

fn files(folder: &Path, name: &Path) -> [PathBuf; 3] {
    FORMS.map(|form| folder.join(format!("{}.{form}", name.display())))
}

fn write(path: &Path, content: &str) -> Result<String, Failure> {
    file::replace(path, content.as_bytes())
        .map_err(|error| Failure::Failed(format!("can't write {}: {error}", path.display())))?;
    Ok(format!("wrote {}\n", path.display()))
}

/// Whether two paths refer to the same file, links included.
fn is_same(one: &Path, other: &Path) -> bool {
    let by_folder = |path: &Path| {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Some((fs::canonicalize(folder).ok()?, path.file_name()?.to_owned()))
    };
    let by_links = |path: &Path| fs::canonicalize(path).ok();
    same(by_folder(one), by_folder(other)) || same(by_links(one), by_links(other))
}

fn same<T: PartialEq>(one: Option<T>, other: Option<T>) -> bool {
    one.is_some() && one == other
}
