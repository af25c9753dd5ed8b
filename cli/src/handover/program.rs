//! The path of the program that a hand-over starts.

use std::path::{Path, PathBuf};
use std::{env, io, path};

/// The path by which this program was started, which may be another file by the time of a hand-over: a new version, or the
/// target of a symbolic link that was changed. The path in `/proc/self/exe` names the old file.
pub(super) fn path() -> io::Result<PathBuf> {
    let name = PathBuf::from(env::args_os().next().unwrap_or_default());
    match found(&name).filter(|path| path.is_file()) {
        Some(path) => path::absolute(path), // the process may change its working directory
        None => env::current_exe(),
    }
}

/// Where a shell finds a program with this name.
fn found(name: &Path) -> Option<PathBuf> {
    if name.components().count() > 1 || name.is_absolute() {
        return Some(name.to_owned());
    }
    let folders = env::var_os("PATH")?;
    env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_a_folder_is_a_path_and_another_is_searched_for() {
        assert_eq!(found(Path::new("./a")).unwrap(), Path::new("./a"));
        assert_eq!(found(Path::new("/a/b")).unwrap(), Path::new("/a/b"));
        assert!(found(Path::new("sh")).unwrap().is_absolute());
        assert_eq!(found(Path::new("no-such-program")), None);
        assert!(path().unwrap().is_absolute());
    }
}
