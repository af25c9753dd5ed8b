//! `anyloop client`: at a terminal a [`dialogue`], otherwise a [`pipe`]; and in a framing such as `raw`,
//! which can't tell where a reply ends, [`turns`].

mod dialogue;
mod outcome;
mod pipe;
mod screen;
mod terminal;
mod turns;
mod wire;

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

/// Talks to a server until one of the two ends the conversation.
pub(crate) fn client(arguments: &Client) -> Result<(), Failure> {
    let socket = connect(&arguments.address)?;
    let at_terminal = io::stdin().is_terminal()
        && io::stdout().is_terminal()
        && io::stderr().is_terminal() // where the editor shows what is typed
        && env::var_os("TERM").is_none_or(|kind| kind != "dumb"); // which has no cursor to direct
    let manner = Manner {
        framing: arguments.framing,
        max_reply: arguments.max_reply.0,
        reply_timeout: Some(arguments.reply_timeout.0).filter(|timeout| !timeout.is_zero()),
    };
    match manner.framing.is_certain() {
        true if at_terminal => dialogue::converse(&socket, manner),
        true => pipe::converse(&socket, manner),
        false if at_terminal => turns::at_terminal(&socket, manner),
        false => turns::through_pipe(&socket, manner),
    }
}

/// How the conversation is held.
#[derive(Clone, Copy)]
struct Manner {
    framing: Framing,
    max_reply: usize,
    /// How long the server may be silent where it is its turn; `None` is for ever.
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
        // Messages are written whole, so there is nothing to collect; without it they are only slower.
        let _ = socket.set_nodelay(true);
        return Ok(socket.into());
    };
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // So long it waits for room in the backlog, too.
    socket.set_write_timeout(Some(CONNECT_TIMEOUT))?;
    socket.connect(&SockAddr::unix(path)?).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => io::ErrorKind::TimedOut.into(),
        _ => error,
    })?;
    socket.set_write_timeout(None)?;
    Ok(socket)
}

/// The server is silent for too long.
fn silent(reply_timeout: Option<Duration>) -> Failure {
    Failure::Failed(format!(
        "the server has said nothing for {}, and has not ended; raise --reply-timeout, or write 0 to wait for ever",
        Time(reply_timeout.unwrap_or_default())
    ))
}

/// The connection can't be used.
fn unusable(error: io::Error) -> Failure {
    Failure::Failed(format!("can't talk to the server: {error}"))
}

/// The longest reply that is taken by default: what a server says at most by default, and room for the end
/// of a line or a number in front.
pub(crate) fn max_reply() -> usize {
    Limits::default().max_reply + 1024
}

/// How long a connection attempt may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the server may be silent where it is its turn, by default.
pub(crate) const REPLY_TIMEOUT: Duration = Duration::from_secs(10);
