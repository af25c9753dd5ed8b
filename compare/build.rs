//! Tells the library what it is built from: reports say so, because numbers depend on it. Of what can't be found out,
//! nothing is said.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the backends stand on.
const RUNTIMES: [&str; 7] = ["async-std", "async-io", "io-uring", "polling", "rayon", "smol", "tokio"];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let compiler = env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    tell("ANYLOOP_COMPILER", output(&compiler, &["--version"]));
    tell("ANYLOOP_RUNTIMES", lock_file().and_then(|file| runtimes(&file)));
    // Elsewhere the numbers say nothing, and whoever works on a backend would wait for this crate each time.
    if env::var("PROFILE").is_ok_and(|profile| profile == "release") {
        tell("ANYLOOP_COMMIT", commit());
    }
}

fn tell(variable: &str, value: Option<String>) {
    if let Some(value) = value.filter(|value| !value.is_empty()) {
        println!("cargo::rustc-env={variable}={value}");
    }
}

/// What a program says in one line.
fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The lock file of the workspace that is built, which is above the folder for what is built, and may be another than
/// this crate's own.
fn lock_file() -> Option<PathBuf> {
    let folders = ["OUT_DIR", "CARGO_MANIFEST_DIR"].into_iter().filter_map(env::var_os).map(PathBuf::from);
    let locks = folders
        .flat_map(|folder| folder.ancestors().map(|folder| folder.join("Cargo.lock")).collect::<Vec<_>>());
    locks.into_iter().find(|lock| lock.is_file())
}

/// The versions of the runtimes, as the lock file has them: `smol 2.0.2, tokio 1.54.0`.
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

/// The commit, and whether there are changes that are in none.
fn commit() -> Option<String> {
    let root = output("git", &["rev-parse", "--show-toplevel"])?;
    let folder = output("git", &["rev-parse", "--absolute-git-dir"])?;
    // Whatever is changed, here or in what this crate doesn't see, may make the difference.
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
