//! `load --history` and `anyloop verify`: what a history says of servers that are sound, and of others.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use rustix::process::Signal;
use serde_json::Value;

use crate::process::{BOUND, Ended, Process, anyloop, run};
use crate::server::{Server, backends, lines};

/// A file for this test alone, which is removed with this.
pub(crate) struct History(PathBuf);

impl History {
    pub(crate) fn new(name: &str) -> Self {
        let name = format!("{}-history-{name}", std::process::id());
        Self(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name))
    }

    pub(crate) fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }

    /// `load` with these flags, parted by spaces, which writes the history.
    pub(crate) fn load(&self, address: &str, flags: &str) -> Command {
        let mut arguments = vec!["load", address, "--history", self.path(), "--warmup", "0"];
        arguments.extend(flags.split_whitespace());
        anyloop(&arguments)
    }

    /// `verify` with these flags, parted by spaces.
    pub(crate) fn verify(&self, flags: &str) -> Ended {
        let mut arguments = vec!["verify", self.path()];
        arguments.extend(flags.split_whitespace());
        run(&mut anyloop(&arguments), "")
    }

    /// The exit code of `verify`, and its verdict.
    pub(crate) fn verdict(&self, flags: &str) -> (Option<i32>, Value) {
        let ended = self.verify(&format!("{flags} --format json"));
        let verdict = serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended:?}"));
        (ended.code, verdict)
    }
}

impl Drop for History {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0); // a test that failed may not have written it
    }
}

#[test]
fn every_handler_on_every_backend_has_a_sound_history() {
    for backend in backends() {
        for (handler, flags) in [
            ("echo", "--message-size uniform:2-9000"),
            ("counter", ""),
            ("counter --language en", ""),
            ("ack", ""),
            ("echo --framing length", "--framing length --expect echo"),
        ] {
            let history = History::new("sound");
            let server = Server::start(&format!("--backend {backend} --handler {handler}"));
            let flags = format!("-c 1 -d 100ms --depth 4 {flags}");
            let loaded = run(&mut history.load(&server.address.to_string(), &flags), "");
            assert_eq!(loaded.code, Some(0), "{backend} {handler}: {loaded:?}");
            let (code, verdict) = history.verdict("");
            assert_eq!((code, &verdict["passes"]), (Some(0), &true.into()), "{backend} {handler}: {verdict}");
            assert!(verdict["answered"].as_u64().unwrap() > 0 && verdict["answered"] == verdict["requests"]);
        }
    }
}

#[test]
fn several_threads_and_changing_connections_make_one_history() {
    let (history, server) = (History::new("threads"), Server::start("--handler echo"));
    let flags = "-c 8 -d 500ms --threads 4 --depth 4 --messages-per-connection 50 --expect echo";
    let loaded = run(&mut history.load(&server.address.to_string(), flags), "");
    assert_eq!(loaded.code, Some(0), "{loaded:?}");
    let (code, verdict) = history.verdict("");
    assert_eq!(code, Some(0), "{verdict}");
    let count = |name: &str| verdict[name].as_u64().unwrap();
    assert!(count("connections") > 8 && count("answered") <= 50 * count("connections"), "{verdict}");
    // The receipt of a clean drain knows the same number.
    let handled = server.stop().receipt["messages"].to_string();
    assert_eq!(history.verify(&format!("--handled {handled}")).code, Some(0), "{handled}: {verdict}");
    let more = count("answered") + 3;
    let ended = history.verify(&format!("--handled {more}"));
    assert_eq!(ended.code, Some(4), "{ended:?}");
    assert!(ended.stdout.ends_with("messages: 3 were handled and not answered\n"), "{ended:?}");
    assert!(!ended.stdout.contains("no violation"), "{ended:?}");
    let violations = &history.verdict(&format!("--handled {more}")).1["violations"];
    let only = serde_json::json!([{ "fault": "unaccounted", "handled": more, "accounted": more - 3 }]);
    assert_eq!(*violations, only);
}

