//! The classic socket tutorial's programs against ours: its client with our server, our client with its servers.

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

#[test]
fn our_client_talks_to_its_servers() {
    for program in ["server.py", "threaded.py"] {
        let mut server = Process::start(&mut python(program));
        let address = format!("127.0.0.1:{}", server.line().trim_end());
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
fn the_client_can_close_without_a_message() {
    let mut server = Process::start(&mut python("server.py"));
    let address = format!("127.0.0.1:{}", server.line().trim_end());
    for _ in 0..2 {
        let ended = run(&mut anyloop(&["client", &address, "--framing", "raw"]), "hello\n");
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "連接成功!\n第1條信息:hello\n"));
    }
}
