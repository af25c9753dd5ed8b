//! Files that are written atomically.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process;

/// Replaces a file atomically. Readers see the old or the new content and never a part, even if this process is killed.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let temporary = temporary(path);
    let replaced = write(&temporary, content).and_then(|()| fs::rename(&temporary, path));
    if replaced.is_err() {
        // The first error is reported; an error of the removal is ignored.
        let _ = fs::remove_file(&temporary);
    }
    replaced
}

/// Checks that [`replace`] could write the file, without leaving a file.
pub(crate) fn can_replace(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let temporary = temporary(path);
    File::create(&temporary)?;
    fs::remove_file(&temporary)
}

fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// A name in the same folder that no other process uses.
fn temporary(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}", process::id()))
}
