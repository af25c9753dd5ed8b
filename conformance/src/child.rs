//! A process of its own, for cases that starve the one in which the backend serves: the test that is running
//! is run once more, and the two talk over a connection.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{self, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::subject::{Subject, remove_sockets_of};

/// Where a child finds its parent.
const PARENT: &str = "ANYLOOP_CONFORMANCE_PARENT";

/// A child, which serves.
pub(crate) struct Child {
    process: process::Child,
    talk: Talk,
}

impl Child {
    /// Runs the test of `subject` once more. There, [`parent`] is somebody.
    pub(crate) fn start(subject: &Subject) -> Self {
        let test = subject.test().expect("a case that needs a process of its own needs to know its test");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port on the loopback device");
        let address = listener.local_addr().expect("the address of a listener");
        let program = env::current_exe().expect("the path of this program");
        let process = Command::new(program)
            .args(["--exact", test, "--nocapture", "--test-threads=1"])
            .env(PARENT, address.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a child");
        let mut child = Process(Some(process));
        let talk = child.meet(&listener, Instant::now() + LONGEST);
        let process = child.0.take().expect("the child that was met");
        Self { process, talk: Talk::over(talk) }
    }

    /// Asks the child.
    pub(crate) fn ask(&mut self, question: &str) -> String {
        self.talk.say(question);
        self.talk.hear().unwrap_or_else(|| panic!("the child is gone; it was asked: {question}"))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        end(&mut self.process);
    }
}

/// How long a child may take to come up on a busy machine.
const LONGEST: Duration = Duration::from_secs(30);

/// A child that has not been met yet.
struct Process(Option<process::Child>);

impl Process {
    fn meet(&mut self, listener: &TcpListener, deadline: Instant) -> TcpStream {
        listener.set_nonblocking(true).expect("a listener that does not block");
        loop {
            if let Ok((talk, _)) = listener.accept() {
                talk.set_nonblocking(false).expect("a socket that blocks");
                return talk;
            }
            let ended = self.0.as_mut().map(process::Child::try_wait);
            assert!(matches!(ended, Some(Ok(None))), "the child has ended: {ended:?}");
            assert!(Instant::now() < deadline, "the child does not come up");
            thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Process {
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

/// The one who asks, in a child.
pub(crate) struct Parent(Talk);

/// The parent of this process, if it is a child.
pub(crate) fn parent() -> Option<Parent> {
    let address = env::var(PARENT).ok()?;
    let talk = TcpStream::connect(address).expect("a connection to the parent");
    Some(Parent(Talk::over(talk)))
}

impl Parent {
    /// Answers the parent until it is gone.
    pub(crate) fn answer(mut self, mut answer: impl FnMut(&str) -> String) {
        while let Some(question) = self.0.hear() {
            self.0.say(&answer(&question));
        }
    }
}

struct Talk(BufReader<TcpStream>);

impl Talk {
    fn over(socket: TcpStream) -> Self {
        socket.set_read_timeout(Some(2 * LONGEST)).expect("a timeout");
        Self(BufReader::new(socket))
    }

    fn say(&mut self, line: &str) {
        // Who is gone does not answer, and that is noticed.
        let _ = self.0.get_mut().write_all(format!("{line}\n").as_bytes());
    }

    fn hear(&mut self) -> Option<String> {
        let mut line = String::new();
        let count = self.0.read_line(&mut line).unwrap_or(0);
        (count > 0).then(|| line.trim_end().to_owned())
    }
}
