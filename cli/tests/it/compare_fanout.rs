//! `anyloop compare --handler fanout` with real servers and few subscribers.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::process::{Ended, anyloop, run};

/// A folder for this test alone.
fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-fanout-{name}", std::process::id()))
}

fn compare(flags: &str) -> Ended {
    run(&mut anyloop(&[&["compare"][..], &flags.split_whitespace().collect::<Vec<_>>()].concat()), "")
}

#[test]
fn pushes_are_measured_and_reported() {
    let folder = folder("pushes");
    let ended = compare(&format!(
        "--handler fanout --subscribe 1,30 --backends smol,epoll,sequential --connections 2 --quick --rounds 1 \
         --output {}",
        folder.display()
    ));
    // One round has no verdict.
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(ended.stderr.contains("3 servers, 2 loads, 1 rounds"), "{ended:?}");
    let [text, page, markdown] = [
        ended.stdout,
        fs::read_to_string(folder.join("report.html")).unwrap(),
        fs::read_to_string(folder.join("report.md")).unwrap(),
    ];
    for report in [&text, &page, &markdown] {
        assert!(report.contains("CPU per delivery") && report.contains("p99 delivery delay"), "{report}");
        let said = "it serves one client at a time, and a push takes a sender and a subscriber";
        assert!(report.contains(said), "{report}");
    }
    let report: Value =
        serde_json::from_str(&fs::read_to_string(folder.join("report.json")).unwrap()).unwrap();
    let shapes: Vec<_> = report["shapes"].as_array().unwrap().iter().map(|of| &of["subscribers"]).collect();
    assert_eq!(shapes, [1, 30]);
    let samples = report["samples"].as_array().unwrap();
    assert_eq!(samples.len(), 3 * 2, "two servers and a control, under two loads");
    for sample in samples {
        let deliveries = &sample["deliveries"];
        assert!(deliveries["count"].as_u64() > Some(0) && deliveries["missed"] == 0, "{sample}");
        assert!(deliveries["delay"][0][1].as_f64() > Some(0.0), "{sample}");
        assert_eq!(sample["bad"], 0);
    }
}

#[test]
fn the_replies_of_other_handlers_must_fit() {
    let ended = compare("--handler echo --subscribe 5 --backends smol");
    assert!(ended.code == Some(2) && ended.stderr.contains("say --expect ok"), "{ended:?}");
}

#[test]
fn wrong_usage_is_explained() {
    for (flags, expected) in [
        ("--subscribe 0", "`0` is not a count from 1 to 1000000"),
        ("--subscribe 5,5", "5 subscribers are given twice"),
        ("--subscribe 900k", "choose fewer with --connections, --sweep-connections or --subscribe"),
        ("--backends sequential", "with subscribers a server must hold 65 connections"),
        ("--slo p99=5ms", "--slo is about the latency of replies"),
        ("--message hello", "--subscribe needs generated messages"),
        ("--message-size 16", "messages of 16 bytes are too short for --subscribe"),
        ("--with-handwritten", "this is fanout in line"),
    ] {
        let ended = compare(&format!("--handler fanout {flags}"));
        assert!(ended.code == Some(2) && ended.stderr.contains(expected), "{flags}: {ended:?}");
    }
}
