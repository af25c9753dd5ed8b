//! Steps 7 and 12: a server of one's own in Python, alone and in the comparison.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::{connect, expect, learn, say, verify};

const SOLUTION: &str = "docs/learn/solutions/step07.py";

/// A Python program that listens, which is killed on drop.
struct Server {
    process: Child,
    address: SocketAddr,
}

impl Server {
    fn start() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(SOLUTION);
        let mut python = Command::new("python3");
        let mut process = python.arg(path).arg("0").stdout(Stdio::piped()).spawn().expect("Python runs");
        let mut line = String::new();
        let stdout = process.stdout.take().expect("it is piped");
        BufReader::new(stdout).read_line(&mut line).expect("it says where it listens");
        let address = line.trim().strip_prefix("listening on ").expect("it says where it listens");
        Self { address: address.parse().expect("an address"), process }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn an_edge_triggered_server_forgets_nothing() {
    let server = Server::start();
    let client = connect(server.address);
    let messages = "many\n".repeat(10_000);
    say(&client, &messages);
    expect(&client, &messages);
    verify(server.address, &["--connections", "16", "--depth", "100"]);
}

#[test]
#[ignore = "a comparison takes 15 seconds: run by `.ci/full`, or with `--include-ignored`"]
fn it_takes_part_in_a_comparison() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let server = format!("mine=python3 {} {{port}}", root.join(SOLUTION).display());
    let report = tempfile::tempdir().expect("a folder");
    let folder = report.path().to_str().expect("text");
    let output =
        learn(&["compare", "--quick", "--rounds", "1", "-b", "epoll", "--server", &server, "-o", folder]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(3), "one round gives no verdict: {text}");
    assert!(text.lines().any(|line| line.starts_with("mine ")), "{text}");
}
