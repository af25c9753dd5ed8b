//! A client of an example whose messages and replies are lines.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use crate::server::Server;

/// A client over a connection. Calls that wait fail after 20 seconds.
pub(crate) struct Person(BufReader<TcpStream>);

impl Person {
    pub(crate) fn connect(server: &Server) -> Self {
        Self(BufReader::new(server.connect()))
    }

    /// Sends a line.
    pub(crate) fn say(&mut self, line: &str) {
        self.0.get_mut().write_all(format!("{line}\n").as_bytes()).expect("it reads");
    }

    /// The next line.
    pub(crate) fn hear(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("it sends, or ends");
        assert_eq!(line.pop(), Some('\n'), "the conversation has ended");
        line
    }

    /// Sends a line, and returns the reply.
    pub(crate) fn ask(&mut self, line: &str) -> String {
        self.say(line);
        self.hear()
    }
}

/// The names of the backends that serve several clients at once.
pub(crate) fn backends() -> impl Iterator<Item = &'static str> {
    anyloop_cli::BACKENDS.iter().map(|backend| backend.name()).filter(|&name| name != "sequential")
}
