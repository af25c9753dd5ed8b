//! Whether the programs that are compared stay the same while they are.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::candidate::{Candidate, Launch};

/// The files of the programs, as they were at the start. Every round starts them anew: after a build in between, two
/// programs would be measured under one name.
#[derive(Debug)]
pub(super) struct Programs(HashMap<PathBuf, Identity>);

/// What differs when a file was written or replaced: device, inode, and the time of the last change in seconds and
/// nanoseconds.
type Identity = (u64, u64, i64, i64);

impl Programs {
    /// Takes note of the programs of these candidates that are named by a path.
    pub(super) fn of(candidates: &[Candidate]) -> Self {
        let files = candidates.iter().filter_map(|candidate| file(&candidate.launch));
        Self(files.filter_map(|file| Some((file.to_owned(), identity(file)?))).collect())
    }

    /// Whether a program is the one that it was at the start. One that wasn't there then is told of when it is started.
    ///
    /// # Errors
    /// If it was changed, replaced or removed.
    pub(super) fn check(&self, launch: &Launch) -> io::Result<()> {
        let Some((file, noted)) = file(launch).and_then(|file| self.0.get_key_value(file)) else {
            return Ok(());
        };
        if identity(file) == Some(*noted) {
            return Ok(());
        }
        Err(io::Error::other(format!(
            "its program {} was changed while it was measured, by a build perhaps; compare again, and leave it as it is \
             meanwhile, or compare a copy of it",
            file.display()
        )))
    }
}

/// The file of a program, unless it is looked for in `PATH`.
fn file(launch: &Launch) -> Option<&Path> {
    let program = match launch {
        Launch::Announces { program, .. } => program.as_path(),
        Launch::Command { words } => Path::new(words.first()?),
    };
    (program.components().count() > 1).then_some(program)
}

fn identity(file: &Path) -> Option<Identity> {
    let of = fs::metadata(file).ok()?;
    Some((of.dev(), of.ino(), of.mtime(), of.mtime_nsec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_was_replaced_is_told() {
        let file = std::env::temp_dir().join(format!("anyloop-program-{}", std::process::id()));
        fs::write(&file, "one").unwrap();
        let command = format!("{} {{port}}", file.display());
        let candidate = Candidate::server("own", &command).unwrap();
        let launch =
            Launch::Announces { program: file.clone(), arguments: Vec::new(), variables: String::new() };
        let programs = Programs::of(std::slice::from_ref(&candidate));
        assert!(programs.check(&launch).is_ok() && programs.check(&candidate.launch).is_ok());
        // As a linker does it: another file of the same name.
        let other = file.with_extension("new");
        fs::write(&other, "two").unwrap();
        fs::rename(&other, &file).unwrap();
        for launch in [&launch, &candidate.launch] {
            let error = programs.check(launch).unwrap_err().to_string();
            assert!(error.contains("was changed while it was measured"), "{error}");
        }
        fs::remove_file(&file).unwrap();
        assert!(programs.check(&launch).is_err(), "it is gone");
    }

    #[test]
    fn what_is_looked_for_in_the_path_is_not_watched() {
        let candidate = Candidate::server("own", "sh -c 'serve {port}'").unwrap();
        assert!(Programs::of(std::slice::from_ref(&candidate)).check(&candidate.launch).is_ok());
    }
}
