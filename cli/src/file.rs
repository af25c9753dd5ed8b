//! Files that are written as a whole.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process;

/// Puts a file with this content in the place of what was there. Whoever reads it finds the old one or the new one,
/// and never a part, even if this process is killed meanwhile.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let temporary = temporary(path);
    let replaced = write(&temporary, content).and_then(|()| fs::rename(&temporary, path));
    if replaced.is_err() {
        // What went wrong is said; that nothing is left of it can't be promised then.
        let _ = fs::remove_file(&temporary);
    }
    replaced
}

/// Whether [`replace`] could put a file there. Nothing is left behind.
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

/// A name beside a file that no other process takes.
fn temporary(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}", process::id()))
}
