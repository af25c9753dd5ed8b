//! Runs the experiments of `docs/learn`, and compares the faults that they show with those of the page.

#[path = "pages/page.rs"]
mod page;

use std::path::Path;
use std::process::Command;

use self::page::{ENGLISH, steps};

/// The exit code of a step that this machine can't show.
const SKIPPED: i32 = 77;

/// Runs the experiment of a step with the programs that the tests have built.
#[track_caller]
fn check(number: u32) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let built = Path::new(env!("CARGO_BIN_EXE_learn")).parent().expect("it is in a folder");
    let mut lesson = Command::new(root.join("docs/learn/lesson.sh"));
    let output = lesson.args([&number.to_string(), "en"]).env("LESSON_BIN", built).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(SKIPPED) && std::env::var_os("CI").is_none_or(|ci| ci.is_empty()) {
        eprintln!("step {number} is skipped: {said}");
        return;
    }
    assert!(output.status.success(), "{said}{errors}");
    let seen = said.lines().last().and_then(|line| line.strip_prefix("Faults seen: ")).unwrap_or_default();
    let steps = steps(ENGLISH);
    let step = steps.iter().find(|step| step.number == number).expect("the page has the step");
    assert_eq!(seen.split(", ").collect::<Vec<_>>(), step.faults(), "{said}");
}

#[test]
fn step_1() {
    check(1);
}

#[test]
fn step_2() {
    check(2);
}

#[test]
fn step_3() {
    check(3);
}

#[test]
fn step_4() {
    check(4);
}

#[test]
fn step_5() {
    check(5);
}

#[test]
fn step_6() {
    check(6);
}

#[test]
fn step_7() {
    check(7);
}

#[test]
fn step_8() {
    check(8);
}

#[test]
fn step_9() {
    check(9);
}

#[test]
fn step_10() {
    check(10);
}

#[test]
#[ignore = "it builds the simulation with its defects: run by `.ci/run` as `docs/learn/lesson.sh 11`"]
fn step_11() {
    check(11);
}

#[test]
fn step_12() {
    check(12);
}
