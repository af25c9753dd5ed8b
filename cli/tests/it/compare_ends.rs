//! How `anyloop compare` ends: with which code, with which files, and without its servers.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use compare::report::to_json;
use compare::{Comparison, Conditions, Sample, Shape, Subject};
use rustix::process::{Pid, Signal, kill_process};

use crate::process::{BOUND, Ended, Process, anyloop, run};

/// A folder for one test, empty.
fn folder(name: &str) -> PathBuf {
    let folder =
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-ends-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&folder); // it is there only if a test before had the same number
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// The arguments of a comparison that is as short as it can be, with these flags, parted by spaces.
fn arguments<'a>(output: &'a Path, flags: &'a str) -> Vec<&'a str> {
    let mut arguments = vec!["compare", "--quick", "--output", output.to_str().unwrap()];
    arguments.extend(flags.split_whitespace());
    arguments
}

fn compare(output: &Path, flags: &str) -> Ended {
    run(&mut anyloop(&arguments(output, flags)), "")
}

/// A baseline with six rounds of one server under one load, at almost no CPU cost.
fn baseline(subject: &str, (connections, depth): (usize, usize)) -> Comparison {
    let name = format!("{connections} × {depth}");
    let sample = |round| Sample { round, cpu_user: 1e-6, ..Sample::default() };
    Comparison {
        conditions: Conditions {
            handler: "echo".to_owned(),
            message_size: "32 B".to_owned(),
            message: "32 B".to_owned(),
            pinned: Some("all loads: server on core 0, generator on core 0".to_owned()),
            ..Conditions::default()
        },
        subjects: vec![Subject { name: subject.to_owned(), ..Subject::default() }],
        shapes: vec![Shape { name, connections, depth, ..Shape::default() }],
        samples: (0..6).map(sample).collect(),
        ..Comparison::default()
    }
}

fn store(comparison: &Comparison, file: &Path) {
    fs::write(file, to_json(comparison).unwrap()).unwrap();
}

#[test]
fn an_objective_that_is_kept_is_code_0_and_one_that_is_missed_code_5() {
    for (slo, code) in [("p50=60s", 0), ("p50=1ns", 5)] {
        let ended = compare(
            &folder("slo"),
            &format!("--rounds 1 --backends threads --connections 4 --rate 2k --slo {slo}"),
        );
        // A machine that is busy with something else may not even bear this rate, and then it is not known.
        let is_overloaded = ended.code == Some(3) && ended.stdout.contains("overloaded");
        assert!(ended.code == Some(code) || is_overloaded, "{ended:?}");
    }
}

#[test]
fn too_few_rounds_to_tell_are_code_3() {
    let ended = compare(&folder("noisy"), "--rounds 1 --backends threads,smol");
    assert_eq!(ended.code, Some(3), "{ended:?}");
}

#[test]
fn a_server_that_fails_is_code_1() {
    let output = folder("failed");
    let mut process = Process::start(&mut anyloop(&arguments(&output, "--rounds 1 --backends threads")));
    process.wait_for_log("calibration");
    let server = server_of(&process);
    kill_process(Pid::from_raw(server).unwrap(), Signal::KILL).unwrap();
    let ended = process.end();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stdout.contains("threads FAILED: the server ended"), "{ended:?}");
}

#[test]
fn too_few_rounds_to_detect_a_change_are_code_3() {
    let output = folder("unseen");
    let file = output.join("before.json");
    store(&baseline("threads", (2, 2)), &file);
    let ended = compare(&output, &format!("--rounds 2 --force {}", flags(&file)));
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(
        ended.stdout.contains("No change in server CPU per message could be detected, however large"),
        "{ended:?}"
    );
}

#[test]
fn a_regression_is_code_6_and_missing_results_are_named() {
    let output = folder("regression");
    let file = output.join("before.json");
    let mut before = baseline("threads", (2, 2));
    before.subjects.push(Subject { name: "gone".to_owned(), ..Subject::default() });
    before.shapes.push(Shape { name: "7 × 7".to_owned(), connections: 7, depth: 7, ..Shape::default() });
    before.samples.push(Sample { subject: 1, shape: 1, cpu_user: 1.0, ..Sample::default() });
    store(&before, &file);
    // Fewer rounds give no verdict, and these take more than a minute.
    let flags = format!("--rounds 6 --force {}", flags(&file));
    let mut command = assert_cmd::Command::from_std(anyloop(&arguments(&output, &flags)));
    let ended = command.timeout(5 * BOUND).assert().code(6);
    let stdout = String::from_utf8_lossy(&ended.get_output().stdout).into_owned();
    for told in [
        "Since the baseline",
        " WORSE ",
        "gone was not measured this time",
        "the load 7 connections x 7 in flight was not measured this time",
        "is not in the baseline",
    ] {
        assert!(stdout.contains(told), "{told}: {stdout}");
    }
}

