//! `anyloop load --subscribe` against servers that push messages, correct ones and others.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;

use rustix::process::Signal;
use serde_json::Value;

use crate::process::{Ended, anyloop, run};
use crate::pseudoterminal::Terminal;
use crate::server::{Server, lines};

/// How many times a server pushes a message to a subscriber, by its index from 0.
type Times = fn(usize) -> usize;

/// A server that replies `ok` to each line, and pushes the others' lines to each connection that said `subscribe`. It
/// ends with the test.
fn fanout(times: Times) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let subscribers: Arc<Mutex<Vec<(TcpStream, usize)>>> = Arc::default();
    thread::spawn(move || {
        for socket in listener.incoming().map_while(Result::ok) {
            let subscribers = Arc::clone(&subscribers);
            thread::spawn(move || converse(&socket, &subscribers, times));
        }
    });
    address
}

fn converse(mut socket: &TcpStream, subscribers: &Mutex<Vec<(TcpStream, usize)>>, times: Times) {
    socket.set_nodelay(true).unwrap();
    for line in BufReader::new(socket).lines().map_while(Result::ok) {
        let mut subscribers = subscribers.lock().unwrap();
        if line == "subscribe" {
            subscribers.push((socket.try_clone().unwrap(), 0));
        } else {
            for (subscriber, count) in &mut *subscribers {
                // It may be gone.
                let _ = subscriber.write_all(format!("{line}\n").repeat(times(*count)).as_bytes());
                *count += 1;
            }
        }
        if socket.write_all(b"ok\n").is_err() {
            return;
        }
    }
}

/// Runs `load` for a moment with two senders.
fn load(address: &str, flags: &str) -> Ended {
    let short = ["load", address, "-c", "2", "-d", "200ms", "--warmup", "0"];
    run(&mut anyloop(&[&short[..], &flags.split_whitespace().collect::<Vec<_>>()].concat()), "")
}

/// A file for this test alone.
fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-pushes-{name}", std::process::id()))
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn pushes_are_verified_and_reported() {
    let address = fanout(|_| 1);
    for (flags, subscribers) in [("", 3), ("--rate 500 --threads 2", 3), ("--rate 200", 100)] {
        let ended = load(&address, &format!("{flags} --subscribe {subscribers}"));
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
        assert!(ended.stdout.contains(&format!(" delivered to {subscribers} subscribers, ")), "{ended:?}");
        assert!(ended.stdout.contains("; 0 missed, and none was wrong"), "{ended:?}");
    }
    let ended = load(&address, "--subscribe 3 --format json");
    let measured = json(&ended.stdout);
    let count = |of: &str| measured.pointer(of).and_then(Value::as_u64).unwrap();
    assert_eq!(count("/pushes/delivered"), 3 * count("/verification/replies"), "{measured}");
    assert_eq!((count("/pushes/subscribers"), count("/pushes/missed")), (3, 0));
    assert_eq!(count("/pushes/delay/count"), count("/pushes/delivered"));
    assert!(measured["pushes"]["rate"].as_f64().unwrap() > 0.0);
    let none = load(&address, "--subscribe 0 --expect ok --format json");
    assert!(none.code == Some(0) && json(&none.stdout).get("pushes").is_none(), "{none:?}");
}

#[test]
fn measurements_with_pushes_are_merged() {
    let address = fanout(|_| 1);
    let files = ["one.json", "two.json"].map(file);
    let [one, two] = files.each_ref().map(|file| file.to_str().unwrap());
    for file in [one, two] {
        let ended =
            load(&address, &format!("--subscribe 2 --json {file} --csv {file}.csv --hlog {file}.hlog"));
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(
            fs::read_to_string(format!("{file}.csv")).unwrap().contains(",subscribers,delivered,missed,")
        );
        assert!(fs::read_to_string(format!("{file}.hlog")).unwrap().contains("Tag=delay,"));
    }
    let merged = run(&mut anyloop(&["merge", one, two, "--allow-apart", "--format", "json"]), "");
    assert_eq!(merged.code, Some(0), "{merged:?}");
    let [merged, one, two] =
        [merged.stdout, fs::read_to_string(one).unwrap(), fs::read_to_string(two).unwrap()]
            .map(|of| json(&of));
    for count in ["/pushes/subscribers", "/pushes/delivered", "/pushes/delay/count"] {
        let of = |value: &Value| value.pointer(count).and_then(Value::as_u64).unwrap();
        assert_eq!(of(&merged), of(&one) + of(&two), "{count}");
    }
}

#[test]
fn a_missed_push_is_no_failure_and_a_doubled_one_is() {
    let ended = load(&fanout(|index| usize::from(index != 2)), "--subscribe 3");
    assert!(ended.code == Some(0) && ended.stdout.contains("; 3 missed, and none was wrong"), "{ended:?}");
    let ended = load(&fanout(|index| 1 + usize::from(index == 2)), "--subscribe 3");
    assert_eq!(ended.code, Some(4), "{ended:?}");
    assert!(ended.stdout.contains("0 wrong, 3 doubled, 0 reordered"), "{ended:?}");
    assert!(ended.stdout.contains("doubled: subscriber "), "{ended:?}");
}

