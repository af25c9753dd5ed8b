//! `anyloop load` against real servers: what it prints, writes, and ends with.

use std::fs;
use std::net::TcpListener;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::process::{BOUND, Ended, Process, anyloop, run};
use crate::pseudoterminal::Terminal;
use crate::server::{Server, backends, lines};

/// Runs `load` for a moment, with these flags, parted by spaces.
fn load(address: &str, flags: &str) -> Ended {
    let mut arguments = vec!["load", address];
    arguments.extend(flags.split_whitespace());
    let mut command = anyloop(&arguments);
    for (name, value) in [("CONNECTIONS", "1"), ("DURATION", "100ms"), ("WARMUP", "50ms")] {
        command.env(format!("ANYLOOP_LOAD_{name}"), value);
    }
    run(&mut command, "")
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn it_detects_the_replies_of_each_handler_on_every_backend() {
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
    let ended = load(&address, "--rate 2k --duration 1s --json -");
    let measured = json(&ended.stdout);
    assert!(measured["offered_rate"].as_f64().unwrap() > 1500.0, "{measured}");
    assert!(measured["achieved_rate"].as_f64().unwrap() > 0.0);
    assert!(measured["latency"]["percentiles"]["p99"].as_f64().unwrap() > 0.0);
    assert!(measured["service"]["percentiles"]["p50"].as_f64().unwrap() > 0.0);
    assert_eq!(measured["verification"]["wrong"], 0);
    assert!(measured["verification"]["replies"].as_u64().unwrap() > 100);
    assert!(ended.stderr.contains("offered 2 000 /s"), "the table gives way to the JSON: {ended:?}");
}

#[test]
fn stdout_is_json_only_on_request() {
    let server = Server::start("--handler echo");
    let ended = load(&server.address.to_string(), "--format json");
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    assert!(json(&ended.stdout)["verification"]["replies"].as_u64().unwrap() > 0);
}

#[test]
fn each_second_is_shown_with_details() {
    let server = Server::start("--handler echo");
    let ended = load(&server.address.to_string(), "--verbose --rate 100 --duration 1100ms");
    assert!(ended.stdout.contains("second      replies  longest"), "{ended:?}");
}

#[test]
fn a_terminal_shows_the_progress() {
    let server = Server::start("--handler echo");
    let address = server.address.to_string();
    let mut terminal = Terminal::start(&["load", &address, "-c", "2", "-d", "1h", "--warmup", "0"]);
    terminal.see("/3600 s ");
    terminal.see("/s done  p50 ");
    terminal.signal(Signal::INT);
    terminal.see("verified, all as they should be");
    assert_eq!(terminal.end(), Some(130));
}

#[test]
fn a_terminal_shows_the_progress_and_each_step_of_a_search() {
    let server = Server::start("--handler echo");
    let address = server.address.to_string();
    let flags = "-c 2 -d 1h --warmup 0 --slo max=1h --find-max-rate";
    let mut terminal =
        Terminal::start(&[&["load", &address], &*flags.split(' ').collect::<Vec<_>>()].concat());
    terminal.see("/2 s step 1, a closed loop: ");
    terminal.see("/s done  p50 ");
    terminal.see("/2 s step 2, ramp: ");
    terminal.see("/s offered  ");
    terminal.see("/s done  p50 ");
    terminal.signal(Signal::INT);
    terminal.see("interrupted");
    assert_eq!(terminal.end(), Some(130));
}

#[test]
fn an_objective_is_met_or_missed() {
    let server = Server::start("--handler echo");
    let address = server.address.to_string();
    // One message is due, at the beginning, so that no delay lets the rate be missed.
    let ended = load(&address, "--rate 9 --warmup 0 --slo max=1h");
    assert!(ended.code == Some(0) && ended.stdout.starts_with("PASS "), "{ended:?}");
    let ended = load(&address, "--rate 9 --warmup 0 --slo max=1ns");
    assert!(ended.code == Some(5) && ended.stdout.starts_with("FAIL "), "{ended:?}");
}

#[test]
fn the_highest_rate_is_searched() {
    let server = Server::start("--handler echo");
    let ended =
        load(&server.address.to_string(), "--slo p99=60s --find-max-rate --connections 4 --duration 1s");
    assert!(ended.stdout.contains("p99=60s is met at "), "{ended:?}");
    let ended = load(&server.address.to_string(), "--slo p50=1ns --find-max-rate");
    assert!(ended.code == Some(5) && ended.stdout.contains("p50=1ns fails at "), "{ended:?}");
}

#[test]
fn bad_replies_are_code_4() {
    let address = lines(|count, line| match count {
        50 => format!("{}!\n", line.to_uppercase()),
        _ => format!("{line}\n"),
    });
    let ended = load(&address, "--expect echo --duration 500ms");
    assert_eq!(ended.code, Some(4), "{ended:?}");
    assert!(ended.stdout.contains("VERIFICATION FAILED") && ended.stdout.contains("wrong: connection"));
    assert_eq!(load(&address, "--expect any").code, Some(0));
}

#[test]
fn refused_and_missing_servers_are_reported() {
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
fn a_load_in_whose_time_no_reply_came_has_failed() {
    // The message of the warm-up is answered when the measured time has passed.
    let address = lines(|_, line| {
        thread::sleep(Duration::from_millis(200));
        format!("{line}\n")
    });
    let ended = load(&address, "--expect echo --warmup 50ms --duration 1ms");
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let told = "NOTHING MEASURED: no reply came within the measured time; measure for longer by --duration\n";
    assert!(ended.stdout.contains(told) && ended.stdout.contains("replies  1 verified"), "{ended:?}");
    assert!(!ended.stdout.contains("bottleneck"), "{ended:?}");
}

#[test]
fn an_interruption_shows_the_results_so_far() {
    let server = Server::start("--handler echo");
    let mut process = Process::start(&mut anyloop(&[
        "load",
        &server.address.to_string(),
        "--duration",
        "1h",
        "--json",
        "-",
    ]));
    // It has begun when the server has all its clients; the signal may come at any time after that.
    wait_for_clients(&server, 64);
    process.signal(Signal::INT);
    assert!(process.line().starts_with('{'));
    let ended = process.end();
    assert!(ended.stdout.contains("\"interrupted\": true"), "{ended:?}");
    assert_eq!(ended.code, Some(130));
}

#[test]
fn an_interruption_while_connecting_ends_it_at_once() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        // It lets clients in, and says nothing.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = silent.local_addr().unwrap().to_string();
        let process = Process::start(&mut anyloop(&["load", &address]));
        let _client = silent.accept().unwrap();
        process.signal(signal);
        let ended = process.end();
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(130), ""), "{ended:?}");
        assert_eq!(ended.stderr, "error: interrupted before anything was measured\n");
    }
}