#[test]
fn the_exit_code_of_diff_distinguishes_changed_and_undecided() {
    let output = folder("diff");
    let [before, after] = ["before.json", "after.json"].map(|name| output.join(name));
    let mut stored = baseline("threads", (64, 1));
    store(&stored, &before);
    let diff = || run(&mut anyloop(&["diff", before.to_str().unwrap(), after.to_str().unwrap()]), "");
    store(&stored, &after);
    assert_eq!(diff().code, Some(0), "{:?}", diff());

    stored.samples.iter_mut().for_each(|sample| sample.cpu_user *= 2.0);
    store(&stored, &after);
    let ended = diff();
    assert_eq!(ended.code, Some(6), "{ended:?}");
    assert!(ended.stdout.contains(" WORSE 2.00x"), "{ended:?}");
    assert!(ended.stdout.contains("smallest detectable change in server CPU per message is "));

    let mut more = baseline("threads", (64, 1));
    more.subjects.push(Subject { name: "gone".to_owned(), ..Subject::default() });
    more.shapes.push(Shape { name: "7 × 7".to_owned(), connections: 7, depth: 7, ..Shape::default() });
    more.samples.push(Sample { subject: 1, shape: 1, cpu_user: 1.0, ..Sample::default() });
    store(&more, &before);
    store(&baseline("threads", (64, 1)), &after);
    let ended = diff();
    assert_eq!(ended.code, Some(3), "what could not be compared is not known: {ended:?}");
    for told in
        ["gone was not measured this time", "the load 7 connections x 7 in flight was not measured this time"]
    {
        assert!(ended.stdout.contains(told), "{told}: {}", ended.stdout);
    }
}

#[test]
fn an_unusable_baseline_is_refused_before_the_measurement() {
    let output = folder("refused");
    let file = output.join("before.json");
    let good = baseline("threads", (2, 2));
    let conditions = |conditions| Comparison { conditions, ..good.clone() };
    let handler = "ack".to_owned();
    let message_size = "64 B".to_owned();
    for (comparison, force, told) in [
        (conditions(Conditions { handler, ..good.conditions.clone() }), "--force", "its handler was \"ack\""),
        (
            conditions(Conditions { message_size, ..good.conditions.clone() }),
            "--force",
            "its message size was \"64 B\", this one's is \"32 B\"",
        ),
        (good.clone(), "", "is from another machine: CPU was \"unknown\""),
        (good.clone(), "", "add --force"),
        (
            baseline("smol", (2, 2)),
            "--force",
            "it has smol under 2 connections × 2 in flight, and this comparison has threads under 2",
        ),
        (baseline("threads", (3, 2)), "--force", "it has threads under 3 connections × 2 in flight"),
        (Comparison { samples: Vec::new(), ..good.clone() }, "--force", "it has nothing"),
    ] {
        store(&comparison, &file);
        let ended = compare(&output, &format!("{} {force}", flags(&file)));
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{told}: {ended:?}");
        assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
        assert!(ended.stderr.contains(told), "{told}: {ended:?}");
    }
    for (content, told) in [
        ("", "EOF while parsing"),
        ("{}", "it is not a report.json of `compare`"),
        ("\u{0}", "it is not a report.json of `compare`"),
    ] {
        fs::write(&file, content).unwrap();
        let ended = compare(&output, &flags(&file));
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.stderr.contains(told) && ended.stderr.lines().count() == 1, "{ended:?}");
    }
}

