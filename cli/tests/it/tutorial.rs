//! The classic socket tutorial's programs against ours: its client with our server, our client with its servers.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use crate::process::{Process, anyloop, run};
use crate::server::{Server, backends};

const SAID: &str = "hello\n你好,世界\nthree words here\nexit\n";
const COUNTED: &str = "連接成功!\n第1條信息:hello\n第2條信息:你好,世界\n第3條信息:three words here\n";

fn python(program: &str) -> Command {
    let mut command = Command::new("python3");
    command.arg(format!("{}/../docs/tutorial/{program}", env!("CARGO_MANIFEST_DIR"))).env("PYTHONUTF8", "1");
    command
}

/// A greeting, and an acknowledgement with a number from 1 to 1000 for each message but the last.
#[track_caller]
fn check_acknowledged(stdout: &str, who: &str) {
    let mut lines = stdout.lines();
    assert_eq!(lines.next(), Some("Hello World!"), "{who}");
    let numbers: Vec<u16> = lines.map(|line| line.strip_suffix(":ACK!").unwrap().parse().unwrap()).collect();
    assert_eq!(numbers.len(), 3, "{who}: {stdout}");
    assert!(numbers.iter().all(|number| (1..=1000).contains(number)), "{who}: {stdout}");
}

#[test]
fn its_client_talks_to_every_backend() {
    for backend in backends() {
        for handler in ["counter", "ack"] {
            let server = Server::start(&format!("--backend {backend} --handler {handler} --framing raw"));
            let ended = run(python("client.py").arg(server.address.port().to_string()), SAID);
            assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{backend} {handler}");
            match handler {
                "counter" => assert_eq!(ended.stdout, COUNTED, "{backend}"),
                _ => check_acknowledged(&ended.stdout, backend),
            }
            let ended = server.stop();
            assert_eq!((ended.code, &ended.receipt["finished"]), (Some(0), &1.into()), "{backend} {handler}");
        }
    }
}

/// Starts one of its servers, and returns the address that it listens at. The threaded one starts threads until a limit
/// on its memory ends that.
fn serve(program: &str) -> (Process, String) {
    let server = python(program);
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -v 2000000; exec \"$0\" \"$@\" 0"]).arg(server.get_program());
    let mut server = Process::start(limited.args(server.get_args()).env("PYTHONUTF8", "1"));
    let line = server.line();
    let address = line.trim_end().strip_prefix("listening on ").unwrap_or_else(|| panic!("it said: {line}"));
    (server, address.to_owned())
}

#[test]
fn our_client_talks_to_its_servers() {
    for program in ["server.py", "threaded.py"] {
        let (_server, address) = serve(program);
        // The first server, which serves one after the other, has to be left properly to serve the second.
        for _ in 0..2 {
            let ended = run(&mut anyloop(&["client", &address, "--framing", "raw"]), SAID);
            assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{program}");
            match program {
                "server.py" => assert_eq!(ended.stdout, COUNTED),
                _ => check_acknowledged(&ended.stdout, program),
            }
        }
    }
}

#[test]
fn a_client_that_leaves_without_a_message_ends_its_server() {
    let (mut server, address) = serve("server.py");
    let mut client = TcpStream::connect(address).unwrap();
    client.write_all(b"hello").unwrap();
    let mut heard = vec![0; "連接成功!第1條信息:hello".len()];
    client.read_exact(&mut heard).unwrap();
    drop(client);
    server.wait_for_log("BrokenPipeError");
}
