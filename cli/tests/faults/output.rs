//! Output that can't be written: the log, the receipt, and pipes whose reader has left; and what a client's bytes do to
//! the log.

use std::fs::{self, OpenOptions};
use std::process::{Command, Stdio};

use tempfile::tempdir;

use crate::process::{Process, anyloop, through};
use crate::server::{Server, command};

/// Serves clients on a server that logs about each of them, and ends it.
fn serve(backend: &str, command: &mut Command) {
    let server = Server::start_as_is(command.stdin(Stdio::null()).stdout(Stdio::piped()));
    for _ in 0..10 {
        let mut client = server.connect();
        client.say("exit\n");
        assert_eq!(client.hear_all(), "連接成功!\n", "{backend}");
    }
    let ended = server.stop();
    assert_eq!((ended.code, &ended.receipt["finished"]), (Some(0), &10.into()), "{backend}");
}

/// The log is closed, is as large as it may be, or its disk is full. So is the disk of the receipt, which is reported.
pub(crate) fn full(backend: &str) {
    let flags = format!("--backend {backend} --log-level debug");
    let full = || OpenOptions::new().write(true).open("/dev/full").unwrap();
    serve(backend, command(&flags).stderr(full()));
    serve(backend, &mut through(&["sh", "-c", "exec \"$0\" \"$@\" 2>&-"], &command(&flags)));
    let directory = tempdir().unwrap();
    let log = directory.path().join("log");
    let limited = format!("ulimit -f 1; exec \"$0\" \"$@\" 2>{}", log.display());
    serve(backend, &mut through(&["sh", "-c", &limited], &command(&flags)));
    assert!([512, 1024].contains(&fs::metadata(&log).unwrap().len()), "{backend}: a block, which is full");

    let flags = ["serve", "--listen", "127.0.0.1:0", "--backend", backend, "--receipt", "/dev/full"];
    let server = Server::start_as_is(
        anyloop(&flags).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()),
    );
    let mut client = server.connect();
    client.say("exit\n");
    assert_eq!(client.hear_all(), "連接成功!\n", "{backend}");
    server.process.signal(rustix::process::Signal::TERM);
    let ended = server.process.end();
    assert_eq!(ended.code, Some(1), "{backend}: {ended:?}");
    assert!(ended.stderr.contains("the receipt can't be written"), "{backend}: {ended:?}");
}

/// Nobody reads what the server prints, or what a client prints.
pub(crate) fn broken_pipe(backend: &str) {
    let mut server = Server::start(&format!("--backend {backend}"));
    server.process.stop_listening();
    let client = format!("\"$0\" client {} | head -n 1", server.address);
    let mut client = Process::start(&mut through(&["sh", "-c", &client], &anyloop(&[])));
    client.say_last("hello\n".repeat(10_000).into_bytes());
    let ended = client.end();
    assert_eq!(ended.stdout, "連接成功!\n", "{backend}: {ended:?}");
    assert!(!ended.stderr.contains("panic"), "{backend}: {ended:?}");
    let mut client = server.connect();
    client.say("exit\n");
    assert_eq!(client.hear_all(), "連接成功!\n", "{backend}");
    server.process.signal(rustix::process::Signal::TERM);
    let ended = server.process.end();
    assert!(!ended.stderr.contains("panic"), "{backend}: {ended:?}");
}

/// Clients that send line ends, escape sequences and what is no text, and are refused.
pub(crate) fn injection(backend: &str) {
    let flags = format!("--backend {backend} --log-level trace --framing length --max-message 8");
    let server = Server::start(&flags);
    for bytes in
        ["\u{1b}[2J\nERROR forged\r\n", "\0\0\0\u{4}\u{1b}[1m", "\0\0\0\u{2}\u{80}", "\u{7f}\u{202e}\n\n"]
    {
        let mut client = server.connect();
        client.say(bytes);
        client.half_close();
        client.hear_all();
    }
    let ended = server.stop();
    let mut lines = ended.log.lines();
    assert!(ended.log.lines().count() > 4, "{backend}: {}", ended.log);
    let forged =
        lines.find(|line| line.contains("forged") || line.bytes().any(|byte| !(32..127).contains(&byte)));
    assert_eq!(forged, None, "{backend}");
}