#[test]
fn the_message_that_determines_the_replies_is_in_the_history() {
    for handler in ["echo", "counter", "ack", "fanout"] {
        let (history, server) = (History::new("probe"), Server::start(&format!("--handler {handler}")));
        let loaded = run(&mut history.load(&server.address.to_string(), "-c 5 -d 100ms"), "");
        assert_eq!(loaded.code, Some(0), "{handler}: {loaded:?}");
        let handled = &server.stop().receipt["messages"];
        let (code, verdict) = history.verdict(&format!("--handled {handled}"));
        assert_eq!((code, &verdict["connections"]), (Some(0), &6.into()), "{handler}, {handled}: {verdict}");
    }
}

#[test]
fn messages_that_are_not_in_the_history_leave_the_handled_ones_open() {
    for (handler, flags) in [
        ("echo", "--slow-readers 1"),
        ("echo", "--slow-writers 1"),
        ("echo", "--shard 1/2"),
        ("fanout", "--subscribe 1"),
    ] {
        let server = Server::start(&format!("--handler {handler}"));
        let history = History::new("open");
        let flags = format!("-c 2 -d 100ms --handler {handler} {flags}");
        let loaded = run(&mut history.load(&server.address.to_string(), &flags), "");
        assert_eq!(loaded.code, Some(0), "{flags}: {loaded:?}");
        assert_eq!(history.verify("").code, Some(0), "{flags}");
        let ended = history.verify("--handled 1000000");
        assert_eq!(ended.code, Some(3), "{flags}: {ended:?}");
        assert!(ended.stdout.contains("has no verdict: hostile clients"), "{flags}: {ended:?}");
    }
}

/// The text of `verify` for a server that replies so, which is not sound.
fn judged(answer: fn(usize, String) -> String, flags: &str) -> String {
    let (history, address) = (History::new("judged"), lines(answer));
    let loaded = run(&mut history.load(&address, &format!("-d 200ms --expect echo {flags}")), "");
    assert!(matches!(loaded.code, Some(1 | 4)), "{loaded:?}");
    let ended = history.verify("");
    assert_eq!(ended.code, Some(4), "{ended:?}");
    ended.stdout
}

#[test]
fn what_a_server_does_wrong_is_found_and_named() {
    let text = judged(|count, line| format!("{}\n", if count == 5 { "wrong" } else { &line }), "-c 1");
    assert!(text.contains("VIOLATION: connection 0, request 5, at "), "{text}");
    assert!(text.contains("another reply: 5 bytes with the hash "), "{text}");

    let altered = |count, line: String| match count {
        5 => format!("{}\n", line.replace(|letter: char| letter.is_ascii_lowercase(), "#")),
        _ => format!("{line}\n"),
    };
    assert!(judged(altered, "-c 1").contains("another reply: 31 bytes with the hash "));

    let doubled = |count, line| if count == 5 { format!("{line}\n{line}\n") } else { format!("{line}\n") };
    let text = judged(doubled, "-c 1");
    assert!(text.contains("request 5, at ") && text.contains("doubled: its reply came again"), "{text}");

    let refused = |count, line| format!("{}{line}\n", if count == 5 { "ERR later\n" } else { "" });
    let text = judged(refused, "-c 1");
    assert!(text.contains("answered after a refusal"), "{text}");

    let lost = |count, line| if count == 5 { String::new() } else { format!("{line}\n") };
    let text = judged(lost, "-c 1 --depth 4");
    assert!(text.contains("request 5, at ") && text.contains("lost: no reply came"), "{text}");

    static LATER: Mutex<String> = Mutex::new(String::new());
    let swapped = |count, line: String| match count {
        5 => {
            *LATER.lock().unwrap() = line;
            String::new()
        }
        6 => format!("{line}\n{}\n", LATER.lock().unwrap()),
        _ => format!("{line}\n"),
    };
    let text = judged(swapped, "-c 1 --depth 4");
    assert!(text.contains("request 5, at ") && text.contains("reordered: its reply came after"), "{text}");
}

