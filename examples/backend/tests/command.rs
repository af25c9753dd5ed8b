//! Tests the command with the additional backend: it is listed, and serves until it is stopped.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// The command, without flags from the environment.
fn command(flags: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_poll"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ANYLOOP_")) {
        command.env_remove(name);
    }
    command.args(flags.split_whitespace()).stdin(Stdio::null());
    command
}

/// A child process, which is killed on drop.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn it_is_listed_with_the_built_in_backends() {
    let output = command("backends").output().expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("one thread that polls all clients"), "{text}");
    assert!(text.contains("smol"), "{text}");
}

#[test]
fn it_serves_until_it_is_stopped() {
    let flags = "serve --backend poll --handler echo --framing line --listen 127.0.0.1:0 --log-level error";
    let mut server = Ended(command(flags).stdout(Stdio::piped()).spawn().expect("it starts"));
    let mut stdout = BufReader::new(server.0.stdout.take().expect("it is piped"));
    let mut line = String::new();
    stdout.read_line(&mut line).expect("it says where it listens");
    let address = line.strip_prefix("listening on ").map(str::trim_end).expect("it says where it listens");

    let mut socket = TcpStream::connect(address).expect("it listens");
    socket.set_read_timeout(Some(Duration::from_secs(20))).expect("it is a time");
    socket.write_all(b"hello\n").expect("it reads");
    let mut heard = [0; 6];
    socket.read_exact(&mut heard).expect("it answers");
    assert_eq!(&heard, b"hello\n");

    let id = i32::try_from(server.0.id()).ok().and_then(Pid::from_raw).expect("it is one");
    kill_process(id, Signal::TERM).expect("it runs");
    assert_eq!(socket.read(&mut heard).expect("it ends cleanly"), 0);
    drop(socket); // otherwise the server would linger
    assert!(server.0.wait().expect("it ends").success());
}