#[test]
fn without_any_push_nothing_is_measured() {
    let mut short = anyloop(&["load", &fanout(|_| 0), "--subscribe", "2", "--duration", "100ms"]);
    short.args(["--reply-timeout", "200ms"]);
    let ended = run(short.env("ANYLOOP_LOAD_WARMUP", "0").env("ANYLOOP_LOAD_CONNECTIONS", "1"), "");
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stdout.contains("pushes   0 delivered to 2 subscribers"), "{ended:?}");
}

#[test]
fn a_server_without_subscriptions_is_explained() {
    let server = Server::start("--handler echo");
    for (address, flags, expected) in [
        (server.address.to_string(), "", "the server says `subscribe` to `subscribe`; is it one"),
        (server.address.to_string(), "--subscribe-message hello", "the server says `hello` to `hello`"),
        (lines(|_, _| "ERR full\n".into()), "", "could not subscribe: the server refuses: ERR full"),
    ] {
        let ended = load(&address, &format!("--subscribe 2 {flags}"));
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{ended:?}");
        let told = format!("error: can't subscribe to {address}: subscriber ");
        assert!(ended.stderr.starts_with(&told) && ended.stderr.contains(expected), "{ended:?}");
    }
}

#[test]
fn the_reply_timeout_bounds_the_wait() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap(); // it accepts nobody, so the system does
    let address = listener.local_addr().unwrap().to_string();
    let ended = load(&address, "--subscribe 1 --reply-timeout 50ms");
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{ended:?}");
    assert!(ended.stderr.contains("the server did not answer within 50ms"), "{ended:?}");
    let ended = load(&address, "--expect any --reply-timeout 50ms --format json");
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(json(&ended.stdout).pointer("/failures/unserved") == Some(&2.into()), "{ended:?}");
    let none = load(&address, "--reply-timeout 0");
    assert!(none.code == Some(2) && none.stderr.contains("--reply-timeout: `0`"), "{none:?}");
}

#[test]
fn the_subscription_may_be_any_message() {
    let address = lines(|_, line| if line == "-x y" { "ok\n".into() } else { "ERR what\n".into() });
    let flags = ["--subscribe", "1", "--subscribe-message", "-x y", "--allow-refusals"];
    let ended = run(&mut anyloop(&[&["load", &address, "-c", "1", "-d", "100ms"][..], &flags].concat()), "");
    // It subscribes, and all messages are refused.
    assert!(ended.stdout.contains("pushes   0 delivered to 1 subscriber, 0 /s; 0 missed"), "{ended:?}");
}

#[test]
fn a_terminal_shows_the_pushes() {
    let address = fanout(|_| 1);
    let flags = "-c 2 -d 1h --warmup 0 --subscribe 3";
    let mut terminal =
        Terminal::start(&[&["load", &address], &*flags.split(' ').collect::<Vec<_>>()].concat());
    terminal.see("/s done  ");
    terminal.see("/s pushed  p50 ");
    terminal.signal(Signal::INT);
    terminal.see("delivered to 3 subscribers, ");
    assert_eq!(terminal.end(), Some(130));
}

#[test]
fn wrong_usage_is_explained() {
    let requests = file("requests");
    fs::write(&requests, "GET /\n").unwrap();
    for (flags, expected) in [
        ("--framing http", "in the framing `http`; use it with `line`"),
        ("--framing http --messages {requests}", "in the framing `http`; use it with `line`"),
        (
            "--framing resp",
            "--subscribe can't find pushes among replies in the framing `resp`; use it with `line`",
        ),
        ("--message hello", "--subscribe needs generated messages"),
        ("--message-size 31", "messages of 31 bytes are too short for --subscribe"),
        ("--message-size uniform:16-99", "messages of 16 bytes are too short for --subscribe"),
        ("--messages-per-connection 3", "--messages-per-connection makes new senders"),
        ("--reconnect", "--reconnect makes new senders"),
        ("--slow-writers 1", "slow readers and slow writers send messages"),
        ("--expect echo", "a reply is not compared with its message; say --expect ok"),
        ("--subscribe-message a\nb", "--subscribe-message: `a\\nb` is several lines"),
        ("--handler echo", "a reply is not compared with its message; say --expect ok"),
        ("--subscribe 900000", "open files leave room for"),
        ("--subscribe 1M --connections 1k", "100000000 pairs"),
    ] {
        let flags = flags.replace("{requests}", requests.to_str().unwrap());
        let flags: Vec<_> = flags.split(' ').collect();
        let base: &[&str] = if flags.contains(&"--subscribe") { &[] } else { &["--subscribe", "2"] };
        let ended = run(&mut anyloop(&[&["load", "127.0.0.1:1"][..], base, &flags].concat()), "");
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{flags:?}: {ended:?}");
        assert!(ended.stderr.contains(expected), "{flags:?}: {ended:?}");
    }
}
