//! Tests of the chat's binary, with several clients on every backend.

#[path = "../../../testing/person.rs"]
mod person;
#[path = "../../../testing/redis.rs"]
mod redis;
#[path = "../../../testing/server.rs"]
mod server;
#[path = "../../../testing/signal.rs"]
mod signal;
#[path = "../../../testing/tool.rs"]
mod tool;

mod processes;
mod product;
mod site;
mod slow;
mod stop;
mod talk;

use std::net::TcpStream;
use std::time::{Duration, Instant};

use self::person::{Person, backends};
use self::server::Server;

const PROGRAM: &str = env!("CARGO_BIN_EXE_chat");

/// A person is a member of the chat.
impl Person {
    /// Connects, and takes a name.
    pub(crate) fn join(server: &Server, name: &str) -> Self {
        Self::connect(server).greeted().named(name)
    }

    /// Takes a name in a chat to which `socket` is connected.
    pub(crate) fn join_by(socket: TcpStream, name: &str) -> Self {
        Self::over(socket).greeted().named(name)
    }

    /// Hears the greeting.
    pub(crate) fn greeted(mut self) -> Self {
        self.hear();
        self.hear();
        self
    }

    fn named(mut self, name: &str) -> Self {
        assert!(self.take(name), "{name} is taken");
        self
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
