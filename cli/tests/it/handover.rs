//! SIGUSR2: a server is replaced by a new process, which may use another backend.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::Value;
use tempfile::{TempDir, tempdir};

use crate::history::History;
use crate::notify::Manager;
use crate::process::{Process, run};
use crate::server::{Client, Server, backends, command};

/// A folder with the configuration of a server, and the name by which its program is started.
struct Folder(TempDir);

impl Folder {
    fn new(configuration: &str) -> Self {
        let folder = Self(tempdir().unwrap());
        symlink(env!("CARGO_BIN_EXE_anyloop"), folder.path("anyloop")).unwrap();
        folder.configure(configuration);
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn configure(&self, text: &str) {
        fs::write(self.path("server.toml"), text).unwrap();
    }

    /// Replaces the program by a script.
    fn replace_program(&self, script: &str) {
        let path = self.path("new");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        fs::rename(path, self.path("anyloop")).unwrap();
    }

    /// `serve` with this configuration and these flags.
    fn command(&self, flags: &str) -> Command {
        let started = command(&format!("--config server.toml {flags}"));
        let mut command = Command::new(self.path("anyloop"));
        command.args(started.get_args()).current_dir(self.0.path());
        for (name, value) in started.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

/// A process that is not a child of the test, which ends it.
struct Other(Pid);

impl Other {
    /// The process that a line of the log names.
    fn named(line: &str) -> Self {
        let number = line.split("pid=").nth(1).unwrap().split_whitespace().next().unwrap();
        Self(Pid::from_raw(number.parse().unwrap()).unwrap())
    }

    fn signal(&self, signal: Signal) {
        kill_process(self.0, signal).unwrap();
    }

    fn number(&self) -> i32 {
        self.0.as_raw_nonzero().get()
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = kill_process(self.0, Signal::KILL); // it may have ended
    }
}

/// Starts a hand-over, and waits until only the new process serves.
fn hand_over(process: &mut Process) -> Other {
    process.signal(Signal::USR2);
    let other = Other::named(&process.wait_for_log("handing over to a new process"));
    finish(process);
    other
}

/// Waits until the old process has drained.
fn finish(process: &mut Process) {
    process.wait_for_log("handed over; draining");
    process.wait_for_log("INFO ended open=0");
}

/// Waits until one of the servers has answered more messages than this, and returns their number.
fn wait_for_messages(process: &mut Process, signal: impl Fn(), more_than: u64) -> u64 {
    loop {
        signal();
        let line = process.wait_for_log("statistics");
        let count = line.split(" messages=").nth(1).unwrap().split_whitespace().next().unwrap();
        match count.parse() {
            Ok(count) if count > more_than => return count,
            _ => {}
        }
    }
}

/// Moves a port from one backend to another one under load.
fn moves(from: &str, to: &str) {
    let configuration = |backend: &str| format!("backend = '{backend}'\nhandler = 'echo'\n");
    let (folder, history) = (Folder::new(&configuration(from)), History::new(&format!("{from}-{to}")));
    let mut server = Server::start_as_is(&mut folder.command(""));
    // `sequential` serves one connection at a time.
    let connections = if [from, to].contains(&"sequential") { 1 } else { 8 };
    let flags = format!(
        "-c {connections} -d 60s --depth 4 --reconnect --messages-per-connection 50 --expect echo --json -"
    );
    let load = Process::start(&mut history.load(&server.address.to_string(), &flags));
    let process = &mut server.process;
    let id = Pid::from_raw(process.id().try_into().unwrap()).unwrap();
    wait_for_messages(process, || kill_process(id, Signal::USR1).unwrap(), 200);
    folder.configure(&configuration(to));
    let other = hand_over(process);
    wait_for_messages(process, || other.signal(Signal::USR1), 200);
    load.signal(Signal::INT);
    let loaded = load.end();
    assert_eq!(loaded.code, Some(130), "{from} to {to}: {loaded:?}");
    other.signal(Signal::TERM);
    let ended = server.process.end();
    assert_eq!(ended.code, Some(0), "{from} to {to}: {ended:?}");

    let receipts: Vec<Value> =
        ended.stdout.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let [first, second] = receipts.as_slice() else { panic!("{from} to {to}: {ended:?}") };
    assert_eq!((first["backend"].as_str(), second["backend"].as_str()), (Some(from), Some(to)));
    assert_eq!(first["address"], second["address"]);
    for (receipt, name) in receipts.iter().zip([from, to]) {
        for outcome in ["cut", "refused", "timed_out", "accept_errors"] {
            assert_eq!(receipt[outcome], 0, "{from} to {to}: {name}: {outcome}: {receipt}");
        }
    }
    let measured: Value = serde_json::from_str(&loaded.stdout).unwrap();
    let verification = &measured["verification"];
    for wrong in ["refused", "lost", "doubled", "reordered", "foreign", "wrong", "extra"] {
        assert_eq!(verification[wrong], 0, "{from} to {to}: {wrong}: {verification}");
    }
    let failures = &measured["failures"];
    assert_eq!(
        (&failures["connect"], &failures["unserved"]),
        (&0.into(), &0.into()),
        "{from} to {to}: {failures}"
    );
    let (code, verdict) = history.verdict("");
    assert_eq!(code, Some(0), "{from} to {to}: {verdict}");
}

#[test]
fn a_port_moves_between_backends_without_a_refused_client_or_a_lost_reply() {
    let names: Vec<_> = backends().collect();
    // Each backend once as the old one and once as the new one.
    for (at, from) in names.iter().enumerate() {
        moves(from, names[(at + 1) % names.len()]);
    }
}

#[test]
#[ignore = "takes a minute: run by `.ci/full`, or with `--include-ignored`"]
fn a_port_moves_from_each_backend_to_each_other_one() {
    for from in backends() {
        for to in backends().filter(|to| *to != from) {
            moves(from, to);
        }
    }
}

#[test]
fn a_flag_pins_the_backend() {
    let folder = Folder::new("backend = 'threads'\n");
    let mut server = Server::start_as_is(&mut folder.command("--backend smol"));
    folder.configure("backend = 'epoll'\nlanguage = 'en'\n");
    let other = hand_over(&mut server.process);
    assert_eq!(server.connect().hear(), "Connected!", "the rest of the file was read anew");
    other.signal(Signal::TERM);
    let ended = server.process.end();
    assert_eq!(ended.stdout.matches("\"backend\":\"smol\"").count(), 2, "{ended:?}");
}

#[test]
fn a_new_process_that_fails_leaves_the_old_one_serving() {
    let folder = Folder::new("language = 'en'\n");
    let mut server = Server::start_as_is(&mut folder.command(""));
    let mut fails = |expected: &str| {
        server.process.signal(Signal::USR2);
        let line = server.process.wait_for_log("the hand-over failed; this server continues to serve");
        assert!(line.contains(expected), "{expected}: {line}");
        assert_eq!(server.connect().hear(), "Connected!");
    };
    folder.configure("backend = 'none'\n");
    fails("the new process can't serve: server.toml:1: backend: `none` is not one of: ");
    folder.configure("idle-timout = '1s'\n");
    fails("server.toml:1: `idle-timout` is no flag of serve; did you mean `idle-timeout`?");
    folder.configure("receipt = '/nowhere/a'\nwork = 'cpu:50us'\n");
    fails("work (server.toml:2) belongs to --handler work");
    fs::remove_file(folder.path("server.toml")).unwrap();
    fails("--config server.toml can't be read");
    folder.configure("language = 'zh'\n");
    folder.replace_program("exit 7");
    fails("the new process ended with exit status: 7 before it was ready");
    folder.replace_program("kill -9 $$");
    fails("the new process ended with signal: 9");
    folder.replace_program("exec 4>&-; exec sleep 1000");
    fails("the new process never said that it is ready");
    fs::remove_file(folder.path("anyloop")).unwrap();
    server.process.signal(Signal::USR2);
    let line = server.process.wait_for_log("not handed over: ");
    assert!(line.contains("anyloop can't be started: No such file"), "{line}");
    // The program is found again, and so is the file.
    symlink(env!("CARGO_BIN_EXE_anyloop"), folder.path("anyloop")).unwrap();
    let other = hand_over(&mut server.process);
    assert_eq!(server.connect().hear(), "連接成功!");
    other.signal(Signal::TERM);
    assert_eq!(server.process.end().code, Some(0));
}

/// A script that starts the program when something is written to the pipe `go`.
fn waiting(folder: &Folder) -> String {
    rustix::fs::mkfifoat(rustix::fs::CWD, folder.path("go"), rustix::fs::Mode::RWXU).unwrap();
    format!("read line < go; exec {} \"$@\"", env!("CARGO_BIN_EXE_anyloop"))
}

#[test]
fn one_hand_over_is_under_way_at_a_time() {
    let folder = Folder::new("");
    let mut server = Server::start_as_is(&mut folder.command("--language en"));
    folder.replace_program(&waiting(&folder));
    server.process.signal(Signal::USR2);
    let other = Other::named(&server.process.wait_for_log("handing over to a new process"));
    server.process.signal(Signal::USR2);
    server.process.wait_for_log("not handed over: a new process was started already, and is not ready yet");
    assert_eq!(server.connect().hear(), "Connected!");
    fs::write(folder.path("go"), "go\n").unwrap();
    finish(&mut server.process);
    assert_eq!(server.connect().hear(), "Connected!");
    other.signal(Signal::TERM);
    assert_eq!(server.process.end().code, Some(0));
}

#[test]
fn a_stop_ends_a_new_process_that_is_not_ready() {
    let folder = Folder::new("");
    let mut server = Server::start_as_is(&mut folder.command(""));
    folder.replace_program(&waiting(&folder));
    server.process.signal(Signal::USR2);
    let other = Other::named(&server.process.wait_for_log("handing over to a new process"));
    server.process.signal(Signal::TERM);
    let ended = server.process.end(); // also the new process has closed its output
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(!ended.stderr.contains("continues to serve"), "{ended:?}");
    drop(other);
}

#[test]
fn a_unix_path_is_left_to_the_successor_which_removes_it() {
    let folder = Folder::new("listen = 'unix:socket'\nhandler = 'echo'\n");
    let path = folder.path("socket");
    let mut process = Process::start_as_is(&mut folder.command("--listen unix:socket"));
    assert_eq!(process.line(), "listening on unix:socket\n");
    let other = hand_over(&mut process);
    assert_eq!(echo(&path), "hello\n");
    // And to the next one.
    other.signal(Signal::USR2);
    let next = Other::named(&process.wait_for_log("handing over to a new process"));
    finish(&mut process);
    assert!(path.exists());
    assert_eq!(echo(&path), "hello\n");
    next.signal(Signal::TERM);
    assert_eq!(process.end().code, Some(0));
    assert!(!path.exists(), "the last one removes it");
}

fn echo(path: &Path) -> String {
    let address = format!("unix:{}", path.display());
    run(&mut crate::process::anyloop(&["client", &address]), "hello\n").stdout
}

#[test]
fn metrics_and_health_checks_are_those_of_the_new_process() {
    let folder = Folder::new("");
    let mut process = Process::start_as_is(&mut folder.command("--admin unix:admin --listen unix:socket"));
    assert_eq!(process.line(), "listening on unix:socket\n");
    assert_eq!(process.line(), "admin listening on unix:admin\n");
    let ready = || {
        use std::io::{Read, Write};
        let mut socket = std::os::unix::net::UnixStream::connect(folder.path("admin")).unwrap();
        socket.write_all(b"GET /readyz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
        let mut response = String::new();
        socket.read_to_string(&mut response).unwrap();
        response
    };
    assert!(ready().starts_with("HTTP/1.1 200 "), "{}", ready());
    let other = hand_over(&mut process);
    assert!(ready().starts_with("HTTP/1.1 200 "), "{}", ready());
    other.signal(Signal::TERM);
    assert_eq!(process.end().code, Some(0));
    assert!(!folder.path("admin").exists() && !folder.path("socket").exists());
}

#[test]
fn systemd_is_told_which_process_is_the_service() {
    let (manager, folder) = (Manager::new(), Folder::new("language = 'en'\n"));
    let mut command = folder.command("");
    manager.watched(&mut command).env("WATCHDOG_USEC", "600000");
    let mut server = Server::start_as_is(&mut command);
    assert_eq!(manager.next(), ["READY=1"]);
    let other = hand_over(&mut server.process);
    let lines = manager.wait_for(|line| line == "RELOADING=1");
    assert!(lines[1].starts_with("MONOTONIC_USEC="), "{lines:?}");
    let expected = format!("MAINPID={}", other.number());
    assert_eq!(manager.wait_for(|line| line == expected), [expected.as_str(), "READY=1"]);
    // Whatever the old process has told is read, so what comes now is from the new one.
    while manager.arrived() {}
    let lines = manager.wait_for(|line| line == "WATCHDOG=1");
    assert!(lines[0].starts_with("STATUS=serving, "), "{lines:?}");
    // A failure is the end of the reload as well.
    folder.configure("nonsense = 1\n");
    other.signal(Signal::USR2);
    manager.wait_for(|line| line == "RELOADING=1");
    assert_eq!(manager.wait_for(|line| line == "READY=1"), ["READY=1"]);
    other.signal(Signal::TERM);
    manager.wait_for(|line| line == "STOPPING=1");
    let ended = server.process.end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stdout.lines().filter(|line| line.starts_with("listening on ")).count(), 2, "{ended:?}");
}

#[test]
fn a_client_of_the_old_server_is_answered_and_one_in_the_backlog_is_served_by_the_new_one() {
    let folder = Folder::new("backend = 'sequential'\nlanguage = 'en'\n");
    let mut server = Server::start_as_is(&mut folder.command(""));
    let mut first = server.connect();
    assert_eq!(first.hear(), "Connected!");
    let mut waiting: Vec<Client> = (0..3).map(|_| server.connect()).collect();
    folder.configure("backend = 'threads'\nlanguage = 'en'\n");
    let other = hand_over(&mut server.process);
    assert_eq!(first.hear_all(), "", "it is drained, and not refused");
    for client in &mut waiting {
        assert_eq!(client.hear(), "Connected!");
    }
    assert!(test_kill_process(other.0).is_ok());
    drop(waiting);
    other.signal(Signal::TERM);
    assert_eq!(server.process.end().code, Some(0));
}
