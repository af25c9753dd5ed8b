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

/// What the files are called, before the dot. An interrupted comparison has names of its own: it never takes the place
/// of a complete one.
const COMPLETE: &str = "report";
const INTERRUPTED: &str = "report-interrupted";

/// What the files are called, behind the dot.
const FORMS: [&str; 3] = ["html", "md", "json"];

impl<'a> Output<'a> {
    /// Finds out, before anything is measured, whether the reports can be written and leave the baseline alone.
    pub(super) fn prepare(folder: &'a Path, baseline: Option<&Path>) -> Result<Self, Failure> {
        let shown = folder.display();
        fs::create_dir_all(folder)
            .map_err(|error| Failure::Usage(format!("--output: can't make {shown}: {error}")))?;
        let output = Self { folder };
        for path in [COMPLETE, INTERRUPTED].into_iter().flat_map(|name| output.files(name)) {
            if let Some(baseline) = baseline.filter(|baseline| is_same(baseline, &path)) {
                return Err(Failure::Usage(format!(
                    "the report would take the place of the baseline {}; choose another folder with --output",
                    baseline.display()
                )));
            }
            file::can_replace(&path).map_err(|error| {
                Failure::Usage(format!("--output: can't write {}: {error}", path.display()))
            })?;
        }
        Ok(output)
    }

    /// Writes the reports. Says which files that are.
    pub(super) fn write(&self, comparison: &Comparison) -> Result<String, Failure> {
        let json = report::to_json(comparison).map_err(|error| Failure::Failed(error.to_string()))?;
        let contents = [report::to_html(comparison), report::to_markdown(comparison), json];
        let name = if comparison.interrupted { INTERRUPTED } else { COMPLETE };
        let mut text = String::new();
        for (path, content) in self.files(name).iter().zip(contents) {
            file::replace(path, content.as_bytes())
                .map_err(|error| Failure::Failed(format!("can't write {}: {error}", path.display())))?;
            text.push_str(&format!("wrote {}\n", path.display()));
        }
        if comparison.interrupted {
            text.push_str(&format!(
                "because of the interruption, {COMPLETE}.json and its like were left as they were\n"
            ));
        }
        Ok(text)
    }

    fn files(&self, name: &str) -> [PathBuf; 3] {
        FORMS.map(|form| self.folder.join(format!("{name}.{form}")))
    }
}

/// Whether two paths name the same file, be it by links.
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
