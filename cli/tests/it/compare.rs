//! `anyloop compare` with real servers, as short as it can be.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::process::{Ended, anyloop, run};
use crate::server::backends;

/// A folder for this test alone.
fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{name}", std::process::id()))
}

fn compare(folder: &Path, flags: &str) -> Ended {
    run(&mut command(folder, flags), "")
}

fn command(folder: &Path, flags: &str) -> Command {
    let mut arguments = vec!["compare", "--quick", "--rounds", "1", "--output", folder.to_str().unwrap()];
    arguments.extend(flags.split_whitespace());
    anyloop(&arguments)
}

fn report(folder: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(folder.join("report.json")).unwrap()).unwrap()
}

#[test]
fn reports_name_all_servers_and_are_read_back() {
    let first = folder("first");
    let ended = compare(&first, "--backends threads,sequential --connections 4 --depth 2");
    // What the verdict is, and whether it is too noisy for one, is the machine's affair.
    assert!(matches!(ended.code, Some(0 | 3)), "{ended:?}");
    assert!(ended.stderr.contains("rounds; 0:"), "{ended:?}");
    let report = report(&first);
    let names: Vec<_> = report["subjects"]
        .as_array()
        .unwrap()
        .iter()
        .map(|subject| subject["name"].as_str().unwrap())
        .collect();
    assert_eq!(names.iter().filter(|name| **name == "threads").count(), 1, "{names:?}");
    assert!(names.contains(&"sequential") && names.len() == 3, "two, and a control: {names:?}");
    assert!(!report["samples"].as_array().unwrap().is_empty());
    for file in ["report.html", "report.md"] {
        let text = fs::read_to_string(first.join(file)).unwrap();
        assert!(text.contains("threads") && text.contains("sequential"), "{file}");
        assert!(!text.contains("http://") || file == "report.html", "{file} needs no network");
    }
    // Against itself nothing has changed.
    let baseline = first.join("report.json");
    let flags =
        format!("--backends threads,sequential --connections 4 --depth 2 --baseline {}", baseline.display());
    let ended = compare(&folder("second"), &flags);
    assert!(ended.stdout.contains("Since the baseline"), "{ended:?}");
    // The offered rate is the baseline's, so that the loads are the same.
    let second = self::report(&folder("second"));
    assert_eq!(second["shapes"], report["shapes"]);
}

#[test]
fn another_framing_is_compared_and_reported() {
    let folder = folder("framing");
    let flags = "--backends threads,smol --connections 2 --depth 2 --handler counter --framing length";
    // Its servers say what the locale has them say, and that is what is expected of them.
    let ended = run(command(&folder, flags).env("LC_ALL", "C"), "");
    assert!(matches!(ended.code, Some(0 | 3)), "{ended:?}");
    assert_eq!(report(&folder)["conditions"]["handler"], "counter in length");
}

#[test]
fn a_handler_is_compared_in_two_variants() {
    let folder = folder("variants");
    let variants = ["--variant", "--work block:1ms", "--variant", "--work wait:1ms"];
    let flags = "--backends smol --handler work --connections 2 --depth 2";
    let ended = run(command(&folder, flags).args(variants), "");
    assert!(matches!(ended.code, Some(0 | 3)), "{ended:?}");
    let report = report(&folder);
    let subject = |index: usize| {
        let of_it = |field: &str| report["subjects"][index][field].as_str().unwrap().to_owned();
        (of_it("name"), of_it("handler_runs"))
    };
    let pool = "blocking pool of 512".to_owned();
    assert_eq!(subject(0), ("smol (--work block:1ms)".to_owned(), pool));
    assert_eq!(subject(2), ("smol (--work wait:1ms)".to_owned(), "worker".to_owned()));
    assert_eq!(report["samples"].as_array().unwrap().len(), 3 * 2, "two, and a control");
}

#[test]
fn backends_are_compared_with_handwritten_servers() {
    let folder = folder("by-hand");
    let ended = compare(&folder, "--backends smol --with-handwritten");
    assert!(matches!(ended.code, Some(0 | 3)), "{ended:?}");
    assert!(ended.stderr.contains("5 servers, 4 loads, 1 rounds"), "{ended:?}");
    let report = report(&folder);
    let list = |of: &str, name: &str| -> Vec<String> {
        let list = report[of].as_array().unwrap().iter();
        list.map(|one| one[name].as_str().unwrap().to_owned()).collect()
    };
    let subjects = ["smol", "smol (again)", "poll-raw", "smol-plain", "smol-careful"];
    assert_eq!(list("subjects", "name"), subjects);
    assert_eq!(list("shapes", "name")[..3], ["64 × 16", "64 × 1", "500 × 1"]);
    assert!(report["shapes"][3]["rate"].as_f64().is_some_and(|rate| rate > 0.0), "{report}");
    assert_eq!(report["samples"].as_array().unwrap().len(), 20);
    let title = "Server CPU per message, compared with handwritten servers";
    for text in [
        &ended.stdout,
        &fs::read_to_string(folder.join("report.html")).unwrap(),
        &fs::read_to_string(folder.join("report.md")).unwrap(),
    ] {
        assert!(text.contains(title) && text.contains("mean of the closed loops"), "{text}");
        assert!(text.contains("compared with the careful server on the same runtime"), "{text}");
        assert!(text.contains("smol-careful"), "{text}");
    }
}

#[test]
fn wrong_usage_is_explained() {
    for (flags, expected) in [
        ("--backends smol,smol", "two servers are named smol; give each a different name"),
        ("--backends tornado", &format!("not one of: {}", backends().collect::<Vec<_>>().join(", "))),
        ("--handler chat", "not one of: counter, ack, echo, work"),
        ("--framing raw", "not one of: line, length, resp, http"),
        ("--work cpu:50us", "--work belongs to --handler work"),
        ("--full", "cannot be used with"),
        ("--connections 0", "`0` is not a count from 1 to 1000000"),
        ("--message-size fixed:1", "choose sizes from 2 to 1048576"),
        ("--connections 900000", "open files"),
        ("--rate fast", "`fast` is not a rate"),
        ("--slo soon", "write one such as p99=5ms"),
        ("--baseline /nowhere.json", "/nowhere.json can't be read"),
        ("--baseline /dev/null", "it is not a report.json of `compare`"),
        ("--force", "--baseline"),
        ("--with-handwritten --handler counter", "this is counter in line"),
        ("--with-handwritten --framing length", "this is echo in length"),
        ("--with-handwritten --connections 5", "cannot be used with"),
        ("--with-handwritten --variant=--workers=1", "cannot be used with"),
        ("--variant=--workers", "--variant `--workers`: "),
        ("--variant=--workers=1 --variant=--workers=1", "two servers are named"),
        ("--tls --server own={port}", "the command of own doesn't say where the certificate belongs"),
        ("--with-handwritten --backends sequential", "none of the chosen backends can hold"),
    ] {
        let ended = compare(&folder("none"), flags);
        assert!(ended.code == Some(2) && ended.stderr.contains(expected), "{flags}: {ended:?}");
    }
    // The last --rounds would be a second one.
    let ended = run(&mut anyloop(&["compare", "--rounds", "0"]), "");
    assert!(ended.code == Some(2) && ended.stderr.contains("`0` is not a count from 1 to 500"));
}
