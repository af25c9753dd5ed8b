//! HAProxy in front of servers.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::{TempDir, tempdir};

use crate::process::BOUND;

/// A process of HAProxy, which ends on drop.
pub(crate) struct Haproxy {
    child: Child,
    pub(crate) address: String,
    folder: TempDir,
}

impl Haproxy {
    /// Whether it is installed; it has to be where `CI` is set.
    pub(crate) fn is_installed() -> bool {
        let is_installed = Command::new("haproxy").arg("-v").output().is_ok();
        assert!(is_installed || std::env::var_os("CI").is_none(), "haproxy is not installed");
        is_installed
    }

    /// Starts it in front of these servers, which are named `app/1` and so on, with the options of each.
    pub(crate) fn start(servers: &[SocketAddr], options: &str) -> Self {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let folder = tempdir().unwrap();
        let mut configuration = format!(
            "global\n stats socket {} level admin\n\
             defaults\n mode tcp\n timeout connect 5s\n timeout client 1h\n timeout server 1h\n\
             retries 3\n option redispatch 1\n\
             listen app\n bind {address}\n balance roundrobin\n",
            folder.path().join("stats").display()
        );
        for (index, server) in servers.iter().enumerate() {
            configuration += &format!(" server {} {server} {options}\n", index + 1);
        }
        let file = folder.path().join("haproxy.cfg");
        std::fs::write(&file, configuration).unwrap();
        let mut command = Command::new("haproxy");
        command
            .arg("-db")
            .arg("-f")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let haproxy = Self { child: command.spawn().unwrap(), address, folder };
        let deadline = Instant::now() + BOUND;
        while TcpStream::connect(&haproxy.address).is_err() {
            assert!(Instant::now() < deadline, "HAProxy does not listen");
            thread::sleep(Duration::from_millis(5));
        }
        haproxy
    }

    /// Has it execute a command of its administrator, such as `set server app/1 state drain`.
    pub(crate) fn execute(&self, command: &str) -> String {
        let mut socket = UnixStream::connect(self.folder.path().join("stats")).unwrap();
        writeln!(socket, "{command}").unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        answer.trim().to_owned()
    }
}

impl Drop for Haproxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
