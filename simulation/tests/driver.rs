//! The command: its flags, and what it says of a run that fails.
#![allow(clippy::unwrap_used, reason = "these are tests, their helpers too")]

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A new folder to run the command in.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("driver").join(name);
    let _ = fs::remove_dir_all(&folder); // of an earlier run
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_anyloop-simulation"));
    command.current_dir(folder).args(arguments);
    command
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    command(folder, arguments).output().unwrap()
}

/// The exit code of a run whose standard output nobody reads.
fn code_unread(folder: &Path, arguments: &[&str]) -> Option<i32> {
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    command(folder, arguments).stdout(writer).stderr(Stdio::null()).status().unwrap().code()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_trace_begins_with_the_seed_the_commit_and_the_options() {
    let folder = folder("trace");
    let output = run(&folder, &["--seed", "7", "--trace"]);
    let printed = text(&output.stdout);
    assert!(output.status.success() && printed.starts_with("seed 7, commit "), "{output:?}");
    assert!(printed.lines().nth(1).unwrap().starts_with("driving "), "{printed}");
    assert!(printed.contains("\nno more faults from "), "{printed}");
}

#[test]
fn the_steps_of_a_trace_are_in_words() {
    let output = run(&folder("words"), &["--count", "100", "--trace"]);
    let printed = text(&output.stdout);
    let steps: Vec<_> =
        printed.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_digit())).collect();
    let said = |words: &str| steps.iter().filter(|line| line.contains(words)).count();
    for word in ["Some(", "None", "HalfClose", "Part", " 1 bytes", " 1 messages"] {
        assert_eq!(said(word), 0, "{word}: {}", steps.iter().find(|line| line.contains(word)).unwrap());
    }
    for words in [
        "maintenance runs, and next in ",
        "maintenance runs, and not again",
        " ends its output",
        " closes its socket",
        " resets the connection",
        " messages and a part of one",
        " 1 byte of client 1 arrives",
        " 1 byte is delivered to client 0",
        " reads 1 byte: ",
        ": 1 message in whole",
    ] {
        assert!(said(words) > 0, "{words}");
    }
    let ends =
        printed.lines().filter(|line| line.starts_with("no more faults from ") && line.ends_with("s on"));
    assert_eq!(ends.count(), 100);
}

#[test]
fn the_comments_of_a_tape_are_no_part_of_it() {
    let folder = folder("comments");
    for (name, text) in [("bare", "00ff 17\n20"), ("told", "# seed 1, commit 12\n# cafe\n00ff17\n# 99\n20")] {
        fs::write(folder.join(name).with_extension("tape"), text).unwrap();
    }
    let traces = ["bare.tape", "told.tape"].map(|file| {
        let output = run(&folder, &["--tape", file, "--trace"]);
        assert!(output.status.success(), "{output:?}");
        text(&output.stdout).lines().skip(1).map(str::to_owned).collect::<Vec<_>>()
    });
    assert!(traces[0].len() > 20 && traces[0] == traces[1], "{traces:#?}");
}

#[test]
fn flags_that_would_do_nothing_are_refused() {
    let folder = folder("flags");
    fs::write(folder.join("a.tape"), "00").unwrap();
    for (arguments, said) in [
        (&["--shrink"][..], "--tape <FILE>"),
        (&["--tape", "a.tape", "--shrink", "--trace"], "cannot be used with '--trace'"),
        (&["--tape", "a.tape", "--marks"], "cannot be used with '--marks'"),
        (&["--tape", "a.tape", "--seed", "1"], "cannot be used with '--seed <N>'"),
    ] {
        let output = run(&folder, arguments);
        let printed = text(&output.stderr);
        assert!(output.status.code() == Some(2) && printed.contains(said), "{arguments:?}: {printed}");
    }
    assert!(run(&folder, &["--tape", "a.tape", "--shrink"]).status.success());
}

/// Checks that these arguments are refused as wrong usage, with an error that contains this text.
fn refused(folder: &Path, arguments: &[&str], said: &str) {
    let output = run(folder, arguments);
    let printed = text(&output.stderr);
    assert!(output.status.code() == Some(2) && printed.contains(said), "{arguments:?}: {output:?}");
    assert!(printed.starts_with("error: ") && output.stdout.is_empty(), "{arguments:?}: {output:?}");
}

