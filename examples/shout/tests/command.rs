//! The command with an additional handler and framing: they are served, loaded, compared and listed like the built-in
//! ones.

#[path = "../../testing/server.rs"]
mod server;

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Output, Stdio};

use anyloop_cli::BACKENDS;

use self::server::{Server, command};

const PROGRAM: &str = env!("CARGO_BIN_EXE_shout");

fn run(flags: &str) -> Output {
    command(PROGRAM, flags).output().expect("it runs")
}

#[test]
fn it_is_served_in_its_framing_on_every_backend() {
    for backend in BACKENDS {
        let server =
            Server::start(PROGRAM, &format!("--backend {} --framing mllp --max-message 5", backend.name()));
        let mut socket = server.connect();
        socket.write_all(b"\x0bhello\x1c\r\n\x0bh\x1ci\x1c\r\x0btoo long\x1c\r").expect("it reads");
        let mut said = String::new();
        socket.read_to_string(&mut said).expect("it ends");
        let expected =
            "\x0bHello, number 1!\x1c\r\x0bHELLO\x1c\r\x0bH\x1cI\x1c\r\x0bERR too-long max=5\x1c\r";
        assert_eq!(said, expected, "{}", backend.name());
    }
}

#[test]
fn the_client_and_the_load_generator_use_its_framing() {
    let server = Server::start(PROGRAM, "--framing mllp");
    let mut client = command(PROGRAM, &format!("client --framing mllp {}", server.address));
    let mut client = client.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
    client.stdin.take().expect("it is piped").write_all(b"hi\nbye\n").expect("it reads");
    let said = client.wait_with_output().expect("it ends").stdout;
    assert_eq!(String::from_utf8_lossy(&said), "Hello, number 1!\nHI\n");

    let flags = "--framing mllp --connections 2 --depth 4 --duration 200ms --warmup 50ms";
    let loaded = run(&format!("load {} {flags}", server.address));
    let text = String::from_utf8_lossy(&loaded.stdout).into_owned();
    assert!(loaded.status.code() == Some(0) && text.contains("all as they should be"), "{loaded:?}");
}

#[test]
fn it_is_compared_and_reported() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("report");
    let flags = "--quick --rounds 1 --backends threads,smol --connections 2 --depth 2 --framing mllp";
    let compared = run(&format!("compare {flags} --output {}", folder.display()));
    // The machine may be too noisy for a verdict.
    assert!(matches!(compared.status.code(), Some(0 | 3)), "{compared:?}");
    let report = std::fs::read_to_string(folder.join("report.md")).expect("it is written");
    assert!(report.contains("shout in mllp") && report.contains("shout compare --quick"), "{report}");
}

#[test]
fn the_lists_and_the_help_name_it() {
    for (flags, expected) in [
        ("handlers", "says it louder"),
        ("serve --help", "between a vertical tab"),
        ("serve --help", "[default: shout]"),
        ("compare --help", "[default: shout]"),
        ("completions bash", "mllp"),
        ("man serve", "mllp"),
        ("--version", "shout (anyloop"),
    ] {
        let output = run(flags);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && text.contains(expected), "{flags}: {text}");
    }
}

#[test]
fn the_guide_shows_its_main() {
    let main = include_str!("../src/main.rs");
    let (_, program) = main.split_once("#![forbid(unsafe_code)]\n\n").expect("a program");
    assert!(include_str!("../../../docs/write-a-handler.md").contains(program));
}
