//! `anyloop merge`, and the files that it reads.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use serde_json::Value;

use crate::process::{Ended, anyloop, run};
use crate::server::Server;

/// A file for this test alone.
fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-merge-{name}", std::process::id()))
}

/// Measures a server for a moment, and writes these files.
fn measure(server: &Server, flags: &[&str]) {
    let address = server.address.to_string();
    let short = ["load", &address, "-c", "1", "-d", "100ms", "--warmup", "0"];
    let ended = run(&mut anyloop(&[&short, flags].concat()), "");
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

fn merge(arguments: &[&str]) -> Ended {
    run(&mut anyloop(&[&["merge"], arguments].concat()), "")
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn measurements_are_added() {
    let server = Server::start("--handler echo");
    let files = ["one.json", "two.json", "one.csv", "one.hgrm", "one.hlog"].map(file);
    let [one, two, csv, hgrm, hlog] = files.each_ref().map(|file| file.to_str().unwrap());
    measure(&server, &["--json", one, "--csv", csv, "--hgrm", hgrm, "--hlog", hlog]);
    measure(&server, &["--json", two]);
    assert_eq!(fs::read_to_string(csv).unwrap().lines().count(), 2);
    assert!(fs::read_to_string(hgrm).unwrap().contains("#[Max"));
    assert!(fs::read_to_string(hlog).unwrap().contains("Tag=latency,"));
    let read = |file: &str| json(&fs::read_to_string(file).unwrap());
    let (first, second) = (read(one), read(two));
    for form in [["--json", "-"], ["--format", "json"]] {
        let merged = merge(&[&[one, two], &form[..]].concat());
        assert_eq!(merged.code, Some(0), "{merged:?}");
        let merged = json(&merged.stdout);
        for count in ["/latency/count", "/verification/replies", "/connections"] {
            let of = |value: &Value| value.pointer(count).and_then(Value::as_u64).unwrap();
            assert_eq!(of(&merged), of(&first) + of(&second), "{count}");
        }
    }
}

#[test]
fn the_same_measurement_is_refused_under_any_name() {
    let server = Server::start("--handler echo");
    let [one, other] = ["twin.json", "other.json"].map(file);
    measure(&server, &["--json", one.to_str().unwrap()]);
    measure(&server, &["--json", other.to_str().unwrap()]);
    let [copy, link, hard] = ["copy.json", "link.json", "hard.json"].map(file);
    for file in [&copy, &link, &hard] {
        let _ = fs::remove_file(file); // it is there only if a test before had the same number
    }
    fs::copy(&one, &copy).unwrap();
    symlink(&one, &link).unwrap();
    fs::hard_link(&one, &hard).unwrap();
    for (twin, told) in [
        (&one, "it is given twice".to_owned()),
        (&copy, format!("it has the same content as {}", one.display())),
        (&link, format!("it has the same content as {}", one.display())),
        (&hard, format!("it has the same content as {}", one.display())),
    ] {
        let ended = merge(&[&one, &other, twin].map(|file| file.to_str().unwrap()));
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{ended:?}");
        let told = format!("{} can't be merged: {told}", twin.display());
        assert!(ended.stderr.contains(&told) && ended.stderr.lines().count() == 1, "{ended:?}");
    }
}

#[test]
fn measurements_that_cannot_be_added_are_refused() {
    let server = Server::start("--handler echo");
    let [one, other] = ["alike.json", "unlike.json"].map(file);
    let [one, other] = [&one, &other].map(|file| file.to_str().unwrap());
    measure(&server, &["--json", one]);
    for (field, value, told) in [
        ("offered_rate", Value::from(100.0), "it is of an open loop, and"),
        ("seconds", Value::from(5.0), "it measured 5 s, and"),
    ] {
        let mut unlike = json(&fs::read_to_string(one).unwrap());
        unlike[field] = value;
        fs::write(other, unlike.to_string()).unwrap();
        let ended = merge(&[one, other]);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{ended:?}");
        assert!(ended.stderr.contains(&format!("{other} can't be merged: {told} {one}")), "{ended:?}");
        unlike["stopped_early"] = Value::from("0.1 s after the start");
        fs::write(other, unlike.to_string()).unwrap();
        assert_eq!(merge(&[one, other]).code, Some(if field == "seconds" { 0 } else { 2 }));
    }
}

#[test]
fn wrong_usage_is_explained() {
    for (arguments, expected) in [
        (&[][..], "<FILE>"),
        (&["/nowhere.json"], "/nowhere.json can't be merged"),
        (&["/dev/null"], "it is not a measurement of `load`"),
        (&["/dev/null", "--format", "json", "--csv", "-"], "it is not a measurement of `load`"),
    ] {
        let ended = merge(arguments);
        assert!(ended.code == Some(2) && ended.stderr.contains(expected), "{arguments:?}: {ended:?}");
    }
}
