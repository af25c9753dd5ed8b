//! Passes facts about the build to the library: compiler, versions of the runtimes, commit. Reports show them, because
//! figures depend on them. A fact that can't be found out is left out.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The packages that the backends are built on.
const RUNTIMES: [&str; 7] = ["async-std", "async-io", "io-uring", "polling", "rayon", "smol", "tokio"];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let compiler = env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    set("ANYLOOP_COMPILER", output(&compiler, &["--version"]));
    set("ANYLOOP_RUNTIMES", lock_file().and_then(|file| runtimes(&file)));
    // Figures of a debug build are not used, and to look for the commit would rebuild this crate after each commit.
    if env::var("PROFILE").is_ok_and(|profile| profile == "release") {
        set("ANYLOOP_COMMIT", commit());
    }
}

fn set(variable: &str, value: Option<String>) {
    if let Some(value) = value.filter(|value| !value.is_empty()) {
        println!("cargo::rustc-env={variable}={value}");
    }
}

/// The standard output of a program, trimmed; `None` if it failed.
fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The lock file of the workspace that is being built. It is looked for above the output folder first, because that
/// workspace may be another one than this crate's.
fn lock_file() -> Option<PathBuf> {
    let folders = ["OUT_DIR", "CARGO_MANIFEST_DIR"].into_iter().filter_map(env::var_os).map(PathBuf::from);
    let locks = folders
        .flat_map(|folder| folder.ancestors().map(|folder| folder.join("Cargo.lock")).collect::<Vec<_>>());
    locks.into_iter().find(|lock| lock.is_file())
}

/// The versions of the runtimes in the lock file: `smol 2.0.2, tokio 1.54.0`.
fn runtimes(lock: &Path) -> Option<String> {
    println!("cargo::rerun-if-changed={}", lock.display());
    let text = fs::read_to_string(lock).ok()?;
    let value = |line: &str, key: &str| {
        Some(line.strip_prefix(key)?.strip_prefix(" = \"")?.strip_suffix('"')?.to_owned())
    };
    let mut found = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(name) = value(line, "name").filter(|name| RUNTIMES.contains(&name.as_str()))
            && let Some(version) = lines.next().and_then(|line| value(line, "version"))
        {
            found.push(format!("{name} {version}"));
        }
    }
    Some(found.join(", "))
}

/// The commit, and whether the work tree has changes that are not committed.
fn commit() -> Option<String> {
    let root = output("git", &["rev-parse", "--show-toplevel"])?;
    let folder = output("git", &["rev-parse", "--absolute-git-dir"])?;
    // A change of any file changes the answer, also in crates that this one doesn't depend on.
    let files = output("git", &["-C", &root, "ls-files"])?;
    let mut tops: Vec<&str> = files.lines().filter_map(|file| file.split('/').next()).collect();
    tops.dedup();
    for top in tops {
        println!("cargo::rerun-if-changed={root}/{top}");
    }
    println!("cargo::rerun-if-changed={folder}/HEAD");
    println!("cargo::rerun-if-changed={folder}/logs/HEAD");
    let commit = output("git", &["rev-parse", "--short=12", "HEAD"])?;
    let changes = output("git", &["-C", &root, "status", "--porcelain"])?;
    Some(if changes.is_empty() { commit } else { format!("{commit}, with changes that are not committed") })
}
