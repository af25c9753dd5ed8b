//! What a server tells systemd: `Type=notify`, the status and the watchdog.

use std::io::ErrorKind;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio, id};
use std::time::Duration;

use rustix::process::Signal;
use tempfile::{TempDir, tempdir};

use crate::process::{BOUND, Process};
use crate::server::{Server, command};

/// The socket of a service manager.
pub(crate) struct Manager {
    folder: TempDir,
    socket: UnixDatagram,
}

impl Manager {
    pub(crate) fn new() -> Self {
        let folder = tempdir().unwrap();
        let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        socket.set_read_timeout(Some(BOUND)).unwrap();
        Self { folder, socket }
    }

    /// A command that notifies it.
    pub(crate) fn watched<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.env("NOTIFY_SOCKET", self.folder.path().join("notify"))
    }

    /// The lines of the next notification.
    pub(crate) fn next(&self) -> Vec<String> {
        let mut buffer = [0; 4096];
        let count = loop {
            match self.socket.recv(&mut buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                received => break received.unwrap(),
            }
        };
        std::str::from_utf8(&buffer[..count]).unwrap().lines().map(str::to_owned).collect()
    }

    /// Takes a notification that has arrived, if there is one.
    pub(crate) fn arrived(&self) -> bool {
        self.socket.set_nonblocking(true).unwrap();
        let arrived = self.socket.recv(&mut [0; 4096]).is_ok();
        self.socket.set_nonblocking(false).unwrap();
        arrived
    }

    /// Waits for a notification with a line for which this holds.
    pub(crate) fn wait_for(&self, holds: impl Fn(&str) -> bool) -> Vec<String> {
        loop {
            let lines = self.next();
            if lines.iter().any(|line| holds(line)) {
                return lines;
            }
        }
    }
}

#[test]
fn a_service_is_ready_has_a_status_and_says_that_it_stops() {
    let manager = Manager::new();
    let server = Server::start_as_is(manager.watched(&mut command("--drain-timeout 60s")));
    assert_eq!(manager.next(), ["READY=1"]);
    assert_eq!(manager.next(), ["STATUS=serving, 0 clients"], "without a watchdog it is not told of one");
    server.process.signal(Signal::TERM);
    manager.wait_for(|line| line == "STOPPING=1");
    assert_eq!(server.ended().code, Some(0));
}

#[test]
fn a_watchdog_is_told_of_progress_at_half_of_its_time() {
    let manager = Manager::new();
    let mut command = command("--drain-timeout 60s");
    manager.watched(&mut command).env("WATCHDOG_USEC", "600000");
    let server = Server::start_as_is(&mut command);
    for _ in 0..3 {
        let lines = manager.wait_for(|line| line == "WATCHDOG=1");
        assert!(lines[0].starts_with("STATUS=serving, "), "{lines:?}");
    }
    let client = server.connect();
    manager.wait_for(|line| line == "STATUS=serving, 1 clients");
    // A process that doesn't run makes no progress, so nothing is told.
    server.process.signal(Signal::STOP);
    while manager.arrived() {}
    manager.socket.set_read_timeout(Some(Duration::from_millis(400))).unwrap();
    let _ = manager.socket.recv(&mut [0; 4096]); // one may have been on its way
    assert!(manager.socket.recv(&mut [0; 4096]).is_err());
    server.process.signal(Signal::CONT);
    manager.socket.set_read_timeout(Some(BOUND)).unwrap();
    manager.wait_for(|line| line == "WATCHDOG=1");
    drop(client);
    assert_eq!(server.stop().code, Some(0));
}

#[test]
fn a_watchdog_of_another_process_is_not_told() {
    let manager = Manager::new();
    let mut command = command("");
    manager.watched(&mut command).env("WATCHDOG_USEC", "100000").env("WATCHDOG_PID", id().to_string());
    let server = Server::start_as_is(&mut command);
    assert_eq!(
        (manager.next(), manager.next()),
        (vec!["READY=1".into()], vec!["STATUS=serving, 0 clients".into()])
    );
    server.process.signal(Signal::TERM);
    assert_eq!(manager.next(), ["STOPPING=1"]);
    assert_eq!(server.ended().code, Some(0));
}

#[test]
fn a_server_that_cannot_begin_is_never_ready() {
    let manager = Manager::new();
    let mut command = command("--listen 203.0.113.1:0 --expose");
    let ended = Process::start_as_is(manager.watched(&mut command)).end();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(!manager.arrived());
}

#[test]
fn a_manager_that_is_gone_is_a_warning() {
    let mut command = command("");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut server = Server::start_as_is(command.env("NOTIFY_SOCKET", "/nowhere/notify"));
    server.process.wait_for_log("systemd can't be notified");
    assert_eq!(server.stop().code, Some(0));
}
