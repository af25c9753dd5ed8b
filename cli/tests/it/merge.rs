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
        let apart = merge(&[&[one, two], &form[..]].concat());
        assert_eq!((apart.code, apart.stdout.as_str()), (Some(2), ""), "{apart:?}");
        assert!(apart.stderr.contains(&format!(" s after {one} had ended; begin all by")), "{apart:?}");
        let merged = merge(&[&[one, two, "--allow-apart"], &form[..]].concat());
        assert_eq!(merged.code, Some(0), "{merged:?}");
        let merged = json(&merged.stdout);
        for count in ["/latency/count", "/verification/replies", "/connections"] {
            let of = |value: &Value| value.pointer(count).and_then(Value::as_u64).unwrap();
            assert_eq!(of(&merged), of(&first) + of(&second), "{count}");
        }
    }
}

#[test]
fn the_merged_measurement_is_judged_by_an_objective() {
    let server = Server::start("--handler echo");
    let files = ["open-one.json", "open-two.json", "closed.json"].map(file);
    let [one, two, closed] = files.each_ref().map(|file| file.to_str().unwrap());
    measure(&server, &["--json", closed]);
    measure(&server, &["--rate", "2000", "--json", one]);
    // Not what this machine could do, but what it is judged by.
    let mut measured = json(&fs::read_to_string(one).unwrap());
    measured["achieved_rate"] = measured["offered_rate"].clone();
    measured["generator_limited"] = false.into();
    fs::write(one, measured.to_string()).unwrap();
    measured["generator_busy"] = 0.123.into();
    fs::write(two, measured.to_string()).unwrap();
    for (slo, code, told) in [("p50=100s", 0, "PASS"), ("p50=1ns", 5, "FAIL"), ("p99.99=100s", 3, "UNKNOWN")]
    {
        let ended = merge(&[one, two, "--slo", slo]);
        assert_eq!(ended.code, Some(code), "{ended:?}");
        let first = ended.stdout.lines().next().unwrap();
        assert!(first.starts_with(told) && first.ends_with(&format!(", where {slo} is promised")), "{first}");
    }
    let another = file("closed-two.json");
    fs::write(&another, fs::read_to_string(closed).unwrap().replacen('{', "{ ", 1)).unwrap();
    let ended = merge(&[closed, another.to_str().unwrap(), "--allow-apart", "--slo", "p50=1s"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{ended:?}");
    assert!(
        ended.stderr.contains("it is of a closed loop, which can't show whether --slo p50=1s is met"),
        "{ended:?}"
    );

    let merged = json(&merge(&[one, two, "--format", "json"]).stdout);
    let rows = merged["generators"].as_array().unwrap();
    assert_eq!(rows.iter().map(|row| &row["name"]).collect::<Vec<_>>(), [one, two]);
    assert_eq!(
        (&rows[1]["busy"], &rows[1]["offered_rate"]),
        (&Value::from(0.123), &measured["offered_rate"])
    );
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
fn shards_of_one_load_at_one_time_are_merged() {
    let server = Server::start("--handler echo");
    let files = ["base.json", "first.json", "second.json"].map(file);
    let [base, one, two] = files.each_ref().map(|file| file.to_str().unwrap());
    measure(&server, &["--rate", "100", "--json", base]);
    let base = json(&fs::read_to_string(base).unwrap());
    // The shard of each, the start and the end of its measured time, and its rate.
    type Said = (&'static str, [f64; 2], &'static str);
    let write = |file: &str, mark: f64, (shard, [start, end], rate): Said| {
        let mut measured = base.clone();
        measured["steal"] = mark.into(); // so that no two files are equal
        measured["window"] = serde_json::json!({ "start": start, "end": end });
        measured["plan"]["rate"] = rate.into();
        if !shard.is_empty() {
            measured["shard"] = shard.into();
        }
        fs::write(file, measured.to_string()).unwrap();
    };
    let at = [100.0, 110.0];
    let refused: [(Said, Said, &str, &str); 8] = [
        (
            ("1/3", at, "3"),
            ("3/3", at, "3"),
            "shard 2/3 is missing; give the measurements of all 3",
            "--allow-missing",
        ),
        (
            ("1/9", at, "3"),
            ("3/9", at, "3"),
            "shards 2/9, 4/9, 5/9, 6/9, 7/9 and 2 more are missing",
            "--allow-missing",
        ),
        (("1/2", at, "3"), ("1/2", at, "3"), "two.json can't be merged: it is shard 1/2, as ", ""),
        (("1/2", at, "3"), ("2/3", at, "3"), "two.json can't be merged: it is shard 2/3, and ", ""),
        (("1/2", at, "3"), ("", at, "3"), "two.json can't be merged: it is no shard, and ", ""),
        (
            ("1/2", at, "3"),
            ("2/2", at, "4"),
            "one.json: rate is 4 and not 3; give all shards the same flags",
            "",
        ),
        (("1/2", at, "3"), ("2/2", [112.5, 122.5], "3"), "it was measured 2.5 s after ", "--allow-apart"),
        (
            ("", at, "3"),
            ("", [102.0, 112.0], "3"),
            "only 8.0 s of 10.0 s were measured at the same time as ",
            "--allow-apart",
        ),
    ];
    for (first, second, expected, flag) in refused {
        write(one, 0.001, first);
        write(two, 0.002, second);
        let ended = merge(&[one, two]);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{expected}: {ended:?}");
        let told = ended.stderr.replace("second.json", "two.json").replace("first.json", "one.json");
        assert!(told.contains(expected) && told.lines().count() == 1, "{expected}: {told}");
        assert!(ended.stderr.contains(flag), "{ended:?}");
        if !flag.is_empty() {
            assert_eq!(merge(&[one, two, flag]).code, Some(0), "{flag}");
        }
    }
    for (first, second, warned) in [
        (("1/2", at, "3"), ("2/2", [100.9, 110.9], "3"), ""),
        (("", at, "3"), ("", at, "4"), "first.json: rate is 4 and not 3\n"),
    ] {
        write(one, 0.001, first);
        write(two, 0.002, second);
        let ended = merge(&[one, two]);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(
            ended.stderr.ends_with(warned) && ended.stderr.lines().count() == warned.lines().count(),
            "{ended:?}"
        );
    }
}

#[test]
fn measurements_of_earlier_versions_are_merged_with_a_warning() {
    let server = Server::start("--handler echo");
    let [one, old] = ["new.json", "old.json"].map(file);
    let [one, old] = [&one, &old].map(|file| file.to_str().unwrap());
    measure(&server, &["--json", one]);
    let mut earlier = json(&fs::read_to_string(one).unwrap());
    for field in ["plan", "window"] {
        assert!(earlier.as_object_mut().unwrap().remove(field).is_some(), "{field}");
    }
    fs::write(old, earlier.to_string()).unwrap();
    let ended = merge(&[one, old]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let told = format!("warning: {old} does not say when it was measured, so it is not known");
    assert!(ended.stderr.starts_with(&told) && ended.stderr.lines().count() == 1, "{ended:?}");
}

#[test]
fn a_generator_that_was_the_limit_is_named() {
    let server = Server::start("--handler echo");
    let [one, busy] = ["idle.json", "busy.json"].map(file);
    let [one, busy] = [&one, &busy].map(|file| file.to_str().unwrap());
    measure(&server, &["--rate", "100", "--json", one]);
    let mut limited = json(&fs::read_to_string(one).unwrap());
    limited["generator_busy"] = 0.99.into();
    limited["generator_limited"] = true.into();
    fs::write(busy, limited.to_string()).unwrap();
    let ended = merge(&[one, busy]);
    let told = "busy.json was the bottleneck, not the server: generator busy 99 %";
    assert!(ended.code == Some(0) && ended.stdout.contains(told), "{ended:?}");
    assert!(ended.stdout.contains("not measured: the generator was the bottleneck"), "{ended:?}");
}

#[test]
fn files_that_are_no_measurements_are_explained() {
    let server = Server::start("--handler echo");
    let [one, cut, text] = ["whole.json", "cut.json", "text.json"].map(file);
    let [one, cut, text] = [&one, &cut, &text].map(|file| file.to_str().unwrap());
    measure(&server, &["--json", one]);
    let whole = fs::read_to_string(one).unwrap();
    fs::write(cut, &whole[..whole.len() / 2]).unwrap();
    fs::write(text, "no\x1b[31m measurement\n").unwrap();
    for (arguments, expected) in [
        (vec![one], format!("{one} can't be merged: it is the only measurement; give at least one more")),
        (
            vec![one, cut],
            format!("{cut} can't be merged: it is cut off within the measurement that begins on line 1"),
        ),
        (vec![one, one], format!("{one} can't be merged: it is given twice; give each measurement once")),
        (
            vec![one, "-"],
            "standard input can't be merged: it is not a measurement of `load`: it is empty".to_owned(),
        ),
        (vec!["-", "-"], "standard input can't be merged: it is".to_owned()),
        (vec![text, one], "it has none, and line 1: `no\\x1b[31m measurement`".to_owned()),
    ] {
        let ended = merge(&arguments);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{arguments:?}: {ended:?}");
        assert!(
            ended.stderr.contains(&expected) && ended.stderr.lines().count() == 1,
            "{expected}: {ended:?}"
        );
    }
    let twice = run(&mut anyloop(&["merge", "-", "-"]), whole.as_str());
    assert!(twice.code == Some(2) && twice.stderr.contains("it is given twice; give `-` once"), "{twice:?}");
    let again = run(&mut anyloop(&["merge", "-"]), format!("{whole}{whole}"));
    let line = whole.lines().count() + 1;
    let told = format!(
        "standard input, line {line} can't be merged: it has the same content as standard input, line 1"
    );
    assert!(again.code == Some(2) && again.stderr.contains(&told), "{again:?}");
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
