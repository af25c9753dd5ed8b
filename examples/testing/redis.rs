//! A redis-server of the tests, which is ended by its process.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::thread;

use tempfile::TempDir;

use crate::tool::Tool;

const REDIS: Tool = Tool { name: "redis-server", package: "redis-server" };

pub(crate) struct Redis {
    pub(crate) child: Option<Child>,
    folder: TempDir,
    port: u16,
}

impl Redis {
    /// One that is not running. `None` if it isn't installed.
    pub(crate) fn stopped() -> Option<Self> {
        REDIS.run(&["--version"])?;
        Some(Self { child: None, folder: TempDir::new().expect("a folder"), port: free_port() })
    }

    /// One that is running.
    pub(crate) fn started() -> Option<Self> {
        let mut redis = Self::stopped()?;
        redis.start();
        Some(redis)
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn start(&mut self) {
        let mut command = Command::new(REDIS.name);
        command.args(["--bind", "127.0.0.1", "--save", "", "--port"]).arg(self.port.to_string());
        command.arg("--dir").arg(self.folder.path()).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let mut lines = lines.map(|line| line.expect("it says how it goes"));
        assert!(lines.any(|line| line.contains("eady to accept connections")), "Redis has ended");
        thread::spawn(move || lines.for_each(drop)); // or else it might wait for somebody to read
        self.child = Some(child);
    }

    pub(crate) fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// The output of redis-cli.
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        let port = self.port.to_string();
        let arguments: Vec<_> = ["-p", &port].into_iter().chain(arguments.iter().copied()).collect();
        let tool = Tool { name: "redis-cli", package: "redis-tools" };
        tool.run(&arguments).expect("it comes with redis-server")
    }
}

/// A port on which nobody listens. It is below those that the system gives to others, so that it stays free while its server is
/// not running.
pub(crate) fn free_port() -> u16 {
    let mut ports = std::iter::repeat_with(|| fastrand::u16(15_000..32_000));
    ports.find(|&port| TcpListener::bind(("127.0.0.1", port)).is_ok()).expect("a free port")
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.stop();
    }
}
