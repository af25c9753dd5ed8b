//! Tells the command which commit it was built from, and whether the sources had changed since. Where that is not known, as in a
//! package, it says so.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the command is built from, from the folder of its package.
const SOURCES: [&str; 9] = [
    "src",
    "build.rs",
    "Cargo.toml",
    "../common/src",
    "../common/Cargo.toml",
    "../serving/src",
    "../serving/Cargo.toml",
    "../Cargo.toml",
    "../Cargo.lock",
];

/// What git changes when another commit is checked out or made. It need not keep a log.
const REFERENCES: [&str; 3] = ["logs/HEAD", "HEAD", "packed-refs"];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let package = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).unwrap_or_default();
    let Some(commit) = commit(&package) else { return };
    println!("cargo::rustc-env=ANYLOOP_COMMIT={}", commit.name);
    // A path that doesn't exist would count as changed at each build.
    for path in commit.depends_on.iter().filter(|path| path.exists()) {
        println!("cargo::rerun-if-changed={}", path.display());
    }
}

/// A commit.
#[derive(Debug)]
pub(crate) struct Commit {
    /// Its hash, with `-dirty` behind it if the sources have changed since.
    pub(crate) name: String,
    /// The files and folders with which the name changes.
    pub(crate) depends_on: Vec<PathBuf>,
}

/// The commit that this package was built from. `None` if no repository has it: it may lie within another project's.
pub(crate) fn commit(package: &Path) -> Option<Commit> {
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        let output =
            command.arg("--no-optional-locks").arg("-C").arg(package).args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    git(&["ls-files", "--error-unmatch", "Cargo.toml"])?;
    let mut name = git(&["rev-parse", "--short=12", "HEAD"])?;
    let changes = [&["status", "--porcelain", "--untracked-files=no", "--"], &SOURCES[..]].concat();
    if !git(&changes)?.is_empty() {
        name.push_str("-dirty");
    }
    let branch = git(&["symbolic-ref", "--quiet", "HEAD"]);
    let references = REFERENCES.into_iter().chain(branch.as_deref());
    let files = references.filter_map(|file| git(&["rev-parse", "--git-path", file]));
    let depends_on = files.map(|file| package.join(file)).chain(SOURCES.map(|source| package.join(source)));
    Some(Commit { name, depends_on: depends_on.collect() })
}