#[test]
fn another_connections_reply_is_named() {
    static LEAKED: Mutex<Option<String>> = Mutex::new(None);
    let leaks = |count, line: String| {
        // A message has the number of its connection behind its own.
        let connection = |line: &str| line.get(8..16).unwrap_or_default().to_owned();
        let mut leaked = LEAKED.lock().unwrap();
        let earlier = leaked.get_or_insert_with(|| line.clone());
        let is_others = count == 20 && connection(earlier) != connection(&line);
        if is_others { format!("{earlier}\n{line}\n") } else { format!("{line}\n") }
    };
    let text = judged(leaks, "-c 2");
    assert!(text.contains("foreign: the reply to request 0 of connection "), "{text}");
}

#[test]
fn alike_messages_show_neither_order_nor_owner() {
    let (history, server) = (History::new("alike"), Server::start("--handler echo"));
    let address = server.address.to_string();
    for (flags, order, owner) in [
        ("-c 1 --depth 1 --message hello", false, false),
        ("-c 1 --depth 2 --message hello", true, false),
        ("-c 2 --depth 1 --message hello", false, true),
        ("-c 2 --depth 2 --message hello", true, true),
        ("-c 2 --depth 2", false, false),
    ] {
        run(&mut history.load(&address, &format!("-d 100ms --threads 1 --expect echo {flags}")), "");
        let ended = history.verify("");
        assert_eq!(ended.code, Some(0), "{flags}: {ended:?}");
        for (text, expected) in [
            ("at once on a connection: this does not show their order\n", order),
            ("on several connections: this does not show whose a reply was\n", owner),
            ("each by its own reply, in order and unaltered\n", !order && !owner),
        ] {
            assert_eq!(ended.stdout.contains(text), expected, "{flags}: {ended:?}");
        }
        let verdict = history.verdict("").1;
        let count = |name: &str| verdict[name].as_u64().unwrap();
        // All but the first ones of each connection.
        let most = count("requests") / 2 - 2;
        assert_eq!(count("alike_in_flight") > most, order, "{flags}: {verdict}");
        assert_eq!(count("alike_elsewhere") > most, owner, "{flags}: {verdict}");
    }
}

#[test]
fn a_history_that_is_cut_off_has_no_verdict() {
    let (history, server) = (History::new("cut"), Server::start("--handler echo"));
    let flags = "-c 4 -d 1h --depth 16 --expect echo";
    let loading = Process::start(&mut history.load(&server.address.to_string(), flags));
    wait_until(|| fs::metadata(history.path()).is_ok_and(|file| file.len() > 1 << 20));
    drop(loading); // killed
    let (code, verdict) = history.verdict("");
    assert_eq!((code, &verdict["is_complete"]), (Some(3), &false.into()), "{verdict}");
    assert!(verdict["violations"] == Value::Array(Vec::new()) && verdict["answered"].as_u64() > Some(1000));
}

#[test]
fn an_interruption_leaves_what_is_unanswered_unknown() {
    let history = History::new("interrupted");
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let loading = Process::start(&mut history.load(&address, "-c 1 -d 1h --depth 3 --expect echo"));
    let client = silent.accept().unwrap().0;
    client.set_read_timeout(Some(BOUND)).unwrap();
    assert!(client.peek(&mut [0]).unwrap() > 0, "it has begun");
    loading.signal(Signal::INT);
    assert_eq!(loading.end().code, Some(130));
    let (code, verdict) = history.verdict("");
    assert_eq!(code, Some(1), "nothing was answered: {verdict}");
    assert_eq!((&verdict["unknown"], &verdict["failed"]), (&3.into(), &0.into()), "{verdict}");
}

/// Waits until a condition holds.
pub(crate) fn wait_until(mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + BOUND;
    while !holds() {
        assert!(Instant::now() < until, "it never holds");
        thread::yield_now();
    }
}
