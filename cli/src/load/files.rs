//! Checks that the files of a command are different ones, so that none overwrites another.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::output::is_stdout;
use crate::failure::Failure;

/// Which file a path names.
#[derive(PartialEq)]
enum Identity {
    StandardOutput,
    /// One that exists: its device and its number there.
    Old(u64, u64),
    /// One that does not exist: its place.
    New(PathBuf),
}

impl Identity {
    /// The file that this path names; `None` if nothing can be overwritten there.
    fn of(path: &Path) -> Option<Self> {
        if is_stdout(path) {
            return Some(Self::StandardOutput);
        }
        if let Ok(file) = fs::metadata(path) {
            return file.is_file().then(|| Self::Old(file.dev(), file.ino()));
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Some(Self::New(fs::canonicalize(folder).ok()?.join(path.file_name()?)))
    }
}

/// Checks that no two outputs, each of a flag, are the same file, and that none is one of the inputs.
pub(super) fn check_distinct(inputs: &[&Path], outputs: &[(&str, &Path)]) -> Result<(), Failure> {
    for (index, (flag, path)) in outputs.iter().enumerate() {
        let Some(identity) = Identity::of(path) else { continue };
        let is_it = |other: &Path| Identity::of(other).is_some_and(|other| other == identity);
        let shown = path.display();
        // An input that is named `-` is standard input.
        if inputs.iter().any(|input| !is_stdout(input) && is_it(input)) {
            let why = format!("{flag} would overwrite {shown}, which is read; name another file");
            return Err(Failure::Usage(why));
        }
        let Some((other, _)) = outputs[..index].iter().find(|(_, other)| is_it(other)) else { continue };
        return Err(Failure::Usage(match identity {
            Identity::StandardOutput => {
                format!(
                    "{other} and {flag} both use standard output; write the name of a file in place of one `-`"
                )
            }
            _ => format!("{other} and {flag} both write {shown}; name two files"),
        }));
    }
    Ok(())
}
