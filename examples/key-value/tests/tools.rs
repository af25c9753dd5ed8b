//! End-to-end tests of the store: on every backend, and with the Redis tools.

#[path = "../../testing/load.rs"]
mod load;
#[path = "../../testing/server.rs"]
mod server;
#[path = "../../testing/tool.rs"]
mod tool;

use std::io::{Read, Write};

use anyloop_cli::BACKENDS;

use self::load::load;
use self::server::{Server, command};
use self::tool::Tool;

const PROGRAM: &str = env!("CARGO_BIN_EXE_key-value");
const REDIS_CLI: Tool = Tool { name: "redis-cli", package: "redis-tools" };
const REDIS_BENCHMARK: Tool = Tool { name: "redis-benchmark", package: "redis-tools" };

/// The output of a tool that connects to this server.
fn run(tool: &Tool, server: &Server, arguments: &str) -> Option<String> {
    let port = server.address.rsplit(':').next().unwrap_or_default();
    let arguments: Vec<&str> = ["-p", port].into_iter().chain(arguments.split_whitespace()).collect();
    tool.run(&arguments)
}

#[test]
fn every_backend_serves_it() {
    for backend in BACKENDS {
        let server = Server::start(PROGRAM, &format!("--backend {}", backend.name()));
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
fn redis_cli_works_with_it() {
    let server = Server::start(PROGRAM, "--backend smol");
    for (arguments, expected) in [
        ("ping", "PONG\n"),
        ("set greeting hello", "OK\n"),
        ("get greeting", "hello\n"),
        ("mget greeting none", "hello\n\n"),
        ("del greeting", "1\n"),
        ("--no-raw get greeting", "(nil)\n"),
        ("-3 --no-raw get greeting", "(nil)\n"),
        ("incrby number 40", "40\n"),
        ("-3 incrby number 2", "42\n"),
        ("client getname", "\n"),
        ("-3 --no-raw config get save", "1# \"save\" => \"\"\n"),
        ("info keyspace", "# Keyspace\ndb0:keys=1,expires=0,avg_ttl=0\n"),
        ("-3 info keyspace", "# Keyspace\ndb0:keys=1,expires=0,avg_ttl=0\n"),
        ("-n 0 dbsize", "1\n"),
        ("command count", "18\n"),
    ] {
        let Some(said) = run(&REDIS_CLI, &server, arguments) else { return };
        assert_eq!(said.replace('\r', ""), expected, "{arguments}");
    }
}

#[test]
fn redis_benchmark_works_with_it() {
    let server = Server::start(PROGRAM, "--backend smol");
    for flags in ["-P 16", "-P 1 -3", "-r 100 --threads 2"] {
        let arguments = format!("-t ping,set,get,incr,mset -n 2000 -q {flags}");
        let Some(said) = run(&REDIS_BENCHMARK, &server, &arguments) else { return };
        assert_eq!(said.matches("requests per second").count(), 6, "{said}");
        assert!(!said.contains("WARN") && !said.contains("rror"), "{said}");
    }
}

#[test]
fn the_framing_flag_is_rejected() {
    let output = command(PROGRAM, "serve --framing line").output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let expected = "key-value is a protocol without a framing";
    assert!(output.status.code() == Some(2) && said.contains(expected), "{said}");
}

#[test]
fn commands_of_the_command_line_are_counted() {
    let server = Server::start(PROGRAM, "");
    for (other, expected, said) in
        [("DBSIZE", 0, "counted, not verified"), ("FROB", 4, "such as `-ERR unknown command")]
    {
        let (code, text) = load(&server, "--message PING --message", &[other]);
        assert!(code == Some(expected) && text.contains(said), "{other}: {code:?}: {text}");
    }
}