#[test]
fn a_file_that_is_no_tape_is_refused() {
    let folder = folder("tapes");
    for (name, content, said) in [
        ("empty.tape", &b""[..], "empty.tape: it has no bytes; give a file that a failed run has written"),
        ("cut.tape", b"# seed 1\n00ff\n0", "cut.tape: line 3: the tape ends within a byte"),
        ("sign.tape", b"00\n+f", "sign.tape: line 2: `+` is no hexadecimal digit"),
        ("latin.tape", b"00\n\xe9", "latin.tape: line 2: `\u{fffd}` is no hexadecimal digit"),
    ] {
        fs::write(folder.join(name), content).unwrap();
        refused(&folder, &["--tape", name], said);
    }
    refused(&folder, &["--tape", "/dev/null"], "/dev/null: it has no bytes");
    refused(&folder, &["--tape", "/dev/zero"], "/dev/zero: it is longer than 1024 KiB, and so it is no tape");
    refused(&folder, &["--tape", "missing.tape"], "missing.tape: No such file");
}

#[test]
fn a_tape_that_passes_is_counted() {
    let folder = folder("passes");
    fs::write(folder.join("a.tape"), "00ff17").unwrap();
    let output = run(&folder, &["--tape", "a.tape"]);
    assert!(output.status.success() && output.stdout.is_empty(), "{output:?}");
    assert!(text(&output.stderr).starts_with("0 of 1 tapes failed; "), "{output:?}");
}

#[test]
fn numbers_with_which_nothing_would_run_are_refused() {
    let folder = folder("numbers");
    for flag in ["--count", "--seconds"] {
        refused(&folder, &[flag, "0"], &format!("'0' for '{flag} <N>': nothing would run; write 1 or more"));
        refused(&folder, &[flag, "-1"], "");
    }
    let last = &u64::MAX.to_string();
    refused(&folder, &["--seed", last, "--count", "2"], &format!("--count 2: the last seed is {last}"));
    for flags in [&[][..], &["--count", "1"], &["--seconds", last]] {
        let output = run(&folder, &[&["--seed", last][..], flags].concat());
        assert!(output.status.success(), "{output:?}");
        assert!(text(&output.stderr).starts_with("0 of 1 seeds failed; "), "{output:?}");
    }
}

#[test]
fn the_exit_code_is_the_same_if_nobody_reads() {
    let folder = folder("unread");
    assert_eq!(code_unread(&folder, &["--trace"]), Some(0));
    assert_eq!(code_unread(&folder, &["--marks"]), Some(1), "one seed does not reach all of them");
}

#[test]
fn marks_that_are_missing_are_the_last_that_is_said() {
    let output = run(&folder("marks"), &["--count", "300", "--marks"]);
    let (table, said) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(table.lines().count() < 70 && table.contains("\nmissing: "), "{table}");
    let [summary, fault] = said.lines().collect::<Vec<_>>()[..] else { panic!("{said}") };
    assert!(summary.starts_with("0 of 300 seeds failed; "), "{said}");
    assert!(fault.starts_with("error: --marks misses ") && fault.ends_with(" seeds reach all"), "{said}");
}

#[test]
fn the_help_explains_the_exit_codes_and_the_summary() {
    let folder = folder("help");
    let help = text(&run(&folder, &["--help"]).stdout);
    for code in ["0    nothing was violated", "1    something was, ", "2    wrong usage"] {
        assert!(help.contains(code), "{code}: {help}");
    }
    let summary = text(&run(&folder, &["--count", "2"]).stderr);
    for count in ["steps", "messages", "sockets that did not linger", "virtual hours"] {
        assert!(help.contains(&format!("\n  {count} ")) && summary.contains(&format!(" {count}")), "{count}");
    }
}

/// Runs with a defect, in a build that contains those on purpose: with `--cfg anyloop_canaries`.
#[cfg(anyloop_canaries)]
mod failures {
    use super::*;

    /// The lines that a run prints which fails.
    fn failing(folder: &Path, arguments: &[&str]) -> Vec<String> {
        let output = run(folder, arguments);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        text(&output.stdout).lines().map(str::to_owned).collect()
    }

