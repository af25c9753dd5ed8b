//! What the build script says of the commit, in repositories that the tests make.
#![allow(clippy::unwrap_used, reason = "these are tests, their helpers too")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use self::build::{Commit, commit};

#[allow(dead_code, clippy::print_stdout, reason = "its `main` speaks to cargo, and is not called")]
#[path = "../build.rs"]
mod build;

/// A new folder, which lies in the output folder of the workspace.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder); // of an earlier run
    fs::create_dir_all(folder.join("package/src")).unwrap();
    fs::write(folder.join("package/Cargo.toml"), "# a package").unwrap();
    fs::write(folder.join("package/src/lib.rs"), "// a library").unwrap();
    folder
}

/// Runs git with a configuration of its own, and returns what it prints.
fn git(folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    let identity = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org"];
    let output = command.arg("-C").arg(folder).args(identity).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn commit_all(folder: &Path) -> String {
    git(folder, &["add", "--all"]);
    git(folder, &["commit", "--quiet", "--message=A change"]);
    git(folder, &["rev-parse", "--short=12", "HEAD"])
}

/// The commit of the package in a folder.
fn built(folder: &Path) -> Commit {
    commit(&folder.join("package")).unwrap()
}

/// Whether the build script runs again after this change.
fn runs_again(commit: &Commit, change: impl FnOnce()) -> bool {
    let files = || {
        let existing = commit.depends_on.iter().filter(|path| path.exists());
        existing.map(|path| fs::read(path).unwrap_or_default()).collect::<Vec<_>>()
    };
    let before = files();
    change();
    before != files()
}

#[test]
fn the_commit_has_its_name_and_says_whether_it_was_changed() {
    let folder = folder("commit");
    git(&folder, &["init", "--quiet"]);
    let first = commit_all(&folder);
    assert_eq!(built(&folder).name, first);
    fs::write(folder.join("notes"), "of no source").unwrap();
    assert_eq!(built(&folder).name, first);
    fs::write(folder.join("package/Cargo.toml"), "# another package").unwrap();
    assert_eq!(built(&folder).name, format!("{first}-dirty"));
    let before = built(&folder);
    let mut second = String::new();
    assert!(runs_again(&before, || second = commit_all(&folder)), "{before:?}");
    assert_eq!(built(&folder).name, second);
    assert_ne!(first, second);
    assert!(!runs_again(&built(&folder), || {}));
}

#[test]
fn a_commit_in_a_linked_work_tree_is_noticed_with_a_log_and_without() {
    for (name, logs) in [("linked", "true"), ("linked-without-logs", "false")] {
        let folder = folder(name);
        git(&folder, &["init", "--quiet"]);
        git(&folder, &["config", "core.logAllRefUpdates", logs]);
        commit_all(&folder);
        git(&folder, &["worktree", "add", "--quiet", "-b", "other", "linked"]);
        let linked = folder.join("linked");
        let before = built(&linked);
        fs::write(linked.join("package/added"), "").unwrap();
        let mut second = String::new();
        assert!(runs_again(&before, || second = commit_all(&linked)), "{name}: {before:?}");
        assert_eq!(built(&linked).name, second);
        assert_eq!(built(&folder).name, before.name);
    }
}

#[test]
fn a_package_in_the_repository_of_another_project_has_no_commit() {
    // The output folder is ignored by the repository of the workspace, if there is one.
    let folder = folder("package");
    assert!(commit(&folder.join("package")).is_none());
    git(&folder, &["init", "--quiet"]);
    git(&folder, &["commit", "--quiet", "--allow-empty", "--message=Nothing"]);
    assert!(commit(&folder.join("package")).is_none());
}
