//! Serving: every backend, handler and framing, where it listens, and the receipt.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::process::{Command, Stdio};

use rustix::process::geteuid;
use serde_json::Value;

use crate::process::{anyloop, run, through};
use crate::server::{Server, backends, command};
use crate::tls_client::certified;
use crate::tool::Tool;

#[test]
fn every_backend_serves_a_client_and_counts_it() {
    for backend in backends() {
        let server = Server::start(&format!("--backend {backend}"));
        let ended = run(&mut anyloop(&["client", &server.address.to_string()]), "hello\n你好\nexit\n");
        assert_eq!(ended.stdout, "連接成功!\n第1條信息:hello\n第2條信息:你好\n", "{backend}");
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{backend}");
        let ended = server.stop();
        assert_eq!(ended.code, Some(0), "{backend}: {}", ended.log);
        assert_eq!(ended.receipt["accepted"], 1, "{backend}");
        assert_eq!(ended.receipt["finished"], 1, "{backend}");
        assert_eq!(ended.receipt["messages"], 3, "{backend}");
        assert_eq!(ended.receipt["reasons"]["exit"], 1, "{backend}");
        assert!(ended.log.contains("serving") && ended.log.contains(&format!("backend=\"{backend}\"")));
    }
}

/// As root without that one capability, and otherwise as the user that runs the tests.
#[test]
fn a_port_without_permission_is_an_error_before_anything_listens() {
    let first =
        fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap_or("1024".to_owned());
    if first.trim().parse::<u16>().is_ok_and(|first| first <= 443) {
        let why = format!("skipped: every user may listen on ports from {} up", first.trim());
        let _ = writeln!(std::io::stderr(), "{why}"); // not with a macro, whose output is captured in passing tests
        return;
    }
    let mut wrapper: &[&str] = &["env"];
    if geteuid().is_root() {
        if (Tool { name: "setpriv", package: "util-linux" }).run(&["--version"]).is_none() {
            return;
        }
        wrapper = &["setpriv", "--bounding-set=-net_bind_service", "--inh-caps=-net_bind_service"];
    }
    let (_authority, tls) = certified();
    let any = "--listen 127.0.0.1:0 --admin";
    for (flag, flags) in [
        ("--listen", "serve --listen 127.0.0.1:443".to_owned()),
        ("--listen", format!("serve {tls} --listen 127.0.0.1:443")),
        ("--admin", format!("serve {any} 127.0.0.1:443")),
        ("--listen", "handwritten tokio-careful --listen 127.0.0.1:443".to_owned()),
    ] {
        let arguments: Vec<_> = flags.split_whitespace().collect();
        let ended = run(&mut through(wrapper, &anyloop(&arguments)), "");
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{flags}: {ended:?}");
        let expected = format!(
            "error: can't listen on 127.0.0.1:443: that port needs the capability CAP_NET_BIND_SERVICE; grant it, have systemd \
             listen, or choose one from {} up with {flag}\n",
            first.trim()
        );
        assert_eq!(ended.stderr, expected, "{flags}");
    }
}

#[test]
fn every_handler_answers_in_every_framing() {
    for (flags, sent, expected) in [
        ("--handler counter --language en", "a\nb\n", "Connected!\nMessage 1: a\nMessage 2: b\n"),
        ("--handler echo", "a\nb\n", "a\nb\n"),
        ("--handler work --work block:1ms", "a\nb\n", "a\nb\n"),
        ("--handler work", "a\nb\n", "a\nb\n"),
        ("--handler counter --framing length", "\0\0\0\x01a", "\0\0\0\x0d連接成功!\0\0\0\x0f第1條信息:a"),
        ("--handler counter --framing raw", "a", "連接成功!第1條信息:a"),
    ] {
        let server = Server::start(flags);
        let mut client = server.connect();
        client.say(sent);
        client.half_close();
        assert_eq!(client.hear_all(), expected, "{flags}");
        assert_eq!(server.stop().code, Some(0));
    }
}

#[test]
fn it_listens_on_names_and_on_ipv6() {
    let mut addresses = vec!["localhost:0"];
    if TcpListener::bind("[::1]:0").is_ok() {
        addresses.push("[::1]:0");
    }
    for address in addresses {
        let server = Server::start(&format!("--listen {address}"));
        assert_ne!(server.address.port(), 0);
        assert_eq!(server.connect().hear(), "連接成功!");
    }
}

#[test]
fn a_port_can_be_taken_over_at_once() {
    for backend in backends() {
        let first = Server::start(&format!("--backend {backend}"));
        let address = first.address;
        let mut client = first.connect();
        client.say("exit\n");
        client.hear_all();
        drop(client);
        assert_eq!(first.stop().code, Some(0), "{backend}");
        let second = Server::start(&format!("--backend {backend} --listen {address}"));
        let mut client = second.connect();
        assert_eq!(client.hear(), "連接成功!", "{backend}");
        drop(second); // it is killed
        let third = Server::start(&format!("--backend {backend} --listen {address}"));
        assert_eq!(third.connect().hear(), "連接成功!", "{backend}");
    }
}