    /// Runs seeds with a defect. Checks what is printed of the first, and replays its tape. Returns the violation.
    fn check(defect: &str, name: &str, count: &str) -> String {
        let folder = folder(name);
        let lines = failing(&folder, &["--canary", defect, "--count", count]);
        let seed = lines[0].split_once(", commit ").unwrap().0;
        let violation = lines.iter().find_map(|line| line.strip_prefix(&format!("{seed}: "))).unwrap();
        assert!(lines[1].starts_with("driving ") && lines[3].starts_with("preambles "), "{lines:#?}");
        let file = format!("{}.tape", seed.replace(' ', "-"));
        let replay = format!("replay it with --tape {file} --trace");
        assert!(lines.contains(&replay), "{lines:#?}");
        // The file says the same of what it replays.
        let tape = fs::read_to_string(folder.join(&file)).unwrap();
        let comments: Vec<_> = tape.lines().filter_map(|line| line.strip_prefix("# ")).collect();
        let replayed = failing(&folder, &["--canary", defect, "--tape", &file, "--trace"]);
        let name = replayed[0].split_once(", commit ").unwrap().0;
        let told = replayed.iter().find_map(|line| line.strip_prefix(&format!("{name}: "))).unwrap();
        assert_eq!(*comments.last().unwrap(), told, "{tape}");
        assert_eq!(comments[1..comments.len() - 1], replayed[1..comments.len() - 1], "{tape}");
        assert_eq!(comments[0], lines[0]);
        assert!(replayed.iter().any(|line| line.starts_with("0ns ")), "there is a trace: {replayed:#?}");
        violation.to_owned()
    }

    #[test]
    fn a_violation_is_shrunk_and_its_tape_tells_what_it_replays() {
        check("never calls `closed`", "violation", "3");
    }

    #[test]
    fn the_tape_of_a_failure_is_shrunk_if_that_is_asked_for() {
        let folder = folder("shrink");
        fs::write(folder.join("a.tape"), "0001020304050607".repeat(20)).unwrap();
        let defect = ["--canary", "panics in a step", "--tape", "a.tape"];
        let is_shrunk = |flags: &[&str]| {
            let lines = failing(&folder, &[&defect[..], flags].concat());
            lines.iter().any(|line| line.starts_with("shrunk from 160 to 1 byte: a panic at "))
        };
        assert!(is_shrunk(&["--shrink"]) && folder.join("tape-a.tape").exists());
        failing(&folder, &[&defect[..2], &["--tape", "tape-a.tape"]].concat());
        assert!(!is_shrunk(&[]) && !is_shrunk(&["--trace"]));
    }

    #[test]
    fn a_panic_is_a_violation() {
        let violation = check("panics in a step", "panic", "1");
        assert!(violation.starts_with("a panic at simulation/src/steps.rs:"), "{violation}");
        assert!(!violation.ends_with("with 1 clients"), "the run that is shrunk has fewer: {violation}");
    }

    #[test]
    fn a_panic_that_the_server_catches_is_a_violation() {
        let violation = check("panics in a session", "caught", "3");
        assert!(violation.ends_with(": not on purpose"), "{violation}");
    }

    #[test]
    fn a_defect_that_there_is_none_of_is_refused() {
        let folder = folder("defect");
        for flags in [&[][..], &["--canaries"]] {
            refused(&folder, &[&["--canary", "is right"], flags].concat(), "there is no such defect");
        }
    }

    #[test]
    fn a_violation_is_told_by_the_exit_code_if_nobody_reads() {
        let folder = folder("unread-violation");
        let defect = ["--canary", "panics in a step"];
        for flags in [&["--trace"][..], &["--count", "2"]] {
            assert_eq!(code_unread(&folder, &[&defect[..], flags].concat()), Some(1), "{flags:?}");
        }
        assert!(folder.join("seed-1.tape").exists(), "its tape is written all the same");
    }

    #[test]
    fn a_run_that_hangs_is_named() {
        let violation = check("never ends a step", "hang", "1");
        assert!(violation.starts_with("a step takes more than "), "{violation}");
    }
}
