//! The first programs of the README and of the guide compile, pass their tests and serve as they stand, in a new crate.

use std::path::Path;
use std::process::Command;
use std::{env, fs};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// The first block of code on this page that begins like this.
fn block(page: &str, begin: &str) -> String {
    let page = fs::read_to_string(Path::new(ROOT).join(page)).expect("a page");
    let (_, rest) = page.split_once(begin).expect("the page has it");
    rest.split("```").next().expect("a block").to_owned()
}

/// Runs the commands of the page in a folder beside the workspace, with its program and an additional test, and then the tests.
fn check(page: &str, test: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    std::os::unix::fs::symlink(fs::canonicalize(ROOT).expect("a path"), folder.path().join("anyloop"))
        .expect("a link");
    let commands = block(page, "```sh long\ncargo new").replace("--path", "--offline --path");
    let program = block(page, "```rust,no_run\n") + test;
    fs::write(folder.path().join("main.rs"), program).expect("a file");
    let lines = format!(
        "cargo new {commands}cp ../main.rs src/main.rs\ncp ../anyloop/Cargo.lock .\ncargo test --offline\n"
    );
    let mut shell = Command::new("bash");
    shell.args(["-euc", &lines]).current_dir(folder.path());
    shell.env("CARGO_TARGET_DIR", Path::new(ROOT).join("target/new"));
    let output = shell.output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
#[ignore = "takes a minute: run by `.ci/full`, or with `--include-ignored`"]
fn the_readme_program_serves() {
    let test = "#[test]\nfn it_shouts() {\n".to_owned() + &block("README.md", "```rust,ignore\n") + "}\n";
    check("README.md", &test);
}

#[test]
#[ignore = "takes two minutes: run by `.ci/full`, or with `--include-ignored`"]
fn the_guide_program_serves() {
    check("docs/write-a-handler.md", "");
}
