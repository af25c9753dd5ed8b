//! `anyloop client`: a [`dialogue`] at a terminal, otherwise a [`pipe`]. In a framing such as `raw`, which does not
//! determine the ends of replies, it takes [`turns`].

mod dialogue;
mod outcome;
mod pipe;
mod screen;
mod terminal;
mod turns;
pub(crate) mod wire;

use std::env;
use std::io::{self, IsTerminal};
use std::net::TcpStream;
use std::time::Duration;

use common::{Address, Limits};
use socket2::{Domain, SockAddr, Socket, Type};

use crate::address::Target;
use crate::arguments::Client;
use crate::catalogue::Framing;
use crate::failure::Failure;
use crate::quantity::Time;

/// Communicates with a server until one of the two ends the conversation.
pub(crate) fn client(arguments: &Client) -> Result<(), Failure> {
    let socket = connect(&arguments.address)?;
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
        true if at_terminal => dialogue::converse(&socket, settings),
        true => pipe::converse(&socket, settings),
        false if at_terminal => turns::at_terminal(&socket, settings),
        false => turns::through_pipe(&socket, settings),
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

fn connect(target: &Target) -> Result<Socket, Failure> {
    let mut failure = String::new();
    for address in target.resolve().map_err(Failure::Failed)? {
        match connect_to(&address) {
            Ok(socket) => return Ok(socket),
            Err(error) => failure = format!("no server answers at {address}: {error}"),
        }
    }
    Err(Failure::Failed(failure))
}

fn connect_to(address: &Address) -> io::Result<Socket> {
    let Some(path) = address.path() else {
        let address = address.ip().ok_or(io::ErrorKind::InvalidInput)?;
        let socket = TcpStream::connect_timeout(&address, CONNECT_TIMEOUT)?;
        // Messages are written whole, so Nagle's algorithm would only delay them.
        let _ = socket.set_nodelay(true);
        return Ok(socket.into());
    };
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // `connect` waits for room in the backlog, for at most the write timeout.
    socket.set_write_timeout(Some(CONNECT_TIMEOUT))?;
    socket.connect(&SockAddr::unix(path)?).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => io::ErrorKind::TimedOut.into(),
        _ => error,
    })?;
    socket.set_write_timeout(None)?;
    Ok(socket)
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

/// How long a connection attempt may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The default of how long to wait for the server when a reply is due.
pub(crate) const REPLY_TIMEOUT: Duration = Duration::from_secs(10);
