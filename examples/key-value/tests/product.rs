//! Tests of the store as a product: its name, its flags, and its errors.

#[path = "../../testing/server.rs"]
mod server;
#[path = "../../testing/signal.rs"]
mod signal;

use std::fs;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use self::server::{Server, command};
use self::signal::signal;

const PROGRAM: &str = env!("CARGO_BIN_EXE_key-value");

fn run(flags: &str) -> Output {
    command(PROGRAM, flags).output().expect("it runs")
}

/// The output of a successful run.
fn printed(flags: &str) -> String {
    let Output { status, stdout, .. } = run(flags);
    assert!(status.success(), "{flags}: {status}");
    String::from_utf8(stdout).expect("it is text")
}

/// The exit code and the standard error.
fn failed(command: &mut Command) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = command.output().expect("it runs");
    assert!(stdout.is_empty(), "{}", String::from_utf8_lossy(&stdout));
    (status.code(), String::from_utf8_lossy(&stderr).into_owned())
}

/// The folder of the test with this name.
fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).expect("it can be made");
    folder
}

#[test]
fn it_says_its_own_name() {
    assert_eq!(printed("--version"), format!("key-value {}\n", env!("CARGO_PKG_VERSION")));
    for (flags, expected) in [
        (
            "--help",
            "A key-value store that speaks a subset of the Redis protocol\n\nUsage: key-value [OPTIONS] <COMMAND>",
        ),
        ("--help", "# serve the handler `key-value` on smol\n  key-value serve\n"),
        ("serve --help", "Usage: key-value serve"),
        ("compare --help", "[default: key-value-report]"),
        ("compare --help", "--against before/key-value"),
        ("report --help", "key-value report key-value-report/report.json"),
        ("man --help", "key-value man > key-value.1"),
        ("man", ".TH key-value 1"),
        ("man serve", "KEY_VALUE_SERVE_MAX_MEMORY"),
        ("completions bash", "max-memory"),
        ("completions fish", "complete -c key-value"),
        ("completions zsh", "#compdef key-value"),
    ] {
        let text = printed(flags);
        assert!(text.contains(expected), "{flags}: {text}");
    }
    for flags in [
        "--help",
        "serve --help",
        "client --help",
        "load --help",
        "compare --help",
        "report --help",
        "man",
        "man serve",
    ] {
        let text = printed(flags);
        assert!(!text.to_lowercase().contains("anyloop"), "{flags}: {text}");
    }
    let (code, said) = failed(&mut command(PROGRAM, "serve --nothing"));
    assert!(code == Some(2) && said.contains("Usage: key-value serve"), "{said}");
}

#[test]
fn it_serves_nothing_else() {
    let list = printed("handlers");
    assert!(list.contains("key-value") && list.lines().count() == 2, "{list}");
    let help = printed("serve --help");
    for name in ["counter", "echo", "--work ", "--language"] {
        assert!(!help.contains(name), "{name}: {help}");
    }
}

#[test]
fn its_flags_have_a_heading_and_variables() {
    let help = printed("serve --help");
    let (_, own) = help.split_once("\nOf key-value:\n").expect("a heading");
    for text in
        ["--max-memory <SIZE>", "[env: KEY_VALUE_SERVE_MAX_MEMORY=]", "[default: 256MiB]", "--import <FILE>"]
    {
        assert!(own.contains(text), "{text}: {own}");
    }
    assert!(help.contains("[env: KEY_VALUE_SERVE_LISTEN=]"), "{help}");
    let wrong =
        |flags: &str, variable: &str, value: &str| failed(command(PROGRAM, flags).env(variable, value));
    let (code, said) = failed(&mut command(PROGRAM, "serve --max-memory much"));
    assert!(
        code == Some(2) && said.starts_with("error: --max-memory: `much` is not a size; write "),
        "{said}"
    );
    let (code, said) = wrong("serve", "KEY_VALUE_SERVE_MAX_MEMORY", "much");
    assert!(
        code == Some(2) && said.starts_with("error: KEY_VALUE_SERVE_MAX_MEMORY: `much` is not a size"),
        "{said}"
    );
    let (_, said) = wrong("client 127.0.0.1:1", "KEY_VALUE_SERVE_MEMORY", "1");
    let warning = "warning: the variable KEY_VALUE_SERVE_MEMORY sets no flag; ";
    assert!(said.starts_with(warning), "{said}");
    // Those of another program are ignored.
    let (code, said) = wrong("serve --framing line", "ANYLOOP_SERVE_BACKEND", "none");
    assert!(code == Some(2) && said.contains("is a protocol without a framing"), "{said}");
}

