//! `anyloop load` against real servers: what it prints, writes, and ends with.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::thread;

use rustix::process::Signal;
use serde_json::Value;

use crate::process::{Ended, Process, anyloop, run};
use crate::server::{Server, backends};

/// Runs `load` for a moment, with these flags, parted by spaces.
fn load(address: &str, flags: &str) -> Ended {
    let mut arguments = vec!["load", address];
    arguments.extend(flags.split_whitespace());
    let mut command = anyloop(&arguments);
    for (name, value) in [("CONNECTIONS", "1"), ("DURATION", "100ms"), ("WARMUP", "50ms")] {
        command.env(format!("ANYLOOP_{name}"), value);
    }
    run(&mut command, "")
}

/// A file for this test alone.
fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{name}", std::process::id()))
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn it_finds_out_what_each_handler_says_on_every_backend() {
    for backend in backends() {
        for handler in ["echo", "counter", "counter --language en", "ack", "work"] {
            let server = Server::start(&format!("--backend {backend} --handler {handler}"));
            let ended = load(&server.address.to_string(), "--depth 4");
            assert_eq!(ended.code, Some(0), "{backend} {handler}: {ended:?}");
            assert!(ended.stdout.contains("verified, all as they should be"), "{ended:?}");
            assert_eq!(ended.stderr, "");
            assert_eq!(server.stop().receipt["failed"], 0, "{backend} {handler}");
        }
    }
}

#[test]
fn it_speaks_other_framings() {
    for handler in ["echo", "counter", "ack"] {
        let server = Server::start(&format!("--handler {handler} --framing length"));
        let ended =
            load(&server.address.to_string(), "--depth 4 --framing length --message-size uniform:2-9000");
        assert_eq!(ended.code, Some(0), "{handler}: {ended:?}");
        assert!(ended.stdout.contains("verified, all as they should be"), "{ended:?}");
        assert_eq!(server.stop().receipt["failed"], 0, "{handler}");
    }
    let server = Server::start("--handler echo --framing length");
    let ended = load(&server.address.to_string(), "");
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("in the framing `line`"), "{ended:?}");
}

#[test]
fn json_has_rates_percentiles_and_counts() {
    let server = Server::start("--handler echo");
    let address = server.address.to_string();
    let ended = load(&address, "--rate 200 --duration 1s --json -");
    let measured = json(&ended.stdout);
    assert!(measured["offered_rate"].as_f64().unwrap() > 150.0, "{measured}");
    assert!(measured["achieved_rate"].as_f64().unwrap() > 0.0);
    assert!(measured["latency"]["percentiles"]["p99"].as_f64().unwrap() > 0.0);
    assert!(measured["service"]["percentiles"]["p50"].as_f64().unwrap() > 0.0);
    assert_eq!(measured["verification"]["wrong"], 0);
    assert!(measured["verification"]["replies"].as_u64().unwrap() > 100);
    assert!(ended.stderr.contains("what users feel"), "the table gives way to the JSON: {ended:?}");
}

#[test]
fn files_are_written_and_merged() {
    let server = Server::start("--handler echo");
    let (one, csv, hgrm) = (file("one.json"), file("one.csv"), file("one.hgrm"));
    let flags = format!("--json {} --csv {} --hgrm {}", one.display(), csv.display(), hgrm.display());
    assert_eq!(load(&server.address.to_string(), &flags).code, Some(0));
    assert_eq!(fs::read_to_string(csv).unwrap().lines().count(), 2);
    assert!(fs::read_to_string(hgrm).unwrap().contains("#[Max"));
    let one = one.to_str().unwrap();
    let merged = run(&mut anyloop(&["load", "merge", one, one, "--json", "-"]), "");
    assert_eq!(merged.code, Some(0), "{merged:?}");
    let (merged, one) = (json(&merged.stdout), json(&fs::read_to_string(one).unwrap()));
    for count in ["/latency/count", "/verification/replies", "/connections"] {
        let of = |value: &Value| value.pointer(count).and_then(Value::as_u64).unwrap();
        assert_eq!(of(&merged), 2 * of(&one), "{count}");
    }
}

#[test]
fn an_objective_is_kept_or_missed() {
    let server = Server::start("--handler echo");
    let address = server.address.to_string();
    let ended = load(&address, "--slo p50=60s");
    assert!(ended.code == Some(0) && ended.stdout.starts_with("PASS "), "{ended:?}");
    let ended = load(&address, "--slo p50=1ns");
    assert!(ended.code == Some(1) && ended.stdout.starts_with("FAIL "), "{ended:?}");
}

