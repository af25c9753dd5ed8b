//! A child process for cases that exhaust the resources of the server's process. It runs the calling test again, and
//! communicates with its parent over a connection.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{self, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::subject::{Subject, remove_sockets_of};

/// The environment variable with the address of the parent.
const PARENT: &str = "ANYLOOP_CONFORMANCE_PARENT";

/// A child process that runs the server.
pub(crate) struct Child {
    process: process::Child,
    channel: Channel,
}

impl Child {
    /// Runs the test of `subject` again, in a process in which [`parent`] returns the parent.
    pub(crate) fn start(subject: &Subject) -> Self {
        let test = subject.test().expect("a case that needs a child process needs the path of its test");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port on the loopback interface");
        let address = listener.local_addr().expect("the address of a listener");
        let program = env::current_exe().expect("the path of this program");
        let process = Command::new(program)
            .args(["--exact", test, "--include-ignored", "--nocapture", "--test-threads=1"])
            .env(PARENT, address.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a child");
        let mut child = Starting(Some(process));
        let channel = child.accept(&listener, Instant::now() + START_TIMEOUT);
        let process = child.0.take().expect("the child that has connected");
        Self { process, channel: Channel::over(channel) }
    }

    /// Sends a request to the child, and returns its response.
    pub(crate) fn request(&mut self, request: &str) -> String {
        self.channel.send_message(request);
        self.channel
            .receive()
            .unwrap_or_else(|| panic!("the child has ended without a response to: {request}"))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        end(&mut self.process);
    }
}

/// How long a child may take to start on a busy machine.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// A child that has not connected yet.
struct Starting(Option<process::Child>);

impl Starting {
    fn accept(&mut self, listener: &TcpListener, deadline: Instant) -> TcpStream {
        listener.set_nonblocking(true).expect("a listener that does not block");
        loop {
            if let Ok((channel, _)) = listener.accept() {
                channel.set_nonblocking(false).expect("a socket that blocks");
                return channel;
            }
            let ended = self.0.as_mut().map(process::Child::try_wait);
            assert!(matches!(ended, Some(Ok(None))), "the child has ended: {ended:?}");
            assert!(Instant::now() < deadline, "the child does not connect");
            thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        if let Some(process) = &mut self.0 {
            end(process);
        }
    }
}

/// Ends a child, and waits for its end.
fn end(process: &mut process::Child) {
    let _ = process.kill();
    let _ = process.wait();
    remove_sockets_of(process.id());
}

/// The parent of a child process, which sends requests.
pub(crate) struct Parent(Channel);

/// The parent of this process, if it is a child.
pub(crate) fn parent() -> Option<Parent> {
    let address = env::var(PARENT).ok()?;
    let channel = TcpStream::connect(address).expect("a connection to the parent");
    Some(Parent(Channel::over(channel)))
}

impl Parent {
    /// Responds to requests until the parent has disconnected.
    pub(crate) fn respond(mut self, mut respond: impl FnMut(&str) -> String) {
        while let Some(request) = self.0.receive() {
            self.0.send_message(&respond(&request));
        }
    }
}

struct Channel(BufReader<TcpStream>);

impl Channel {
    fn over(socket: TcpStream) -> Self {
        socket.set_read_timeout(Some(2 * START_TIMEOUT)).expect("a timeout");
        Self(BufReader::new(socket))
    }

    fn send_message(&mut self, line: &str) {
        // If the peer has disconnected, the next read returns the end.
        let _ = self.0.get_mut().write_all(format!("{line}\n").as_bytes());
    }

    fn receive(&mut self) -> Option<String> {
        let mut line = String::new();
        let count = self.0.read_line(&mut line).unwrap_or(0);
        (count > 0).then(|| line.trim_end().to_owned())
    }
}
