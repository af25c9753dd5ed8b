//! `anyloop report` and `anyloop diff`: what is made of a report.json.

use std::fs;
use std::path::{Path, PathBuf};

use compare::report::to_json;
use compare::{Comparison, Conditions, Sample, Shape, Subject};

use crate::process::{Ended, anyloop, run};

/// A folder for one test, empty.
fn folder(name: &str) -> PathBuf {
    let folder =
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-stored-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&folder); // it is there only if a test before had the same number
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// A comparison in which smol, twice, and tokio took these times per message, in this number of rounds. The rounds
/// differ by a thousandth.
fn comparison(smol: f64, tokio: f64, rounds: usize) -> Comparison {
    let subject = |name: &str| Subject { name: name.to_owned(), ..Subject::default() };
    let again = Subject { control_of: Some("smol".to_owned()), ..subject("smol (again)") };
    let sample = |round: usize| {
        let cost = [smol, smol, tokio].map(|cost| cost * (1.0 + (round % 3) as f64 / 1000.0));
        (0..3).map(move |subject| {
            let latency = vec![(50.0, 100.0), (99.0, 900.0)];
            let cpu_user = cost[subject] * (1.0 + (round + subject) as f64 / 10_000.0);
            Sample { round, subject, cpu_user, rate: 1e4, replies: 1000, latency, ..Sample::default() }
        })
    };
    Comparison {
        conditions: Conditions {
            handler: "echo".to_owned(),
            rounds,
            machine: vec![("CPU".to_owned(), "one".to_owned())],
            ..Conditions::default()
        },
        subjects: vec![subject("smol"), again, subject("tokio")],
        shapes: vec![Shape {
            name: "64 × 1 at 10k/s".to_owned(),
            connections: 64,
            depth: 1,
            rate: Some(1e4),
            ..Shape::default()
        }],
        samples: (0..rounds).flat_map(sample).collect(),
        ..Comparison::default()
    }
}

fn store(folder: &Path, name: &str, comparison: &Comparison) -> String {
    let file = folder.join(name);
    fs::write(&file, to_json(comparison).unwrap()).unwrap();
    file.to_str().unwrap().to_owned()
}

fn command(arguments: &[&str]) -> Ended {
    run(&mut anyloop(arguments), "")
}

#[test]
fn a_report_is_rendered_again_and_the_file_left_as_it_is() {
    let here = folder("render");
    let file = store(&here, "before.json", &comparison(10.0, 20.0, 13));
    let content = fs::read(&file).unwrap();
    let ended = command(&["report", &file]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
    assert!(ended.stdout.contains("smol") && ended.stdout.contains("tokio"), "{ended:?}");
    for form in ["html", "md"] {
        let written = here.join(format!("before.{form}"));
        assert!(fs::read_to_string(&written).unwrap().contains("tokio"));
        assert!(ended.stdout.contains(&format!("wrote {}", written.display())), "{ended:?}");
    }
    assert_eq!(fs::read(&file).unwrap(), content);
    assert_eq!(fs::read_dir(&here).unwrap().count(), 3, "nothing else is written");
    let details = command(&["report", &file, "--verbose"]).stdout;
    assert!(details.len() > ended.stdout.len() && details.contains("CPU: one"), "{details}");
    let elsewhere = here.join("else/where");
    let ended = command(&["report", &file, "-o", elsewhere.to_str().unwrap(), "--format", "json"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(elsewhere.join("before.html").exists() && elsewhere.join("before.md").exists());
    let json: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(json["subjects"][2]["name"], "tokio");
}

#[test]
fn a_report_has_colours_on_request() {
    let file = store(&folder("color"), "report.json", &comparison(10.0, 20.0, 13));
    let has_colours = |command: &mut std::process::Command| run(command, "").stdout.contains("\x1b[");
    for (arguments, variables, expected) in [
        (&[][..], &[][..], false), // a pipe
        (&["--color", "always"], &[], true),
        (&["--color", "never"], &[("CLICOLOR_FORCE", "1")], false),
        (&["--color", "always"], &[("NO_COLOR", "1")], true),
        (&[], &[("CLICOLOR_FORCE", "1")], true),
        (&[], &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false),
        (&["--color", "auto"], &[], false),
    ] {
        let mut command = anyloop(&["report", &file]);
        command.env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
        command.args(arguments).envs(variables.iter().copied());
        assert_eq!(has_colours(&mut command), expected, "{arguments:?} {variables:?}");
    }
    let mut help = anyloop(&["load", "--help", "--color", "always"]);
    assert!(has_colours(&mut help), "the help, too");
}

#[test]
fn a_diff_reports_regressions_in_text_and_exit_code() {
    let here = folder("diff");
    let before = store(&here, "before.json", &comparison(10.0, 20.0, 13));
    for (name, comparison, code, told) in [
        ("same", comparison(10.0, 20.0, 13), 0, "No change was detected"),
        ("better", comparison(10.0, 15.0, 13), 0, "15 us  better 0.75x"),
        ("worse", comparison(10.0, 30.0, 13), 6, "WORSE 1.50x"),
        ("few", comparison(10.0, 20.0, 2), 3, "too few rounds"),
    ] {
        let after = store(&here, &format!("{name}.json"), &comparison);
        let ended = command(&["diff", &before, &after]);
        assert_eq!(ended.code, Some(code), "{name}: {ended:?}");
        assert!(ended.stdout.contains(told), "{name}: {ended:?}");
    }
    let mut elsewhere = comparison(10.0, 20.0, 13);
    elsewhere.conditions.machine[0].1 = "another".to_owned();
    let elsewhere = store(&here, "elsewhere.json", &elsewhere);
    let ended = command(&["diff", &before, &elsewhere]);
    assert!(ended.code == Some(2) && ended.stderr.contains("add --force"), "{ended:?}");
    assert_eq!(command(&["diff", "--force", &before, &elsewhere]).code, Some(0));
}

#[test]
fn a_file_that_is_not_a_report_is_refused() {
    let here = folder("none");
    let file = here.join("none.json");
    fs::write(&file, "{}").unwrap();
    let file = file.to_str().unwrap();
    let good = store(&here, "good.json", &comparison(10.0, 20.0, 13));
    for arguments in [
        &["report", file][..],
        &["report", "/nowhere.json"],
        &["diff", &good, file],
        &["diff", "/nowhere.json", &good],
    ] {
        let ended = command(arguments);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{arguments:?}: {ended:?}");
        assert!(ended.stderr.contains("can't be read"), "{ended:?}");
    }
}
