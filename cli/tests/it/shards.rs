//! `load --shard` and `--start-at`: several processes make one load, and `merge` merges what they measure.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::process::{Ended, Process, anyloop, run};
use crate::server::Server;

/// A file for this test alone.
fn file(name: &str) -> String {
    let name = format!("{}-shards-{name}", std::process::id());
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name).to_str().unwrap().to_owned()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn number(of: &Value, pointer: &str) -> u64 {
    of.pointer(pointer).and_then(Value::as_u64).unwrap_or_else(|| panic!("{pointer} of {of}"))
}

/// `load` with these flags, parted by spaces.
fn load(server: &Server, flags: &str) -> Command {
    let address = server.address.to_string();
    let mut arguments = vec!["load", &address];
    arguments.extend(flags.split_whitespace());
    anyloop(&arguments)
}

/// Runs processes at the same time.
fn all(commands: impl Iterator<Item = Command>) -> Vec<Ended> {
    let processes: Vec<_> = commands.map(|mut command| Process::start(&mut command)).collect();
    processes.into_iter().map(Process::end).collect()
}

fn merge(arguments: &[&str], input: &str) -> Ended {
    run(&mut anyloop(&[&["merge"], arguments].concat()), input)
}

/// Now and this much, in seconds since 1970.
pub(crate) fn later(lead: Duration) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    format!("{:.6}", (now + lead).as_secs_f64())
}

/// Tries with more and more time until something succeeds: a busy machine may need it.
fn eventually<T>(mut attempt: impl FnMut(Duration) -> Result<T, String>) -> T {
    let mut failures = Vec::new();
    for exponent in 0..6 {
        match attempt(Duration::from_millis(500 << exponent)) {
            Ok(done) => return done,
            Err(failure) => failures.push(failure),
        }
    }
    panic!("{failures:#?}");
}

/// All values of a distribution, in ascending order.
fn values(of: &Value) -> Vec<u64> {
    let pairs = of.pointer("/latency/values").and_then(Value::as_array).unwrap();
    let pair = |pair: &Value| std::iter::repeat_n(number(pair, "/0"), number(pair, "/1") as usize);
    let mut values: Vec<_> = pairs.iter().flat_map(pair).collect();
    values.sort_unstable();
    values
}

#[test]
fn three_shards_merge_to_what_one_run_shows() {
    // Seven connections and 700 messages per second are not divisible by three.
    let flags = "-c 7 --depth 16 --rate 700 -d 300ms --warmup 100ms --expect echo --format json";
    let server = Server::start("--handler echo");
    let one = run(&mut load(&server, flags), "");
    assert_eq!((one.code, server.stop().receipt["accepted"].as_u64()), (Some(0), Some(7)), "{one:?}");
    let one = json(&one.stdout);
    let server = Server::start("--handler echo");
    let shards = all((1..=3).map(|number| load(&server, &format!("{flags} --shard {number}/3"))));
    assert!(shards.iter().all(|shard| shard.code == Some(0)), "{shards:?}");
    let input: String = shards.iter().map(|shard| shard.stdout.as_str()).collect();
    // They began when each was ready, which is not at the same time.
    let merged = merge(&["-", "--allow-apart", "--format", "json"], &input);
    assert_eq!((merged.code, &*merged.stderr), (Some(0), ""), "{merged:?}");
    assert_eq!(server.stop().receipt["accepted"].as_u64(), Some(7));

    let merged = json(&merged.stdout);
    let shards: Vec<_> = shards.iter().map(|shard| json(&shard.stdout)).collect();
    for (count, total) in [
        ("/connections", 7),
        ("/in_flight_limit", 112),
        ("/verification/replies", 280),
        ("/latency/count", 210),
    ] {
        assert_eq!((number(&merged, count), number(&one, count)), (total, total), "{count}");
        assert_eq!(shards.iter().map(|shard| number(shard, count)).sum::<u64>(), total, "{count}");
    }
    let connections: Vec<_> = shards.iter().map(|shard| number(shard, "/connections")).collect();
    assert_eq!(connections, [3, 2, 2]);
    let offered = |of: &Value| of["offered_rate"].as_f64().unwrap().round() as u64;
    assert_eq!((offered(&merged), offered(&one)), (700, 700));
    let without_address = |of: &Value| {
        let mut plan = of["plan"].clone();
        plan.as_object_mut().unwrap().remove("address");
        plan
    };
    assert_eq!((without_address(&merged), &merged["load"]), (without_address(&one), &one["load"]));
    assert_eq!(merged["shard"], Value::Null);

    let mut together: Vec<_> = shards.iter().flat_map(values).collect();
    together.sort_unstable();
    assert_eq!(values(&merged), together);
    for (percentile, share) in [("p50", 0.5), ("p90", 0.9), ("p95", 0.95)] {
        let rank = (share * together.len() as f64).ceil() as usize;
        let expected = together[rank - 1] as f64 / 1e3;
        assert_eq!(merged["latency"]["percentiles"][percentile].as_f64(), Some(expected), "{percentile}");
    }
}