#[test]
fn a_baseline_is_never_overwritten() {
    let (output, elsewhere) = (folder("kept"), folder("elsewhere"));
    let names = ["report.json", "report-interrupted.json", "report.md"];
    let files = names.map(|name| output.join(name)).into_iter().chain([elsewhere.join("linked.json")]);
    for file in files {
        store(&baseline("threads", (2, 2)), &file);
        let written = fs::read(&file).unwrap();
        let target = output.join("report.html");
        let _ = fs::remove_file(&target);
        symlink(elsewhere.join("linked.json"), &target).unwrap();
        let ended = compare(&output, &format!("{} --force", flags(&file)));
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{ended:?}");
        let told = format!("would overwrite the baseline {}", file.display());
        assert!(ended.stderr.contains(&told), "{ended:?}");
        assert_eq!(fs::read(&file).unwrap(), written);
    }
}

#[test]
fn an_interruption_leaves_complete_reports_as_they_were() {
    let output = folder("interrupted");
    for form in ["html", "md", "json"] {
        fs::write(output.join(format!("report.{form}")), "complete").unwrap();
    }
    let mut process = Process::start(&mut anyloop(&arguments(&output, "--rounds 2 --backends threads")));
    process.wait_for_log("round 2 of 2");
    let server = server_of(&process);
    process.signal(Signal::INT);
    let ended = process.end();
    assert_eq!(ended.code, Some(130), "{ended:?}");
    assert!(ended.stdout.contains("interrupted after"), "{ended:?}");
    for form in ["html", "md", "json"] {
        assert_eq!(fs::read_to_string(output.join(format!("report.{form}"))).unwrap(), "complete");
        let written = output.join(format!("report-interrupted.{form}"));
        assert!(fs::metadata(&written).unwrap().len() > 100);
        assert!(ended.stdout.contains(&format!("wrote {}", written.display())), "{ended:?}");
    }
    assert_eq!(fs::read_dir(&output).unwrap().count(), 6, "no part of a file is left");
    wait_for_end(server);
}

#[test]
fn servers_end_with_the_comparison_on_every_exit() {
    for signal in [Signal::KILL, Signal::HUP, Signal::TERM, Signal::INT] {
        let output = folder("ended");
        let mut process = Process::start(&mut anyloop(&arguments(&output, "--backends threads,smol")));
        process.wait_for_log("calibration");
        let server = server_of(&process);
        process.signal(signal);
        let ended = process.end();
        if signal != Signal::KILL {
            assert_eq!(ended.code, Some(130), "{ended:?}");
            assert!(ended.stderr.contains("error: interrupted before anything was measured"), "{ended:?}");
            assert_eq!(fs::read_dir(&output).unwrap().count(), 0, "nothing is written");
        } else {
            assert_eq!(ended.code, None, "{ended:?}");
        }
        wait_for_end(server);
    }
}

#[test]
fn servers_end_with_a_comparison_that_is_killed_in_its_rounds() {
    let output = folder("killed");
    let mut process = Process::start(&mut anyloop(&arguments(&output, "--rounds 2 --backends threads,smol")));
    process.wait_for_log("round 2 of 2");
    let server = server_of(&process);
    process.signal(Signal::KILL);
    assert_eq!(process.end().code, None);
    wait_for_end(server);
}

/// The first process of the server that a comparison has started, once it has one.
fn server_of(comparison: &Process) -> i32 {
    let until = Instant::now() + BOUND;
    loop {
        // Between them stands the supervisor.
        let supervisor = child_of(comparison.id());
        if let Some(server) = supervisor.and_then(|supervisor| child_of(supervisor.cast_unsigned())) {
            return server;
        }
        assert!(Instant::now() < until, "it never starts a server");
        thread::yield_now();
    }
}

/// A child of a process, if it has one.
fn child_of(parent: u32) -> Option<i32> {
    let processes = fs::read_dir("/proc").unwrap();
    let mut numbers = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    numbers.find(|process| state(*process).is_some_and(|(_, of)| of == parent))
}

/// Waits until a process has ended.
fn wait_for_end(process: i32) {
    let until = Instant::now() + BOUND;
    // Its parent may be gone, and then it takes a while until it is reaped.
    while state(process).is_some_and(|(state, _)| !matches!(state, 'Z' | 'X')) {
        assert!(Instant::now() < until, "the server {process} goes on");
        thread::yield_now();
    }
}

/// The state and the parent of a process, if there is one.
fn state(process: i32) -> Option<(char, u32)> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

/// The flags of a comparison that can be compared with such a baseline.
fn flags(baseline: &Path) -> String {
    let pinned = "--cpus-server 0 --cpus-load 0";
    format!("--backends threads --connections 2 --depth 2 {pinned} --baseline {}", baseline.display())
}
