//! Unix sockets: served, talked to and loaded; who may have a path, and who removes it.

use std::fs;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::Instant;

use rustix::process::Signal;
use serde_json::Value;
use socket2::{Domain, SockAddr, Socket, Type};
use tempfile::tempdir;

use crate::history::wait_until;
use crate::process::{BOUND, Process, anyloop, run, through};
use crate::server::{backends, command};

fn address(path: &Path) -> String {
    format!("unix:{}", path.display())
}

/// A server that listens on this path.
fn serve(path: &Path, flags: &str) -> Process {
    let mut server = begin(path, flags);
    assert_eq!(server.line(), format!("listening on {}\n", address(path)));
    server
}

/// The same, which need not listen yet.
fn begin(path: &Path, flags: &str) -> Process {
    let mut command = command(&format!("--listen {} {flags}", address(path)));
    Process::start_as_is(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()))
}

/// All that a server says to a client that sends this and no more.
fn converse(path: &Path, sent: &str) -> String {
    let mut socket = UnixStream::connect(path).unwrap();
    socket.set_read_timeout(Some(BOUND)).unwrap();
    socket.write_all(sent.as_bytes()).unwrap();
    socket.shutdown(Shutdown::Write).unwrap();
    let mut heard = String::new();
    socket.read_to_string(&mut heard).unwrap();
    heard
}

/// Has a server drain and end.
fn stop(server: Process) -> Value {
    server.signal(Signal::TERM);
    let ended = server.end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    serde_json::from_str(ended.stdout.lines().last().unwrap()).unwrap()
}

#[test]
fn every_backend_serves_a_client_and_a_load() {
    let directory = tempdir().unwrap();
    for backend in backends() {
        let path = directory.path().join(backend);
        let to = address(&path);
        let server = serve(&path, &format!("--backend {backend} --handler echo"));
        assert_eq!(converse(&path, "one\ntwo\n"), "one\ntwo\n", "{backend}");
        let client = run(&mut anyloop(&["client", &to]), "hello\nthere\n");
        assert_eq!(
            (client.code, client.stdout.as_str()),
            (Some(0), "hello\nthere\n"),
            "{backend}: {client:?}"
        );
        // `sequential` serves one connection at a time.
        let connections = if backend == "sequential" { "1" } else { "20" };
        let flags = ["load", &to, "-c", connections, "-d", "200ms", "--warmup", "50ms", "--json", "-"];
        let load = run(&mut anyloop(&flags), "");
        assert_eq!(load.code, Some(0), "{backend}: {load:?}");
        let measured: Value = serde_json::from_str(&load.stdout).unwrap();
        assert!(measured["verification"]["replies"].as_u64().unwrap() > 0, "{backend}: {measured}");
        let receipt = stop(server);
        assert_eq!((&receipt["address"], &receipt["failed"]), (&to.into(), &0.into()), "{receipt}");
        assert!(!path.exists(), "{backend} has left its path");
    }
}

#[test]
fn a_client_in_turns_talks_over_a_unix_socket() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("socket");
    let _server = serve(&path, "--framing raw");
    let client = run(&mut anyloop(&["client", "--framing", "raw", &address(&path)]), "a\nexit\n");
    assert_eq!((client.code, client.stdout.as_str()), (Some(0), "連接成功!\n第1條信息:a\n"), "{client:?}");
}

#[test]
fn a_path_that_was_left_is_replaced() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("socket");
    let server = serve(&path, "");
    server.signal(Signal::KILL);
    server.end();
    assert!(path.exists(), "it could not remove it");
    let server = serve(&path, "--handler echo");
    assert_eq!(converse(&path, "here\n"), "here\n");
    stop(server);
    assert!(!path.exists());
}

#[test]
fn a_path_on_which_somebody_answers_is_in_use() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("socket");
    let server = serve(&path, "--handler echo");
    let other = begin(&path, "").end();
    assert_eq!((other.code, other.stdout.as_str()), (Some(1), ""), "{other:?}");
    assert_eq!(other.stderr.lines().count(), 1, "{other:?}");
    let expected = format!("can't listen on {}: it is in use by another program; stop that", address(&path));
    assert!(other.stderr.contains(&expected), "{other:?}");
    assert_eq!(converse(&path, "still here\n"), "still here\n");
    stop(server);
    assert!(!path.exists());
}