#[test]
fn the_highest_rate_is_searched() {
    let server = Server::start("--handler echo");
    let ended = load(&server.address.to_string(), "--slo p99=60s --find-max-rate --connections 4");
    assert!(ended.stdout.contains("p99=60s is kept at "), "{ended:?}");
    let ended = load(&server.address.to_string(), "--slo p50=1ns --find-max-rate");
    assert!(ended.code == Some(1) && ended.stdout.contains("p50=1ns fails at "), "{ended:?}");
}

#[test]
fn bad_replies_are_code_4() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for socket in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                let mut replies = socket.try_clone().unwrap();
                for (count, line) in BufReader::new(socket).lines().map_while(Result::ok).enumerate() {
                    let line = if count == 50 { line.to_uppercase() + "!" } else { line };
                    if replies.write_all(format!("{line}\n").as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    let ended = load(&address, "--expect echo --duration 500ms");
    assert_eq!(ended.code, Some(4), "{ended:?}");
    assert!(ended.stdout.contains("VERIFICATION FAILED") && ended.stdout.contains("wrong: connection"));
    assert_eq!(load(&address, "--expect any").code, Some(0));
}

#[test]
fn what_is_refused_or_not_there_is_said() {
    let server = Server::start("--backend smol --handler echo --max-connections 1");
    let address = server.address.to_string();
    let held = server.connect();
    let ended = load(&address, "");
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("the server refuses: ERR busy"), "{ended:?}");
    drop(held);
    drop(server);
    let ended = load(&address, "");
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains(&format!("can't connect to {address}")), "{ended:?}");
}

#[test]
fn an_interruption_shows_what_there_is() {
    let server = Server::start("--handler echo");
    let mut process = Process::start(&mut anyloop(&[
        "load",
        &server.address.to_string(),
        "--duration",
        "1h",
        "--json",
        "-",
    ]));
    // It has begun when the server has clients; the signal may come at any time after that.
    while json(&process_count(&server)) == 0 {
        thread::yield_now();
    }
    process.signal(Signal::INT);
    assert!(process.line().starts_with('{'));
    let ended = process.end();
    assert!(ended.stdout.contains("\"interrupted\": true"), "{ended:?}");
}

/// How many sockets the server has beside its own, as a JSON number.
fn process_count(server: &Server) -> String {
    let sockets = fs::read_to_string("/proc/net/tcp").unwrap();
    let port = format!(":{:04X} ", server.address.port());
    // Established connections, state 01, whose local end is the server.
    let held = |line: &&str| line.contains(&port) && line.split_whitespace().nth(3) == Some("01");
    sockets.lines().filter(held).count().to_string()
}

#[test]
fn wrong_usage_is_explained() {
    for (arguments, expected) in [
        ("", "<HOST:PORT>"),
        ("8888", "it has no port"),
        ("127.0.0.1:1 --rate 0", "`0` is no rate"),
        ("127.0.0.1:1 --message-size 32", "`32` is no choice of sizes"),
        ("127.0.0.1:1 --message-size fixed:1", "choose sizes from 2"),
        ("127.0.0.1:1 --message-size uniform:9-3", "messages of 9 to 3 B can't be made"),
        ("127.0.0.1:1 --connections 0", "0 is no number of connections"),
        ("127.0.0.1:1 --depth 0", "0 is no number of depth"),
        ("127.0.0.1:1 --threads 9 --connections 8", "9 threads have nothing to do"),
        ("127.0.0.1:1 --connections 900000", "open files leave room for"),
        ("127.0.0.1:1 --slo 5ms", "write one such as p99=5ms"),
        ("127.0.0.1:1 --find-max-rate", "--slo"),
        ("127.0.0.1:1 --duration 0", "write a time above 0"),
        ("127.0.0.1:1 --messages-per-connection 0", "choose at least one"),
        ("127.0.0.1:1 --framing raw", "[possible values: line, length]"),
        ("127.0.0.1:1 --expect all", "[possible values: echo, counter, counter-en, ack, any, greeted]"),
        ("merge", "<FILE>"),
        ("merge /nowhere.json", "/nowhere.json can't be merged"),
        ("merge /dev/null", "it is no measurement of `load`"),
        ("127.0.0.1:1 --json /nowhere/file", "can't write /nowhere/file"),
    ] {
        let mut all = vec!["load"];
        all.extend(arguments.split_whitespace());
        let ended = run(&mut anyloop(&all), "");
        assert!(ended.code == Some(2) && ended.stderr.contains(expected), "{arguments}: {ended:?}");
    }
}
