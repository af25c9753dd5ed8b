//! The commands of `docs/operate.md` are run in their order, or are marked as not run.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::{TempDir, tempdir};

use crate::process::{Ended, Process, anyloop, run};
use crate::server::Server;

const GUIDE: &str = include_str!("../../../docs/operate.md");

/// The sections whose commands are run by tests: here, and those of the last one in `admin.rs`.
const RUN: [&str; 4] = ["Configuration", "Replace a running server", "Behind HAProxy", "Metrics and health"];

fn section(heading: &str) -> &'static str {
    GUIDE.split("\n## ").find(|section| section.starts_with(heading)).unwrap()
}

/// The first block of code in this language, in the section with this heading.
fn block(heading: &str, language: &str) -> &'static str {
    let (_, rest) = section(heading).split_once(&format!("```{language}\n")).unwrap();
    rest.split_once("```").unwrap().0
}

/// The commands of a section, without those that are marked as not run: by the paragraph before their block, or by the one
/// behind it, which then begins with `That command`.
fn commands_of(section: &'static str) -> Vec<&'static str> {
    let is_marked = |paragraph: &str| paragraph.replace('\n', " ").contains("not run by");
    let mut commands = Vec::new();
    for (at, _) in section.match_indices("```sh\n") {
        let (block, behind) = section[at + "```sh\n".len()..].split_once("```").unwrap();
        let before = section[..at].trim_end().rsplit("\n\n").next().unwrap();
        let behind = behind.trim_start().split("\n\n").next().unwrap();
        let is_marked_behind = behind.starts_with("That command") && is_marked(behind);
        if !is_marked(before) && !is_marked_behind {
            commands.extend(block.lines());
        }
    }
    commands
}

/// The commands of the section with this heading that are run.
pub(crate) fn commands(heading: &str) -> Vec<&'static str> {
    assert!(RUN.contains(&heading), "{heading}");
    commands_of(section(heading))
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
fn a_command_that_no_test_runs_is_marked() {
    for section in GUIDE.split("\n## ").skip(1) {
        let heading = section.lines().next().unwrap();
        let commands = commands_of(section);
        assert_eq!(
            !commands.is_empty(),
            RUN.contains(&heading),
            "{heading}: {commands:?} are run by no test"
        );
    }
    let marked = "a\n\nThese are not run by\ntests:\n\n```sh\nx\n```\n\nb\n\n```sh\ny\n```\n\nThat command is not run by a test.";
    assert_eq!(commands_of(marked), [""; 0]);
    assert_eq!(
        commands_of("Not run by a test.\n\nb:\n\n```sh\nz\n```\n\nThe next is not run by a test."),
        ["z"]
    );
}

#[test]
fn the_commands_behind_haproxy_are_right() {
    let folder = folder();
    let lines = commands("Behind HAProxy");
    let [one, two] = lines.as_slice() else { panic!("{lines:?}") };
    for (line, ports) in [(one, ["8881", "9101"]), (two, ["8882", "9102"])] {
        let free = ports.iter().fold((*line).to_owned(), |line, port| {
            assert!(line.contains(&format!(":{port}")), "{line}");
            line.replace(&format!(":{port}"), ":0")
        });
        let mut server = Server::start_as_is(&mut shell(folder.path(), &format!("exec {free}")));
        assert!(server.process.line().starts_with("admin listening on "));
        let mut client = server.connect();
        client.say("PROXY TCP4 192.0.2.1 192.0.2.2 1000 2000\r\nhello\nexit\n");
        let said = client.hear_all();
        assert!(said.contains("hello\n") && !said.contains("ERR"), "{said}");
        drop(client);
        server.process.signal(Signal::TERM);
        assert_eq!(server.process.end().code, Some(0));
    }
}

#[test]
fn the_commands_about_the_configuration_are_right() {
    let folder = folder();
    let lines = commands("Configuration");
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
    let lines = commands("Replace a running server");
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