#[test]
fn a_file_that_is_no_socket_is_never_removed() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("file");
    fs::write(&path, "precious").unwrap();
    let ended = begin(&path, "").end();
    assert_eq!((ended.code, ended.stderr.lines().count()), (Some(1), 1), "{ended:?}");
    assert!(ended.stderr.contains("there is a file that is not a socket; remove it, or choose"), "{ended:?}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
}

#[test]
fn a_path_that_another_has_taken_over_is_not_removed() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("socket");
    let first = serve(&path, "");
    fs::remove_file(&path).unwrap();
    let second = serve(&path, "--handler echo");
    stop(first);
    assert_eq!(converse(&path, "mine\n"), "mine\n");
    stop(second);
    assert!(!path.exists());
}

#[test]
fn a_start_that_fails_leaves_no_path() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("socket");
    let flags = ["serve", "--listen", &address(&path), "--receipt", "/nowhere/receipt"];
    let ended = run(&mut anyloop(&flags), "");
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(!path.exists());
}

#[test]
fn a_second_signal_removes_the_path_as_well() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("socket");
    let mut server =
        serve(&path, "--handler echo --max-message 32MiB --drain-timeout 365d --write-timeout 365d");
    let mut stuck = UnixStream::connect(&path).unwrap();
    stuck.write_all("x".repeat(32 << 20).as_bytes()).unwrap();
    stuck.write_all(b"\n").unwrap();
    stuck.read_exact(&mut [0]).unwrap();
    server.signal(Signal::TERM);
    server.wait_for_log("draining");
    let until = Instant::now() + BOUND;
    while server.is_running() {
        assert!(Instant::now() < until, "it doesn't end");
        server.signal(Signal::TERM);
        thread::yield_now();
    }
    assert_eq!(server.end().code, Some(1));
    assert!(!path.exists());
}

#[test]
fn of_all_that_start_at_once_exactly_one_serves() {
    const STARTERS: usize = 6;
    let directory = tempdir().unwrap();
    let path = directory.path().join("socket");
    for round in 0..5 {
        // At first there is nothing, and after that a socket that was left.
        if round > 0 {
            drop(UnixListener::bind(&path).unwrap());
        }
        let mut servers: Vec<_> = (0..STARTERS).map(|_| begin(&path, "--handler echo")).collect();
        let until = Instant::now() + BOUND;
        while servers.iter_mut().filter_map(|server| server.is_running().then_some(())).count() > 1 {
            assert!(Instant::now() < until, "several serve");
            thread::yield_now();
        }
        let (mut running, ended): (Vec<_>, Vec<_>) =
            servers.into_iter().map(|mut server| (server.is_running(), server)).partition(|(runs, _)| *runs);
        for (_, server) in ended {
            let ended = server.end();
            assert!(ended.code == Some(1) && ended.stderr.contains("it is in use"), "{round}: {ended:?}");
        }
        let (_, mut server) = running.pop().unwrap();
        assert_eq!(server.line(), format!("listening on {}\n", address(&path)));
        assert_eq!(converse(&path, "alone\n"), "alone\n");
        stop(server);
        assert!(!path.exists());
    }
}

#[test]
fn the_mode_is_as_asked_or_the_umask_s() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("socket");
    let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    for (flags, umask, expected) in
        [("--listen-mode 660", "077", 0o660), ("--listen-mode 600", "000", 0o600), ("", "077", 0o700)]
    {
        let plain = command(&format!("--listen {} {flags}", address(&path)));
        let umask = format!("umask {umask}; exec \"$0\" \"$@\"");
        let mut command = through(&["sh", "-c", &umask], &plain);
        let mut server = Process::start(&mut command);
        server.line();
        assert_eq!(mode(), expected, "{flags}");
        stop(server);
    }
}

