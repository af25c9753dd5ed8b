//! `anyloop client`: a [`dialogue`] at a terminal, otherwise a [`pipe`]. In a framing such as `raw`, which does not
//! determine the ends of replies, it takes [`turns`].

mod connection;
mod dialogue;
mod outcome;
mod pipe;
mod screen;
mod terminal;
mod turns;
pub(crate) mod wire;

use std::env;
use std::io::{self, IsTerminal};
use std::time::Duration;

use common::Limits;

use crate::arguments::Client;
use crate::catalogue::Framing;
use crate::failure::Failure;
use crate::quantity::Time;
use connection::Connection;

/// Communicates with a server until one of the two ends the conversation.
pub(crate) fn client(arguments: &Client) -> Result<(), Failure> {
    let connection = Connection::open(&arguments.address, &arguments.secure)?;
    let at_terminal = io::stdin().is_terminal()
        && io::stdout().is_terminal()
        && io::stderr().is_terminal() // where the editor draws the line
        && env::var_os("TERM").is_none_or(|kind| kind != "dumb"); // whose cursor can't be moved
    let settings = Settings {
        framing: arguments.framing,
        max_reply: arguments.max_reply.0,
        reply_timeout: Some(arguments.reply_timeout.0).filter(|timeout| !timeout.is_zero()),
    };
    match settings.framing.is_certain() {
        true if at_terminal => dialogue::converse(&connection, settings),
        true => pipe::converse(connection, settings),
        false if at_terminal => turns::at_terminal(&connection, settings),
        false => turns::through_pipe(&connection, settings),
    }
}

/// The settings of the conversation.
#[derive(Clone, Copy)]
struct Settings {
    framing: Framing,
    max_reply: usize,
    /// How long to wait for the server when a reply is due; `None` for no limit.
    reply_timeout: Option<Duration>,
}

/// The error if the server sends nothing within the reply timeout.
fn silent(reply_timeout: Option<Duration>) -> Failure {
    Failure::Failed(format!(
        "the server has sent nothing for {}, and has not ended; raise --reply-timeout, or write 0 to wait forever",
        Time(reply_timeout.unwrap_or_default())
    ))
}

/// The error if the connection can't be used.
fn unusable(error: io::Error) -> Failure {
    Failure::Failed(format!("can't communicate with the server: {error}"))
}

/// The default maximum length of a reply: the default limit of servers, and room for a line end or a number.
pub(crate) fn max_reply() -> usize {
    Limits::default().max_reply + 1024
}

/// The default of how long to wait for the server when a reply is due.
pub(crate) const REPLY_TIMEOUT: Duration = Duration::from_secs(10);
