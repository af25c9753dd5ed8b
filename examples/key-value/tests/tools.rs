//! The store as its users meet it: on every backend, and with the Redis tools where they are installed.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyloop::BACKENDS;

/// A server, which is ended when this is dropped.
struct Server {
    child: Child,
    port: String,
}

impl Server {
    fn start(backend: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_key-value"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ANYLOOP_")) {
            command.env_remove(name);
        }
        let flags = ["serve", "--backend", backend, "--listen", "127.0.0.1:0", "--log-level", "error"];
        let mut child = command.args(flags).stdout(Stdio::piped()).spawn().expect("it starts");
        let mut line = String::new();
        let stdout = child.stdout.as_mut().expect("it is piped");
        BufReader::new(stdout).read_line(&mut line).expect("it says where it listens");
        let port = line.trim_end().rsplit(':').next().map(String::from);
        Self { child, port: port.unwrap_or_default() }
    }

    fn connect(&self) -> TcpStream {
        let socket = TcpStream::connect(format!("127.0.0.1:{}", self.port)).expect("it listens");
        socket.set_read_timeout(Some(Duration::from_secs(20))).expect("it is a time");
        socket
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a tool prints; `None` if it isn't installed.
fn tool(server: &Server, name: &str, arguments: &str) -> Option<String> {
    let mut command = Command::new(name);
    command.args(["-p", &server.port]).args(arguments.split_whitespace()).stdin(Stdio::null());
    let output = command.output().ok()?;
    assert!(output.status.success(), "{name} {arguments}: {output:?}");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn every_backend_serves_it() {
    for backend in BACKENDS {
        let server = Server::start(backend.name());
        let mut socket = server.connect();
        let many = "*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n".repeat(1000);
        let long = format!("SET k {}\r\nGET k\r\nQUIT\r\n", "x".repeat(60_000));
        socket.write_all((many + &long).as_bytes()).expect("it reads");
        let mut said = String::new();
        socket.read_to_string(&mut said).expect("it ends");
        let counted: String = (1..=1000).map(|number| format!(":{number}\r\n")).collect();
        let expected = format!("{counted}+OK\r\n$60000\r\n{}\r\n+OK\r\n", "x".repeat(60_000));
        assert!(said == expected, "{}: {} bytes of {}", backend.name(), said.len(), expected.len());
    }
}

#[test]
fn the_redis_tools_talk_to_it() {
    let server = Server::start("smol");
    for (arguments, expected) in [
        ("ping", "PONG\n"),
        ("set greeting hello", "OK\n"),
        ("get greeting", "hello\n"),
        ("mget greeting none", "hello\n\n"),
        ("del greeting", "1\n"),
        ("--no-raw get greeting", "(nil)\n"),
    ] {
        let Some(said) = tool(&server, "redis-cli", arguments) else { return };
        assert_eq!(said, expected, "{arguments}");
    }
    let Some(said) = tool(&server, "redis-benchmark", "-t ping,set,get,incr,mset -P 16 -n 2000 -q") else {
        return;
    };
    assert_eq!(said.matches("requests per second").count(), 6, "{said}");
}

#[test]
fn it_says_what_it_has_no_use_for() {
    for (arguments, expected) in [
        (&["serve", "--framing", "line"][..], "key-value has a protocol of its own, and so no framing"),
        (&["compare", "--handler", "key-value"], "redis-benchmark"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_key-value")).args(arguments).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && said.contains(expected), "{arguments:?}: {said}");
    }
}