#[test]
fn a_hangup_that_is_ignored_stays_so() {
    let server = Server::start("--handler echo");
    let script = format!(
        "trap '' HUP; exec {} load {} --duration 2s --warmup 0",
        env!("CARGO_BIN_EXE_anyloop"),
        server.address
    );
    let process = Process::start(Command::new("sh").args(["-c", &script]));
    wait_for_clients(&server, 64);
    process.signal(Signal::HUP);
    let ended = process.end();
    assert!(ended.code == Some(0) && !ended.stdout.contains("interrupted"), "{ended:?}");
}

#[test]
fn all_addresses_of_a_name_are_tried() {
    let server = Server::start("--handler echo");
    let ended = load(&format!("localhost:{}", server.address.port()), "");
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[test]
fn lines_may_end_with_a_carriage_return() {
    let address = lines(|_, line| format!("{line}\r\n"));
    for flags in ["", "--expect echo"] {
        let ended = load(&address, flags);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(ended.stdout.contains("verified, all as they should be"), "{ended:?}");
    }
}

#[test]
fn a_greeting_that_shifts_all_replies_is_code_4() {
    let address = lines(|count, line| match count {
        0 => format!("hello\nhow are you?\n{line}\n"),
        _ => format!("{line}\n"),
    });
    let ended = load(&address, "--expect greeted");
    assert_eq!(ended.code, Some(4), "{ended:?}");
    assert!(ended.stdout.contains("1 not asked for"), "{ended:?}");
    assert!(ended.stdout.contains("greet in several lines"), "{ended:?}");
}

#[test]
fn connections_that_end_early_are_reported() {
    let mut server = Server::start("--handler echo");
    let flags = ["--duration", "1h", "--connections", "8", "--expect", "echo"];
    let address = server.address.to_string();
    let process = Process::start(&mut anyloop(&[&["load", &address][..], &flags].concat()));
    wait_for_clients(&server, 8);
    server.process.signal(Signal::KILL);
    let ended = process.end();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let told = ["stopped early: ", "no connection was left"];
    assert!(told.iter().all(|told| ended.stdout.contains(told)), "{ended:?}");
    assert!(ended.stdout.contains("8 connections ended early"), "{ended:?}");
    assert!(!ended.stdout.contains("as they should be"), "{ended:?}");
    server.process.stop_listening();
}

#[test]
fn a_missing_process_to_watch_is_an_error() {
    let server = Server::start("--handler echo");
    let address = server.address.to_string();
    let mut gone = Command::new("true").spawn().unwrap();
    gone.wait().unwrap();
    let ended = load(&address, &format!("--server-pid {}", gone.id()));
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{ended:?}");
    assert!(
        ended.stderr.contains(&format!("--server-pid {}: there is no such process", gone.id())),
        "{ended:?}"
    );
    let watched = server.process.id();
    let ended = load(&address, &format!("--server-pid {watched} --duration 300ms"));
    assert!(ended.code == Some(0) && ended.stdout.contains("of CPU time per message"), "{ended:?}");
}

/// Waits until a server has this number of clients.
fn wait_for_clients(server: &Server, count: usize) {
    let until = Instant::now() + BOUND;
    while clients(server) != count {
        assert!(Instant::now() < until, "there are {} clients, and never {count}", clients(server));
        thread::yield_now();
    }
}

/// How many established connections there are whose local end is the server.
fn clients(server: &Server) -> usize {
    let sockets = fs::read_to_string("/proc/net/tcp").unwrap();
    let port = format!(":{:04X}", server.address.port());
    let held = |line: &&str| {
        let fields: Vec<_> = line.split_whitespace().collect();
        fields.get(1).is_some_and(|local| local.ends_with(&port)) && fields.get(3) == Some(&"01")
    };
    sockets.lines().filter(held).count()
}

#[test]
fn wrong_usage_is_explained() {
    for (arguments, expected) in [
        ("", "<HOST:PORT|unix:PATH>"),
        ("8888", "it has no host; write 127.0.0.1:8888\n"),
        ("localhost", "it has no port"),
        ("127.0.0.1:1 --rate 0", "`0` is not a rate"),
        ("127.0.0.1:1 --message-size 32k", "`32k` is not a valid choice of sizes"),
        ("127.0.0.1:1 --message-size fixed:1", "choose sizes from 2"),
        ("127.0.0.1:1 --message-size uniform:9-3", "messages of 9 to 3 B can't be made"),
        ("127.0.0.1:1 --connections 0", "`0` is not a count from 1 to 1000000"),
        ("127.0.0.1:1 --depth 0", "`0` is not a count from 1 to 1000000"),
        ("127.0.0.1:1 --threads 9 --connections 8", "9 --threads have nothing to do with 8 --connections"),
        ("127.0.0.1:1 --connections 900000", "open files leave room for"),
        ("127.0.0.1:1 --slo 5ms", "write one such as p99=5ms"),
        ("127.0.0.1:1 --find-max-rate", "--slo"),
        ("127.0.0.1:1 --slo p99=5ms", "--slo p99=5ms needs --rate"),
        ("127.0.0.1:1 --cpus a", "`a` is not a core; write the numbers of cores"),
        ("127.0.0.1:1 --dispatch none", "not one of: each, any"),
        ("127.0.0.1:1 --format json --csv -", "--format json uses standard output"),
        ("127.0.0.1:1 --duration 0", "`0` is too short; write at least 1ms"),
        ("127.0.0.1:1 --duration 999us", "`999us` is too short; write at least 1ms"),
        ("127.0.0.1:1 --duration=-1s", "such as 500ms, 1.5s or 2m\n"),
        ("127.0.0.1:1 --reply-timeout=-1s", "such as 500ms, 1.5s or 2m\n"),
        ("127.0.0.1:1 --warmup=-1s", "such as 500ms, 1.5s, 2m or 0\n"),
        ("127.0.0.1:1 --messages-per-connection 0", "`0` is not a count from 1 to"),
        ("127.0.0.1:1 --framing raw", "not one of: line, length, resp, http"),
        ("127.0.0.1:1 --expect all", "not one of: echo, counter, counter-en, ack, ok, any, greeted"),
        ("127.0.0.1:1 --json /nowhere/file", "can't write /nowhere/file"),
    ] {
        let mut all = vec!["load"];
        all.extend(arguments.split_whitespace());
        let ended = run(&mut anyloop(&all), "");
        assert!(ended.code == Some(2) && ended.stderr.contains(expected), "{arguments}: {ended:?}");
    }
}
