//! Errors are reported before anything starts, in one line that says what to do; wrong usage has code 2.

use std::net::TcpListener;

use crate::process::{anyloop, run};
use crate::server::backends;

#[test]
fn wrong_usage_is_explained() {
    for (arguments, expected) in [
        ("", "Usage: anyloop"),
        ("sevre", "'serve'"),
        ("serve --backend tornado", &format!("not one of: {}", backends().collect::<Vec<_>>().join(", "))),
        ("serve --handler chat", "not one of: counter, ack, echo, work"),
        ("serve --framing xml", "not one of: line, length, raw"),
        ("serve --overload drop", "not one of: queue, refuse"),
        ("serve --log-level loud", "not one of: off, error, warn, info, debug, trace"),
        ("serve --idle-timeout 5", "`5` has no unit; write 5s, 5ms or 5m"),
        ("serve --idle-timeout 366d", "`366d` is too long; write at most 365d"),
        ("serve --message-timeout 0", "write a time above 0"),
        ("serve --write-timeout 0s", "write a time above 0"),
        ("serve --drain-timeout soon", "such as 500ms, 1.5s, 2m or 0"),
        ("serve --max-message 0", "write 1 or more"),
        ("serve --max-message 64KB", "such as 65536, 64KiB or 1.5MiB"),
        ("serve --workers 1000000", "write one from 1 to 1024"),
        ("serve --max-connections 0", "--max-connections: `0` is too small; write 1 or more"),
        ("serve --max-connections 999999999999", "open files allows; write"),
        ("serve --backend sequential --max-connections 2", "write 1 or less"),
        ("serve --backend sequential --overload refuse", "leave out --overload"),
        ("serve --backend sequential --workers 2", "leave out the number of workers (--workers)"),
        ("serve --backend threads --workers 2", "leave out the number of workers (--workers)"),
        ("serve --backend async-std --workers 2", "ASYNC_STD_THREAD_COUNT"),
        (
            "serve --backend pool --blocking-threads 9",
            "pool runs blocking handlers on its workers; leave out the number of b",
        ),
        (
            "serve --backend threads --blocking-threads 9",
            "leave out the number of blocking threads (--blocking-threads)",
        ),
        ("serve --backend smol --stack-size 1MiB", "leave out the stack size (--stack-size)"),
        ("serve --backend threads --stack-size 1", "write 64KiB or more"),
        ("serve --work cpu:50us", "choose --handler work"),
        ("serve --handler work --work disk:2ms", "such as cpu:50us or block:2ms"),
        ("serve --handler echo --language en", "choose --handler counter"),
        ("serve --language fr", "not one of: zh, en"),
        ("serve --listen 8888", "it has no host; write 127.0.0.1:8888"),
        ("serve --listen localhost", "write HOST:PORT, such as 127.0.0.1:8888 or [::1]:8888"),
        ("serve --listen :8888", "write 127.0.0.1:PORT"),
        ("serve --listen 0.0.0.0:8888", "--listen 0.0.0.0:8888 is no loopback address"),
        ("serve --listen 0.0.0.0:8888 --show-config", "add --expose"),
        ("serve --listen [::]:8888", "write a loopback address, such as 127.0.0.1:8888"),
        ("handwritten threads-plain --listen 0.0.0.0:0", "add --expose"),
        ("serve --listen localhost:http", "write a number from 0 to 65535"),
        ("serve --listen 127.0.0.1:0 --receipt /nowhere/receipt", "choose another --receipt"),
        ("handwritten nobody", "not one of: poll-raw, "),
        ("client", "<HOST:PORT|unix:PATH>"),
        ("client 8888", "it has no host; write 127.0.0.1:8888"),
        ("client localhost", "write HOST:PORT"),
        ("client 127.0.0.1:1 --framing xml", "not one of: line, length, raw"),
        ("man serf", "there is no command `serf`"),
        ("completions cobol", "not one of: bash, "),
    ] {
        let arguments: Vec<_> = arguments.split_whitespace().collect();
        let ended = run(&mut anyloop(&arguments), "");
        assert_eq!(ended.code, Some(2), "{arguments:?}: {ended:?}");
        assert!(ended.stderr.contains(expected), "{arguments:?}: {}", ended.stderr);
        assert_eq!(ended.stdout, "", "{arguments:?}");
    }
}

#[test]
fn an_unavailable_address_is_one_line_and_not_wrong_usage() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap().to_string();
    for (address, expected) in [
        ("203.0.113.1:0", "this machine has no such address; choose another with --listen"),
        ("nobody.invalid:0", "the host of nobody.invalid:0 can't be found"),
        (&taken, "it is in use by another program; stop that program, or choose another port with --listen"),
    ] {
        let ended = run(&mut anyloop(&["serve", "--expose", "--listen", address]), "");
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{address}: {ended:?}");
        assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
        assert!(ended.stderr.contains(expected) && ended.stderr.contains(address), "{ended:?}");
    }
}

#[test]
fn the_help_has_the_defaults_and_the_codes() {
    let ended = run(&mut anyloop(&["serve", "--help"]), "");
    assert_eq!(ended.code, Some(0));
    for text in [
        "ANYLOOP_SERVE_MAX_MESSAGE",
        "[default: 64KiB]",
        "[default: 300s]",
        "[default: 10s]",
        "[default: smol]",
        "[default: 127.0.0.1:8888]",
        "minimum of 10000",
        "[default: cpu:50us]",
        "Exit codes:\n  0 ",
    ] {
        assert!(ended.stdout.contains(text), "{text}");
    }
}

#[test]
fn list_names_all_backends_and_handlers() {
    let ended = run(&mut anyloop(&["backends"]), "");
    assert!(backends().all(|backend| ended.stdout.contains(backend)), "{}", ended.stdout);
    assert!(ended.stdout.contains("async-std is legacy"));
    let ended = run(&mut anyloop(&["backends", "--format", "json"]), "");
    let list: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    let names: Vec<_> = list.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert!(names.iter().copied().eq(backends()), "{names:?}");
    let ended = run(&mut anyloop(&["handlers", "--format", "json"]), "");
    let list: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(list.as_array().unwrap().len(), handlers::HANDLERS.len());
    let ended = run(&mut anyloop(&["handlers"]), "");
    assert!(handlers::HANDLERS.iter().all(|handler| ended.stdout.contains(handler.text)), "{}", ended.stdout);
}

#[test]
fn completions_and_manual_pages_are_written() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ended = run(&mut anyloop(&["completions", shell]), "");
        assert!(ended.code == Some(0) && ended.stdout.contains("max-connections"), "{shell}");
    }
    let ended = run(&mut anyloop(&["man"]), "");
    assert!(ended.code == Some(0) && ended.stdout.contains(".TH anyloop 1"), "{}", ended.stdout);
    let ended = run(&mut anyloop(&["man", "serve"]), "");
    assert!(
        ended.code == Some(0) && ended.stdout.contains("ANYLOOP_SERVE_DRAIN_TIMEOUT"),
        "{}",
        ended.stdout
    );
}

#[test]
fn a_closed_stdout_is_no_failure() {
    for arguments in [&["man", "serve"][..], &["backends"], &["completions", "bash"], &["serve", "--help"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = anyloop(arguments);
        let status = command.stdout(writer).status().unwrap();
        assert_eq!(status.code(), Some(0), "{arguments:?}");
    }
}