#[test]
fn shards_that_begin_together_are_merged_with_a_row_for_each() {
    let server = Server::start("--handler echo");
    let (output, merged) = eventually(|lead| {
        let start = later(lead);
        let flags = format!("-c 4 --rate 400 -d 1s --warmup 50ms --start-at {start} --shard 3 --format json");
        // As the pods of an Indexed Job are started.
        let pod = |index: usize| {
            let mut command = load(&server, &flags);
            command.env("JOB_COMPLETION_INDEX", index.to_string());
            command
        };
        let pods = all((0..3).map(pod));
        let failed = pods.iter().find(|pod| pod.code != Some(0));
        failed.map_or(Ok(()), |failed| Err(failed.stderr.clone()))?;
        let outputs: Vec<_> = pods.iter().map(|pod| pod.stdout.as_str()).collect();
        let output = format!("a line of another program\n{}", outputs.join("\n"));
        let merged = merge(&["-"], &output);
        if merged.code == Some(0) { Ok((output, merged)) } else { Err(merged.stderr) }
    });
    let skipped = "warning: lines of standard input that are no measurement were skipped: 1, such as line 1: `a line of another program`\n";
    assert_eq!(merged.stderr, skipped);
    for title in ["generator ", "shard 1/3 ", "shard 2/3 ", "shard 3/3 ", "all "] {
        assert_eq!(
            merged.stdout.lines().filter(|line| line.starts_with(title)).count(),
            1,
            "{title}: {merged:?}"
        );
    }
    let row = merged.stdout.lines().find(|line| line.starts_with("all ")).unwrap();
    assert_eq!(row.split_whitespace().nth(1), Some("400"), "{merged:?}");
    let documents = output.split("\n}").count() - 1;
    assert_eq!(documents, 3, "{output}");
}

#[test]
fn subscribers_of_all_shards_verify_the_messages_of_each() {
    let server = Server::start("--handler fanout");
    let [one, two] = ["one.json", "two.json"].map(file);
    let merged = eventually(|lead| {
        let (start, timeout) = (later(lead), lead.as_millis());
        let flags = format!(
            "-c 3 --rate 300 -d 200ms --warmup 50ms --subscribe 3 --start-at {start} --reply-timeout {timeout}ms"
        );
        let shards = [(1, &one), (2, &two)].into_iter();
        let shards =
            all(shards
                .map(|(number, file)| load(&server, &format!("{flags} --shard {number}/2 --json {file}"))));
        let failed = shards.iter().find(|shard| shard.code != Some(0));
        failed.map_or(Ok(()), |failed| Err(format!("{failed:?}")))?;
        let merged = merge(&[&one, &two, "--allow-apart", "--format", "json"], "");
        assert_eq!(merged.code, Some(0), "{merged:?}");
        let merged = json(&merged.stdout);
        if number(&merged, "/pushes/missed") == 0 { Ok(merged) } else { Err(merged.to_string()) }
    });
    assert_eq!(number(&merged, "/pushes/subscribers"), 3);
    assert_eq!(number(&merged, "/pushes/delivered"), 3 * 75, "{merged}");
    let shards = [&one, &two].map(|file| json(&fs::read_to_string(file).unwrap()));
    let counts = shards.each_ref().map(|shard| {
        [
            number(shard, "/pushes/subscribers"),
            number(shard, "/verification/replies"),
            number(shard, "/pushes/delivered"),
        ]
    });
    assert_eq!(counts, [[2, 50, 150], [1, 25, 75]]);
    let delays = shards.each_ref().map(|shard| number(shard, "/pushes/delay/count"));
    // Those of its own messages, after the warm-up; a message of the warm-up that was sent late is one of them.
    assert!((2 * 40..=2 * 50).contains(&delays[0]) && (20..=25).contains(&delays[1]), "{delays:?}");
}

#[test]
fn wrong_shards_and_times_are_explained() {
    let server = Server::start("--handler echo");
    for (flags, index, expected) in [
        ("--shard 0/3", None, "there is no shard 0 of 3; write 1/3 to 3/3"),
        ("--shard 4/3", None, "there is no shard 4 of 3; write 1/3 to 3/3"),
        ("--shard x", None, "`x` is no shard; write which of how many it is, such as 2/3"),
        (
            "--shard 3",
            None,
            "--shard 3 needs JOB_COMPLETION_INDEX, which is not set; set it from 0 to 2, or write --shard 1/3",
        ),
        ("--shard 3", Some("3"), "--shard 3 needs JOB_COMPLETION_INDEX, which is `3`; set it from 0 to 2"),
        ("--shard 3", Some("x"), "--shard 3 needs JOB_COMPLETION_INDEX, which is `x`"),
        ("--shard 1/65", None, "65 shards are more than the 64 --connections that they divide"),
        ("--shard 1/2 --subscribe 1", None, "--shard with --subscribe needs --start-at"),
        ("--start-at yesterday", None, "`yesterday` is no time; write one such as 2026-12-01T12:00:00Z"),
        ("--start-at 2020-01-01T00:00:00Z", None, "--start-at 2020-01-01T00:00:00Z was "),
        ("--start-at 1577836800000", None, "is no time"),
        ("--start-at 9999999999", None, "--start-at 2286-11-20T17:46:39Z is "),
    ] {
        let mut command = load(&server, flags);
        index.map(|index| command.env("JOB_COMPLETION_INDEX", index));
        let ended = run(&mut command, "");
        assert_eq!((ended.code, &*ended.stdout), (Some(2), ""), "{flags}: {ended:?}");
        let lines: Vec<_> = ended.stderr.lines().collect();
        assert!(lines.len() == 1 && lines[0].contains(expected), "{flags}: {ended:?}");
    }
    for flag in ["--shard 1/2", "--start-at 1"] {
        let ended = run(&mut load(&server, &format!("{flag} --find-max-rate --slo p99=1s")), "");
        assert!(
            ended.code == Some(2) && ended.stderr.contains("cannot be used with '--find-max-rate'"),
            "{ended:?}"
        );
    }
    assert_eq!(server.stop().receipt["accepted"], 0, "none has connected");
}