#[test]
fn flags_can_be_set_by_the_environment() {
    let mut command = command("");
    command.env("ANYLOOP_SERVE_HANDLER", "ack").env("ANYLOOP_SERVE_BACKEND", "threads");
    let server =
        Server::start_as_is(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()));
    assert_eq!(server.connect().hear(), "Hello World!");
    assert!(server.stop().log.contains("backend=\"threads\""));
}

#[test]
fn counter_uses_the_language_of_the_locale_or_the_flag() {
    for (variables, flags, expected) in [
        (&[("LC_ALL", "en_GB.UTF-8")][..], "", "Connected!"),
        (&[("LC_ALL", ""), ("LC_MESSAGES", "zh_CN.UTF-8"), ("LANG", "C")], "", "連接成功!"),
        (&[("LC_ALL", ""), ("LC_MESSAGES", ""), ("LANG", "zh_TW")], "", "連接成功!"),
        (&[("LC_ALL", ""), ("LC_MESSAGES", ""), ("LANG", "")], "", "Connected!"),
        (&[("LC_ALL", "C")], "--language zh", "連接成功!"),
        (&[("ANYLOOP_SERVE_LANGUAGE", "en")], "", "Connected!"),
        (&[("ANYLOOP_SERVE_LANGUAGE", "en")], "--language zh", "連接成功!"),
    ] {
        let mut command = command(flags);
        command.envs(variables.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let server = Server::start_as_is(&mut command);
        assert_eq!(server.connect().hear(), expected, "{variables:?} {flags}");
    }
}

#[test]
fn the_receipt_and_the_log_identify_the_server() {
    let before = rfc3339("now");
    let server = Server::start("--backend threads --log-format json");
    let (address, pid) = (server.address.to_string(), server.process.id());
    server.connect().hear();
    let ended = server.stop();
    let after = rfc3339("now");
    let event: Value = serde_json::from_str(ended.log.lines().last().unwrap()).unwrap();
    assert_eq!(event["message"], "ended");
    for said in [&ended.receipt, &event] {
        assert_eq!(said["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(said["backend"], "threads");
        assert_eq!(said["address"], address);
        assert_eq!(said["pid"], pid);
        // Another program reads the times, and they are in order.
        let [start, end] = ["start", "end"].map(|name| rfc3339(said[name].as_str().unwrap()));
        assert!(before <= start && start <= end && end <= after, "{before} {start} {end} {after}");
        assert!(said["start"].as_str().unwrap().ends_with('Z'), "in UTC: {said}");
    }
}

/// The seconds since the epoch of a time, as `date` understands it.
fn rfc3339(time: &str) -> i64 {
    let ended = run(Command::new("date").args(["--date", time, "+%s"]), "");
    ended.stdout.trim_end().parse().unwrap_or_else(|_| panic!("`{time}`: {ended:?}"))
}

#[test]
fn a_receipt_whose_file_was_removed_is_written_anew() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("receipt");
    let mut command = anyloop(&["serve", "--listen", "127.0.0.1:0", "--receipt", path.to_str().unwrap()]);
    let server =
        Server::start_as_is(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()));
    assert_eq!(server.connect().hear(), "連接成功!");
    fs::remove_file(&path).unwrap();
    server.process.signal(rustix::process::Signal::TERM);
    assert_eq!(server.process.end().code, Some(0));
    let receipt: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert_eq!(receipt["accepted"], 1);
}

#[test]
fn the_receipt_replaces_an_older_one() {
    let path = std::env::temp_dir().join(format!("anyloop-receipt-{}", std::process::id()));
    fs::write(&path, "x".repeat(10_000)).unwrap();
    let mut command = anyloop(&["serve", "--listen", "127.0.0.1:0", "--receipt", path.to_str().unwrap()]);
    let server =
        Server::start_as_is(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()));
    assert_eq!(server.connect().hear(), "連接成功!");
    assert_eq!(fs::read(&path).unwrap().len(), 10_000, "it stays until the end");
    server.process.signal(rustix::process::Signal::TERM);
    assert_eq!(server.process.end().code, Some(0));
    let receipt: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    fs::remove_file(&path).unwrap();
    assert_eq!(receipt["accepted"], 1);
    for name in ["finished", "drained", "cut", "timed_out", "refused", "failed", "messages"] {
        assert!(receipt[name].is_u64(), "{name}");
    }
    assert!(receipt["accept_errors"].is_u64() && receipt["unlingered"].is_u64());
}
