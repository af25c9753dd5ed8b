//! Runs the experiments of `docs/learn`, and compares the faults that they show with those of the page.

#[path = "pages/page.rs"]
mod page;

use std::path::Path;
use std::process::{Command, Output};

use self::page::{ENGLISH, steps};

/// Whether this machine can't show it, as the exit code says. In CI that is a failure.
#[expect(clippy::print_stderr, reason = "a message of a test")]
fn is_skipped(output: &Output) -> bool {
    let is_skipped = output.status.code() == Some(77);
    let in_ci = std::env::var_os("CI").is_some_and(|ci| !ci.is_empty());
    if is_skipped {
        eprintln!(
            "skipped: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    is_skipped && !in_ci
}

/// Runs the experiment of a step with the programs that the tests have built.
#[track_caller]
fn check(number: u32) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let built = Path::new(env!("CARGO_BIN_EXE_learn")).parent().expect("it is in a folder");
    let mut lesson = Command::new(root.join("docs/learn/lesson.sh"));
    let output = lesson.args([&number.to_string(), "en"]).env("LESSON_BIN", built).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    if is_skipped(&output) {
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

#[test]
fn system_calls_are_counted() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let built = Path::new(env!("CARGO_BIN_EXE_learn")).parent().expect("it is in a folder");
    let mut script = Command::new(root.join("docs/learn/system-calls.sh"));
    let output = script.arg("50").env("LESSON_BIN", built).output().expect("it runs");
    if is_skipped(&output) {
        return;
    }
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    let row = |name: &str| {
        said.lines().find(|line| line.starts_with(name)).map(|line| line.split_whitespace().skip(1))
    };
    let calls: Vec<u32> =
        row("recvfrom ").expect(&errors).map(|calls| calls.parse().expect("a number")).collect();
    // On uring a message needs no call of its own, so that there the cell may be empty.
    assert!(calls.len() >= 6 && calls[..6].iter().all(|&calls| calls >= 50), "{said}");
    assert!(row("all ").is_some_and(|calls| calls.count() == 7), "{said}");
}

#[test]
fn wrong_usage_is_explained() {
    for (script, arguments, said) in [
        ("lesson.sh", &["13"][..], "where N is a step from 1 to 12"),
        ("lesson.sh", &["1", "fr"], "where N is a step from 1 to 12"),
        ("system-calls.sh", &["many"], "where MESSAGES is a number above zero"),
        ("system-calls.sh", &["0"], "where MESSAGES is a number above zero"),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/learn").join(script);
        let output = Command::new(path).args(arguments).output().expect("it runs");
        let errors = String::from_utf8_lossy(&output.stderr);
        if output.status.code() == Some(77) {
            continue; // strace is missing, which is said first
        }
        assert!(output.status.code() == Some(2) && errors.contains(said), "{script} {arguments:?}: {errors}");
    }
}
