//! Runs the seeds that have found each defect, in a build that contains the defects: with `--cfg anyloop_canaries`.
#![cfg(anyloop_canaries)]
#![allow(clippy::unwrap_used, reason = "these are tests, their helpers too")]

use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::thread;

use anyloop_simulation::canary::{CANARIES, MOST, RANGE};

#[test]
fn each_defect_is_found() {
    std::panic::set_hook(Box::new(|_| {})); // some are found by a panic
    let next = Mutex::new(CANARIES.iter());
    let missed = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let Some(canary) = next.lock().unwrap().next() else { break };
                    if canary.find(canary.seeds.iter().copied()).is_none() {
                        missed.lock().unwrap().push(canary.name);
                    }
                }
            });
        }
    });
    let missed = missed.into_inner().unwrap();
    drop(std::panic::take_hook());
    assert!(missed.is_empty(), "look for new seeds with `--canaries --canary NAME`: {missed:#?}");
}

#[test]
fn each_defect_is_found_by_far_fewer_seeds_than_are_run() {
    for canary in CANARIES {
        let most = canary.seeds.iter().map(|seed| seed % RANGE).max();
        assert!(most.is_some_and(|most| most < MOST / 2), "{canary:?}");
    }
}

#[test]
fn the_list_has_every_defect_in_the_code_once() {
    let listed: Vec<_> = CANARIES.iter().map(|canary| canary.name.to_owned()).collect();
    let mut placed = Vec::new();
    for member in ["../common/src", "../serving/src"] {
        collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join(member), &mut placed);
    }
    let sorted = |mut names: Vec<String>| {
        names.sort();
        names
    };
    assert_eq!(sorted(listed), sorted(placed));
    assert!(CANARIES.len() >= 40, "{}", CANARIES.len());
}

/// Collects the names of the defects in the source files in this directory.
fn collect(directory: &Path, names: &mut Vec<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, names);
        } else if path.file_name().is_some_and(|name| name != "canary.rs") {
            let source = fs::read_to_string(&path).unwrap();
            let uses = source.split("canary!(").skip(1);
            names.extend(uses.map(|after| after.split('"').nth(1).unwrap().to_owned()));
        }
    }
}
