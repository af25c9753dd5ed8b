//! The example's command, and a server of it, for the tests of every example.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A program, without flags from the environment.
pub(crate) fn command(program: &str, flags: &str) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ANYLOOP_")) {
        command.env_remove(name);
    }
    command.args(flags.split_whitespace()).stdin(Stdio::null());
    command
}

/// A server, which is stopped on drop.
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) address: String,
}

impl Server {
    pub(crate) fn start(program: &str, flags: &str) -> Self {
        Self::start_at("127.0.0.1:0", program, flags)
    }

    pub(crate) fn start_at(address: &str, program: &str, flags: &str) -> Self {
        let mut command = command(program, &format!("serve --listen {address} --log-level error {flags}"));
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let mut line = String::new();
        let stdout = child.stdout.as_mut().expect("it is piped");
        BufReader::new(stdout).read_line(&mut line).expect("it says where it listens");
        let address = line.strip_prefix("listening on ").map(str::trim_end).map(String::from);
        Self { child, address: address.unwrap_or_else(|| panic!("it said: {line}")) }
    }

    /// A client with a timeout.
    pub(crate) fn connect(&self) -> TcpStream {
        let socket = TcpStream::connect(&self.address).expect("it listens");
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
