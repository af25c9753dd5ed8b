//! End-to-end tests of the responder: on every backend, and with curl and wrk.

#[path = "../../testing/load.rs"]
mod load;
#[path = "../../testing/server.rs"]
mod server;
#[path = "../../testing/tool.rs"]
mod tool;

use std::io::{Read, Write};

use anyloop_cli::BACKENDS;

use self::load::load;
use self::server::Server;
use self::tool::Tool;

const PROGRAM: &str = env!("CARGO_BIN_EXE_http");
const CURL: Tool = Tool { name: "curl", package: "curl" };
const WRK: Tool = Tool { name: "wrk", package: "wrk" };

#[test]
fn every_backend_serves_it() {
    for backend in BACKENDS {
        let server = Server::start(PROGRAM, &format!("--backend {}", backend.name()));
        let mut socket = server.connect();
        let many = "GET /health HTTP/1.1\r\nHost: a\r\n\r\n".repeat(999);
        let last = "GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        socket.write_all((many + last).as_bytes()).expect("it reads");
        let mut said = String::new();
        socket.read_to_string(&mut said).expect("it ends");
        assert_eq!(said.matches("\r\n\r\nok\n").count(), 1000, "{}", backend.name());
    }
}

#[test]
fn every_backend_answers_expect_100_continue() {
    for backend in BACKENDS {
        let server = Server::start(PROGRAM, &format!("--backend {}", backend.name()));
        let mut socket = server.connect();
        let head = "GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 4\r\n";
        socket.write_all(format!("{head}Expect: 100-continue\r\n\r\n").as_bytes()).expect("it reads");
        let mut word = [0; "HTTP/1.1 100 Continue\r\n\r\n".len()];
        socket.read_exact(&mut word).expect("it says a word");
        assert_eq!(String::from_utf8_lossy(&word), "HTTP/1.1 100 Continue\r\n\r\n", "{}", backend.name());
        socket.write_all(b"body").expect("it reads");
        let mut said = String::new();
        socket.read_to_string(&mut said).expect("it ends");
        assert!(said.starts_with("HTTP/1.1 200 OK\r\n") && said.ends_with("ok\n"), "{said}");
    }
}

#[test]
fn curl_talks_to_it() {
    let server = Server::start(PROGRAM, "--backend smol");
    let folder = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let body = |length: usize| {
        let path = folder.join(format!("body-{length}"));
        std::fs::write(&path, vec![b'x'; length]).expect("it is written");
        format!("@{}", path.display())
    };
    let (small, large) = (body(60_000), body(3_000_000));
    let url = |path: &str| format!("http://{}{path}", server.address);
    let (page, health, none) = (url("/"), url("/health"), url("/none"));
    let expect = ["-H", "Expect: 100-continue", "--data-binary"];
    for (arguments, expected) in [
        (&["--head", &page][..], "200 1"),
        (&["--head", &none], "404 1"),
        (&[&none], "404 1"),
        (&[&page, "-o", "/dev/null", &health], "200 1200 0"),
        (&["-d", "body", &page, "-o", "/dev/null", &page], "405 1405 0"),
        (&["--http1.0", &page], "200 1"),
        (&["-H", "Transfer-Encoding: chunked", "-d", "body", &page, "-o", "/dev/null", &page], "405 1405 0"),
        (&["-H", "Transfer-Encoding: gzip", &page], "501 1"),
        (&["-H", "Expect: something", &page], "417 1"),
        (&["-H", "Host:", &page], "400 1"),
        (&["-X", "OPTIONS", "--request-target", "*", &page], "200 1"),
        // The server sends `100 Continue`, and the connection is kept.
        (
            &["-X", "GET", expect[0], expect[1], expect[2], &small, &page, "-o", "/dev/null", &page],
            "200 1200 0",
        ),
        // The server does not send it.
        (&[expect[0], expect[1], expect[2], &small, &page, "-o", "/dev/null", &page], "405 1405 1"),
        (&[expect[0], expect[1], expect[2], &large, &page], "413 1"),
        (&["-H", "Expect:", "--data-binary", &small, &page], "405 1"),
    ] {
        let common = ["-s", "-m", "60", "-o", "/dev/null", "-w", "%{http_code} %{num_connects}"];
        let arguments: Vec<&str> = common.into_iter().chain(arguments.iter().copied()).collect();
        let Some(said) = CURL.run(&arguments) else { return };
        assert_eq!(said, expected, "{arguments:?}");
    }
    let Some(said) = CURL.run(&["-s", &health, &health]) else { return };
    assert_eq!(said, "ok\nok\n");
}

#[test]
fn wrk_talks_to_it() {
    let server = Server::start(PROGRAM, "--backend smol");
    let url = format!("http://{}/health", server.address);
    let Some(said) = WRK.run(&["-c", "8", "-t", "1", "-d", "1s", &url]) else { return };
    let is_well = !said.contains("Non-2xx") && !said.contains("Socket errors");
    assert!(said.contains("Requests/sec") && is_well, "{said}");
}

#[test]
fn requests_of_the_command_line_are_counted() {
    let server = Server::start(PROGRAM, "");
    for (request, expected, said) in [
        ("GET /health", 0, "counted, not verified"),
        ("HEAD /", 0, "counted, not verified"),
        ("GET /nowhere", 4, "such as `HTTP/1.1 404 Not Found`"),
    ] {
        let (code, text) = load(&server, "--message", &[request]);
        assert!(code == Some(expected) && text.contains(said), "{request}: {code:?}: {text}");
    }
}
