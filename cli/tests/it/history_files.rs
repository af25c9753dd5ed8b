//! The files of `load --history` and `anyloop verify`: what is written when, and what is never overwritten.

use std::fs;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::history::History;
use crate::process::{anyloop, run};
use crate::server::Server;

#[test]
fn a_history_goes_through_a_pipe() {
    let (history, server) = (History::new("pipe"), Server::start("--handler echo"));
    run(&mut history.load(&server.address.to_string(), "-c 1 -d 100ms --expect echo"), "");
    let ended = run(&mut anyloop(&["verify", "-"]), fs::read(history.path()).unwrap());
    assert!(ended.code == Some(0) && ended.stdout.contains("no violation"), "{ended:?}");
    let json = History::new("verdict");
    assert_eq!(history.verify(&format!("--json {}", json.path())).stdout, ended.stdout);
    let verdict: Value = serde_json::from_slice(&fs::read(json.path()).unwrap()).unwrap();
    assert_eq!(verdict["passes"], true);
}

#[test]
fn wrong_usage_is_explained() {
    let (history, other) = (History::new("usage"), History::new("other"));
    let server = Server::start("--handler echo");
    let address = server.address.to_string();
    fs::write(other.path(), "no history").unwrap();
    for (arguments, expected) in [
        (&["load", &address, "--history", "/nowhere/file"][..], "can't write /nowhere/file"),
        (&["load", &address, "--history", "/dev/full", "--expect", "echo"], "can't write /dev/full"),
        (&["load", &address, "--history", history.path(), "--expect", "any"], "say by --expect what"),
        (
            &["load", &address, "--history", history.path(), "--find-max-rate", "--slo", "p99=1s"],
            "'--history <FILE>' cannot be used with '--find-max-rate'",
        ),
        (&["verify", "/nowhere/file"], "can't verify /nowhere/file"),
        (&["verify", "/"], "can't verify /: Is a directory"),
        (&["verify", other.path()], "it is not a history"),
        (&["verify"], "<FILE>"),
        (&["verify", history.path(), "--handled", "few"], "`few` is not a count"),
    ] {
        let mut command = anyloop(arguments);
        let ended = run(command.stdin(Stdio::null()), "");
        assert!(ended.code == Some(2) && ended.stderr.contains(expected), "{arguments:?}: {ended:?}");
    }
}

#[test]
fn a_history_that_can_not_be_written_is_told_before_anything_connects() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    for file in ["/nowhere/file", "/dev/full"] {
        let ended = run(&mut anyloop(&["load", &address, "--history", file]), "");
        let told = format!("can't write {file}: ");
        assert!(ended.code == Some(2) && ended.stderr.contains(&told), "{ended:?}");
        assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "{file}");
    }
}

#[test]
fn a_load_that_can_not_begin_leaves_the_history_as_it_was() {
    let (history, new) = (History::new("kept"), History::new("not-made"));
    fs::write(history.path(), "the history of yesterday").unwrap();
    let address = Server::start("--handler echo").address.to_string(); // it stops at once
    let served = Server::start("--handler echo");
    let served = served.address.to_string();
    for (address, flags, code) in [
        (&address, "", 1),
        (&address, "--expect echo", 1),
        (&address, "--handler echo --reconnect", 1),
        (&served, "--message foo", 2),
        (&served, "--expect any", 2),
        (&served, "--expect greeted", 2),
        (&served, "--framing http --expect echo", 2),
        (&served, "--expect echo --subscribe 1", 2),
    ] {
        let ended = run(&mut history.load(address, &format!("-d 100ms {flags}")), "");
        assert_eq!(ended.code, Some(code), "{flags}: {ended:?}");
        assert_eq!(fs::read_to_string(history.path()).unwrap(), "the history of yesterday", "{flags}");
        let ended = run(&mut new.load(address, &format!("-d 100ms {flags}")), "");
        assert_eq!(ended.code, Some(code), "{flags}: {ended:?}");
        if code == 2 {
            assert!(fs::metadata(new.path()).is_err(), "{flags}: wrong usage makes no file");
        } else {
            fs::remove_file(new.path()).unwrap();
        }
    }
    assert_eq!(run(&mut history.load(&served, "-d 100ms"), "").code, Some(0));
    assert_eq!(history.verify("").code, Some(0));
}

#[test]
fn standard_output_takes_a_history() {
    let server = Server::start("--handler echo");
    let command = env!("CARGO_BIN_EXE_anyloop");
    let load = format!("{command} load {} -c 2 -d 100ms --history -", server.address);
    let ended = run(Command::new("sh").args(["-c", &format!("{load} | {command} verify -")]), "");
    assert!(ended.code == Some(0) && ended.stdout.contains("no violation"), "{ended:?}");
    assert!(ended.stderr.contains("all as they should be"), "the results are on standard error: {ended:?}");
}

#[test]
fn no_file_is_written_over_another_one() {
    let (history, link) = (History::new("once"), History::new("link"));
    let (file, other) = (history.path(), link.path());
    fs::write(file, "the history of yesterday").unwrap();
    std::os::unix::fs::symlink(file, other).unwrap();
    let new = format!("{file}.new");
    let own = format!("load 127.0.0.1:1 --expect echo --messages {file} --history {file}");
    for (arguments, expected) in [
        (format!("load 127.0.0.1:1 --history {file} --json {file}"), "--json and --history both write "),
        (format!("load 127.0.0.1:1 --history {file} --csv {other}"), "--csv and --history both write "),
        (format!("load 127.0.0.1:1 --hgrm {new} --hlog {new}"), "--hgrm and --hlog both write "),
        ("load 127.0.0.1:1 --history - --json -".into(), "--json and --history both use standard output"),
        ("load 127.0.0.1:1 --history - --format json".into(), "--format json uses standard output"),
        (own, "--history would overwrite "),
        (format!("verify {file} --json {file}"), "--json would overwrite "),
        (format!("verify {file} --json {other}"), "--json would overwrite "),
    ] {
        let ended = run(&mut anyloop(&arguments.split(' ').collect::<Vec<_>>()), "");
        assert!(ended.code == Some(2) && ended.stderr.contains(expected), "{arguments}: {ended:?}");
        assert_eq!(fs::read_to_string(file).unwrap(), "the history of yesterday", "{arguments}");
        assert!(fs::metadata(&new).is_err(), "{arguments}");
    }
    let server = Server::start("--handler echo");
    let devices = ["--json", "/dev/null", "--csv", "/dev/null"];
    let ended = run(anyloop(&["load", &server.address.to_string(), "-d", "100ms"]).args(devices), "");
    assert_eq!(ended.code, Some(0), "a device is not overwritten: {ended:?}");
}
