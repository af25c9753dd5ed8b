//! Tests of the chat's binary, with several clients on every backend.

#[path = "../../../testing/server.rs"]
mod server;

mod product;
mod slow;
mod stop;
mod talk;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use self::server::Server;

const PROGRAM: &str = env!("CARGO_BIN_EXE_chat");

/// The names of the backends that serve several clients at once.
fn backends() -> impl Iterator<Item = &'static str> {
    anyloop_cli::BACKENDS.iter().map(|backend| backend.name()).filter(|&name| name != "sequential")
}

/// Who takes part in a chat, over a connection. Calls that wait fail after 20 seconds.
pub(crate) struct Person(BufReader<TcpStream>);

impl Person {
    /// Connects, and takes a name.
    pub(crate) fn join(server: &Server, name: &str) -> Self {
        Self::join_by(server.connect(), name)
    }

    /// Takes a name in a chat to which `socket` is connected.
    pub(crate) fn join_by(socket: TcpStream, name: &str) -> Self {
        let mut person = Self::new(socket);
        assert!(person.take(name), "{name} is taken");
        person
    }

    /// Hears the greeting.
    pub(crate) fn new(socket: TcpStream) -> Self {
        let mut person = Self(BufReader::new(socket));
        person.hear();
        person.hear();
        person
    }

    /// Takes a name. Returns `false` if it is taken by somebody else.
    pub(crate) fn take(&mut self, name: &str) -> bool {
        self.say(&format!("/nick {name}"));
        loop {
            match self.hear() {
                line if line == format!("* you are now {name}") => return true,
                line if line.starts_with("ERR name-taken: ") => return false,
                _ => {}
            }
        }
    }

    /// Takes a name that will soon be free.
    pub(crate) fn take_when_free(&mut self, name: &str) {
        let end = Instant::now() + Duration::from_secs(20);
        while !self.take(name) {
            assert!(Instant::now() < end, "{name} is not freed");
        }
    }

    pub(crate) fn say(&mut self, line: &str) {
        self.try_to_say(line).expect("it reads");
    }

    pub(crate) fn try_to_say(&mut self, line: &str) -> std::io::Result<()> {
        self.0.get_mut().write_all(format!("{line}\n").as_bytes())
    }

    /// The next line.
    pub(crate) fn hear(&mut self) -> String {
        self.listen().expect("the conversation has not ended")
    }

    /// The next line; `None` at the end of the conversation.
    pub(crate) fn listen(&mut self) -> Option<String> {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("it sends, or ends");
        line.pop()?;
        Some(line)
    }

    /// The lines before this one.
    pub(crate) fn hear_until(&mut self, last: &str) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            match self.hear() {
                line if line == last => return lines,
                line => lines.push(line),
            }
        }
    }

    /// Quits, and hears the rest.
    pub(crate) fn quit(mut self) -> Vec<String> {
        self.say("/quit");
        let rest = self.hear_until("* bye");
        assert_eq!(self.listen(), None);
        rest
    }
}
