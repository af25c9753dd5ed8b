//! The commands of `docs/operate.md` are run in their order.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::{TempDir, tempdir};

use crate::process::{Ended, Process, anyloop, run};
use crate::server::Server;

const GUIDE: &str = include_str!("../../../docs/operate.md");

/// The first block of code in this language, in the section with this heading.
fn block(heading: &str, language: &str) -> &'static str {
    let section = GUIDE.split("\n## ").find(|section| section.starts_with(heading)).unwrap();
    let (_, rest) = section.split_once(&format!("```{language}\n")).unwrap();
    rest.split_once("```").unwrap().0
}

/// A folder with the guide's configuration.
fn folder() -> TempDir {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("server.toml"), block("Configuration", "toml")).unwrap();
    folder
}

/// A line of the guide, as a shell runs it, on a port that is free.
fn shell(folder: &Path, line: &str) -> Command {
    let program = Path::new(env!("CARGO_BIN_EXE_anyloop"));
    let path = std::env::var_os("PATH").unwrap();
    let folders = std::env::split_paths(&path);
    let folders =
        std::env::join_paths([program.parent().unwrap().into()].into_iter().chain(folders)).unwrap();
    let clean = anyloop(&[]);
    let mut command = Command::new("sh");
    command.args(["-c", line]).current_dir(folder).env("PATH", folders);
    for (name, _) in clean.get_envs().filter(|(_, value)| value.is_none()) {
        command.env_remove(name);
    }
    command.env("ANYLOOP_SERVE_LISTEN", "127.0.0.1:0").env("LC_ALL", "C");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn succeeds(folder: &Path, line: &str) -> Ended {
    let ended = run(&mut shell(folder, line), "");
    assert_eq!(ended.code, Some(0), "{line}: {ended:?}");
    ended
}

#[test]
fn the_commands_about_the_configuration_are_right() {
    let folder = folder();
    let lines: Vec<_> = block("Configuration", "sh").lines().collect();
    let [check, show, serve] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!(succeeds(folder.path(), check).stdout, "server.toml is valid\n");
    assert!(succeeds(folder.path(), show).stdout.contains("\nmax-message = 4096 # server.toml:6\n"));
    let server = Server::start_as_is(&mut shell(folder.path(), &format!("exec {serve}")));
    let mut client = server.connect();
    client.say("hello\n");
    assert_eq!(client.hear(), "hello");
    drop(client);
    server.process.signal(Signal::TERM);
    assert_eq!(server.process.end().code, Some(0));
}

#[test]
fn the_commands_that_replace_a_server_are_right() {
    let folder = folder();
    let lines: Vec<_> = block("Replace a running server", "sh").lines().collect();
    let [serve, change, replace] = lines.as_slice() else { panic!("{lines:?}") };
    let serve = serve.strip_suffix(" &").unwrap();
    let mut server = Server::start_as_is(&mut shell(folder.path(), &format!("exec {serve}")));
    succeeds(folder.path(), change);
    let process: &mut Process = &mut server.process;
    succeeds(folder.path(), &replace.replace("$!", &process.id().to_string()));
    let line = process.wait_for_log("handed over; draining");
    let number = line.split("pid=").nth(1).unwrap().split_whitespace().next().unwrap();
    let successor = Pid::from_raw(number.parse().unwrap()).unwrap();
    process.wait_for_log("INFO ended open=0");
    let mut client = server.connect();
    client.say("hello\n");
    assert_eq!(client.hear(), "hello");
    drop(client);
    kill_process(successor, Signal::TERM).unwrap();
    let ended = server.process.end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stderr.contains("backend=\"tokio\""), "{ended:?}");
}
