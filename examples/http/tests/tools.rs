//! The responder as its users meet it: on every backend, and with curl and wrk where they are installed.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyloop::BACKENDS;

/// A server, which is ended when this is dropped.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(backend: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_http"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ANYLOOP_")) {
            command.env_remove(name);
        }
        let flags = ["serve", "--backend", backend, "--listen", "127.0.0.1:0", "--log-level", "error"];
        let mut child = command.args(flags).stdout(Stdio::piped()).spawn().expect("it starts");
        let mut line = String::new();
        let stdout = child.stdout.as_mut().expect("it is piped");
        BufReader::new(stdout).read_line(&mut line).expect("it says where it listens");
        let address = line.strip_prefix("listening on ").map(str::trim_end).map(String::from);
        Self { child, address: address.unwrap_or_else(|| panic!("it said: {line}")) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a tool prints; `None` if it isn't installed.
fn tool(name: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(name).args(arguments).stdin(Stdio::null()).output().ok()?;
    assert!(output.status.success(), "{name} {arguments:?}: {output:?}");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn every_backend_serves_it() {
    for backend in BACKENDS {
        let server = Server::start(backend.name());
        let mut socket = TcpStream::connect(&server.address).expect("it listens");
        socket.set_read_timeout(Some(Duration::from_secs(20))).expect("it is a time");
        let many = "GET /health HTTP/1.1\r\nHost: a\r\n\r\n".repeat(999);
        let last = "GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        socket.write_all((many + last).as_bytes()).expect("it reads");
        let mut said = String::new();
        socket.read_to_string(&mut said).expect("it ends");
        assert_eq!(said.matches("\r\n\r\nok\n").count(), 1000, "{}", backend.name());
    }
}

#[test]
fn curl_and_wrk_talk_to_it() {
    let server = Server::start("smol");
    let url = |path: &str| format!("http://{}{path}", server.address);
    let code = ["-s", "-o", "/dev/null", "-w", "%{http_code} %{num_connects}"];
    for (arguments, expected) in [
        (vec!["-s", &url("/health"), &url("/health")], "ok\nok\n"),
        (code.into_iter().chain(["--head", &url("/")]).collect(), "200 1"),
        (code.into_iter().chain([&*url("/none")]).collect(), "404 1"),
        (code.into_iter().chain(["-d", "body", &url("/")]).collect(), "405 1"),
        (code.into_iter().chain(["--http1.0", &url("/")]).collect(), "200 1"),
        (
            code.into_iter().chain(["-H", "Transfer-Encoding: chunked", "-d", "body", &url("/")]).collect(),
            "501 1",
        ),
    ] {
        let Some(said) = tool("curl", &arguments) else { break };
        assert_eq!(said, expected, "{arguments:?}");
    }
    let Some(said) = tool("wrk", &["-c", "8", "-t", "1", "-d", "1s", &url("/health")]) else { return };
    assert!(
        said.contains("Requests/sec") && !said.contains("Non-2xx") && !said.contains("Socket errors"),
        "{said}"
    );
}