#[test]
fn its_flags_work() {
    let file = folder("import").join("pairs");
    fs::write(&file, "greeting hello, world\n").expect("it can be written");
    let server = Server::start(PROGRAM, &format!("--max-memory 100 --import {}", file.display()));
    let mut socket = server.connect();
    socket.write_all(b"GET greeting\r\nSET a 1\r\nQUIT\r\n").expect("it reads");
    let mut said = String::new();
    socket.read_to_string(&mut said).expect("it ends");
    assert_eq!(said, "$12\r\nhello, world\r\n-OOM the store is full; remove keys\r\n+OK\r\n");
}

#[test]
fn its_log_and_its_receipt_have_its_name() {
    let mut command = command(PROGRAM, "serve --receipt -");
    command.env("KEY_VALUE_SERVE_LISTEN", "127.0.0.1:0").stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let (mut line, mut byte) = (Vec::new(), [0]);
    while line.last() != Some(&b'\n') {
        child.stdout.as_mut().expect("it is piped").read_exact(&mut byte).expect("it says where it listens");
        line.push(byte[0]);
    }
    signal(&child, "TERM");
    let ended = child.wait_with_output().expect("it ends");
    let (receipt, log) = (String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    let version = env!("CARGO_PKG_VERSION");
    let begin = format!("{{\"program\":\"key-value\",\"version\":\"{version}\",\"anyloop\":");
    assert!(receipt.starts_with(&begin), "{receipt}");
    for begin in [" INFO serving ", " INFO ended "] {
        let line = log.lines().find(|line| line.contains(begin)).expect("it is in the log");
        assert!(line.contains(&format!(" program=\"key-value\" version=\"{version}\" ")), "{line}");
    }
}

#[test]
fn a_store_that_cannot_be_made_is_one_line_before_anything_listens() {
    let expected = "key-value: /nowhere can't be imported: No such file or directory (os error 2)\n";
    for command_line in ["serve --listen 127.0.0.1:0", "compare --quick --rounds 1 --output /nowhere/else"] {
        let (code, said) = failed(command(PROGRAM, command_line).args(["--import", "/nowhere"]));
        assert_eq!((code, said.as_str()), (Some(1), expected), "{command_line}");
    }
}

/// Compares two backends briefly.
fn compare(name: &str, flags: &str) -> (Command, PathBuf) {
    let folder = folder(name);
    let short = "compare --quick --rounds 1 --backends threads,smol --connections 2 --depth 2 --output";
    let mut command = command(PROGRAM, short);
    command.arg(&folder).args(flags.split_whitespace());
    (command, folder.join("report.md"))
}

#[test]
fn the_servers_that_it_compares_have_its_flags_and_not_its_variables() {
    let (mut command, report) = compare("compared", "");
    command.env("KEY_VALUE_SERVE_MAX_MEMORY", "1");
    let ended = command.output().expect("it runs");
    // The machine may be too noisy for a verdict.
    assert!(matches!(ended.status.code(), Some(0 | 3)), "{ended:?}");
    assert!(fs::read_to_string(report).expect("it is written").contains("key-value"));
    let (mut command, _) = compare("full", "");
    let ended = command.env("KEY_VALUE_COMPARE_MAX_MEMORY", "1").output().expect("it runs");
    let said =
        format!("{}{}", String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    assert!(ended.status.code() == Some(4) && said.contains("bad replies"), "{said}");
    assert!(said.contains("key-value --max-memory=1"), "{said}");
}

#[test]
fn a_server_that_cannot_be_made_is_quoted_by_compare() {
    // Only the first reader gets the input; the servers get none.
    let (mut command, _) = compare("quoted", "--import /dev/stdin");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    child.stdin.take().expect("it is piped").write_all(b"a 1\n").expect("it reads");
    let ended = child.wait_with_output().expect("it ends");
    let said =
        format!("{}{}", String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    assert!(ended.status.code() == Some(1), "{said}");
    assert!(said.contains("key-value: /dev/stdin can't be imported: it is empty"), "{said}");
}
