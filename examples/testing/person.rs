//! A client of an example whose messages and replies are lines.

use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpStream;

use crate::server::Server;

/// A client over a connection. Calls that wait fail after 20 seconds.
pub(crate) struct Person(BufReader<TcpStream>);

impl Person {
    pub(crate) fn connect(server: &Server) -> Self {
        Self::over(server.connect())
    }

    pub(crate) fn over(socket: TcpStream) -> Self {
        Self(BufReader::new(socket))
    }

    /// Sends a line.
    pub(crate) fn say(&mut self, line: &str) {
        self.try_to_say(line).expect("it reads");
    }

    pub(crate) fn try_to_say(&mut self, line: &str) -> io::Result<()> {
        self.0.get_mut().write_all(format!("{line}\n").as_bytes())
    }

    /// The next line.
    pub(crate) fn hear(&mut self) -> String {
        self.listen().expect("the conversation has not ended")
    }

    /// The next line; `None` at the end of the conversation.
    pub(crate) fn listen(&mut self) -> Option<String> {
        self.try_to_listen().expect("it sends, or ends")
    }

    pub(crate) fn try_to_listen(&mut self) -> io::Result<Option<String>> {
        let mut line = String::new();
        self.0.read_line(&mut line)?;
        Ok(line.pop().map(|_| line))
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