#[test]
fn a_mode_without_a_unix_socket_is_wrong_usage() {
    for (flags, expected) in [
        (
            "serve --listen-mode 660",
            "--listen-mode 660 is for Unix sockets, and --listen 127.0.0.1:8888 is none",
        ),
        (
            "serve --listen localhost:0 --listen-mode 600",
            "is for Unix sockets, and --listen localhost:0 is none",
        ),
        ("serve --listen unix:/nowhere/a --listen-mode 888", "--listen-mode: `888`: it is no octal number"),
        (
            "serve --listen unix:/nowhere/a --listen-mode 1000",
            "no octal number from 0 to 777; write one such as",
        ),
        ("serve --listen unix:", "such as unix:/run/server.sock"),
        ("serve --listen unix:@name", "abstract sockets are not supported"),
        ("client unix:@name", "abstract sockets are not supported"),
        ("load unix:", "it has no path"),
        ("handwritten poll-raw --listen unix:/nowhere/a", "listens only on TCP; write HOST:PORT"),
    ] {
        let arguments: Vec<_> = flags.split_whitespace().collect();
        let ended = run(&mut anyloop(&arguments), "");
        assert_eq!(ended.code, Some(2), "{flags}: {ended:?}");
        assert!(ended.stderr.contains(expected), "{flags}: {}", ended.stderr);
    }
    let long = format!("unix:/{}", "p".repeat(107));
    for command in ["client", "load", "serve --listen"] {
        let arguments: Vec<_> = command.split(' ').chain([long.as_str()]).collect();
        let ended = run(&mut anyloop(&arguments), "");
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(
            ended.stderr.contains("its path has 108 bytes, and a Unix socket's has at most 107"),
            "{ended:?}"
        );
    }
}

#[test]
fn nobody_there_is_said() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("socket");
    let to = address(&path);
    let nothing = run(&mut anyloop(&["client", &to]), "");
    let expected = format!("no server answers at {to}: No such file or directory");
    assert!(nothing.code == Some(1) && nothing.stderr.contains(&expected), "{nothing:?}");
    let load = run(&mut anyloop(&["load", &to]), "");
    let expected = format!("can't connect to {to}: No such file or directory");
    assert!(load.code == Some(1) && load.stderr.contains(&expected), "{load:?}");
    drop(UnixListener::bind(&path).unwrap());
    let left = run(&mut anyloop(&["client", &to]), "");
    assert!(left.code == Some(1) && left.stderr.contains("Connection refused"), "{left:?}");
    fs::remove_file(&path).unwrap();
    // Nobody accepts, and there is no room for one more to wait.
    let (_full, _client) = full(&path);
    let full = run(&mut anyloop(&["client", &to]), "");
    assert!(full.code == Some(1) && full.stderr.contains("timed out"), "{full:?}");
}

/// A listener with room for one client in its backlog, and that client.
fn full(path: &Path) -> (Socket, UnixStream) {
    let full = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    full.bind(&SockAddr::unix(path).unwrap()).unwrap();
    full.listen(0).unwrap();
    (full, UnixStream::connect(path).unwrap())
}

#[test]
fn a_client_that_is_suspended_while_it_connects_goes_on() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("socket");
    let (full, _first) = full(&path);
    let client = Process::start(&mut anyloop(&["client", &address(&path)]));
    let connects = format!("{} ", libc::SYS_connect);
    let call = format!("/proc/{}/syscall", client.id());
    wait_until(|| fs::read_to_string(&call).is_ok_and(|call| call.starts_with(&connects)));
    client.pause();
    client.signal(Signal::CONT);
    wait_until(|| fs::read_to_string(&call).is_ok_and(|call| call.starts_with(&connects)));
    let _first = full.accept().unwrap();
    let (mut served, _) = full.accept().unwrap();
    served.write_all(b"hello\n").unwrap();
    served.shutdown(Shutdown::Write).unwrap();
    let ended = client.end();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "hello\n"), "{ended:?}");
}
